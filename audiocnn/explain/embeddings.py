"""Embeddings of recordings, and their projection to a plane: near where a network's features are similar."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence

import numpy as np
import soundfile
import torch
from torch import Tensor, nn

from audiocnn import plots
from audiocnn.blocks.arguments import choose
from audiocnn.ranges import ArgumentError

PERPLEXITY = 30.0  # of t-SNE, scikit-learn's default; less where there are few points
SIDE, MARGIN, RADIUS = 480, 24, 7  # pixels: of the clickable plot, around its points, of a point


def embed_recordings(layer: nn.Module, spectrograms: Iterable[Tensor]) -> Tensor:
    """Embed recordings as the mean of each channel of a layer's feature map.

    Args:
        layer: network up to the layer, see `truncate`.
        spectrograms: spectrograms of each recording, (windows, channels, ..., frames).

    Returns:
        Embeddings, (recordings, channels of the layer).
    """
    with torch.no_grad():
        return torch.stack([layer(one).flatten(2).mean(2).mean(0).cpu() for one in spectrograms])


def project_to_plane(points: Tensor, method: str = "pca", seed: int = 0) -> np.ndarray:
    """Project embeddings to a plane by PCA or t-SNE.

    Args:
        points: (points, channels).
        method: pca, the plane of the largest variance, or tsne, which preserves neighbourhoods.
        seed: seed of the method.

    Returns:
        Points, each axis from 0 to 1, (points, 2).

    Raises:
        ArgumentError: there is no such method, or there are fewer than 3 points.
    """
    if len(points) < 3:
        raise ArgumentError(f"there are {len(points)} points, expected at least 3")
    projected = choose(METHODS, method, "method")(points.double().numpy(), seed)
    low, high = projected.min(axis=0), projected.max(axis=0)
    return (projected - low) / np.maximum(high - low, 1e-12)


def _pca(points: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.decomposition import PCA  # 1 s

    return PCA(2, random_state=seed).fit_transform(points)


def _tsne(points: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(points)


METHODS = {"pca": _pca, "tsne": _tsne}


def make_clickable_plot(
    points: np.ndarray,
    names: Sequence[str],
    sounds: Sequence[np.ndarray],
    sample_rate: int,
    groups: Sequence[int] = (),
) -> str:
    """Make an HTML plot, for a notebook or a page, whose points play their sounds when clicked on.

    Args:
        points: as of `project_to_plane`, (points, 2).
        names: names of the points.
        sounds: sounds of the points, each (samples,).
        sample_rate: sample rate of the sounds, in Hz.
        groups: index of each point's colour; by default all have the same.
    """
    circles = []
    for i, ((x, y), name, sound) in enumerate(zip(points, names, sounds, strict=True)):
        colour = plots.COLOURS[(groups[i] if len(groups) else 0) % len(plots.COLOURS)]
        left, top = (round(MARGIN + share * (SIDE - 2 * MARGIN)) for share in (float(x), 1 - float(y)))
        circles.append(
            f'<circle cx="{left}" cy="{top}" r="{RADIUS}" fill="{colour}" style="cursor:pointer" '
            f"onclick=\"new Audio('{encode_data_url(sound, sample_rate)}').play()\">"
            f"<title>{html.escape(name)}</title></circle>"
        )
    frame = f'<rect width="{SIDE}" height="{SIDE}" fill="white" stroke="#ccc"/>'
    return f'<svg width="{SIDE}" height="{SIDE}" role="img">{frame}{"".join(circles)}</svg>'


def encode_data_url(sound: np.ndarray, sample_rate: int, kind: str = "MP3") -> str:
    """Encode a sound as a data URL.

    Args:
        sound: (samples,).
        sample_rate: in Hz.
        kind: audio format, as libsndfile names it.
    """
    file = io.BytesIO()
    soundfile.write(file, sound, sample_rate, format=kind)
    return f"data:audio/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
