"""Recordings as points on a plane: near each other where a network hears them alike; and to be clicked on."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence

import numpy as np
import soundfile
import torch
from torch import Tensor, nn

from audiocnn.blocks.arguments import choose

PERPLEXITY = 30.0  # of t-SNE: about as many neighbours count; less where there are few points
SIDE, MARGIN, RADIUS = 480, 24, 7  # of the clickable plane, in pixels
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")  # Paul Tol's bright


def embed(layer: nn.Module, spectrograms: Iterable[Tensor]) -> Tensor:
    """The mean of each channel of a layer's map over a recording: how the network hears it.

    Shape: of each recording (windows, channels, ..., frames) -> (recordings, channels of the map).

    Args:
        layer: of `upto`.
    """
    with torch.no_grad():
        return torch.stack([layer(one).flatten(2).mean(2).mean(0).cpu() for one in spectrograms])


def onto_plane(points: Tensor, method: str = "pca", seed: int = 0) -> np.ndarray:
    """Points of many dimensions on a plane, each axis from 0 to 1.

    Shape: (points, channels) -> (points, 2).
    Raises: ValueError when there is no such method, or there are fewer than 3 points.

    Args:
        method: pca, the plane in which they vary most, or tsne, where neighbours stay neighbours.
    """
    if len(points) < 3:
        raise ValueError(f"there are {len(points)} points, expected at least 3")
    found = choose(METHODS, method, "method")(points.double().numpy(), seed)
    low, high = found.min(axis=0), found.max(axis=0)
    return (found - low) / np.maximum(high - low, 1e-12)


def _pca(points: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.decomposition import PCA  # 1 s

    return PCA(2, random_state=seed).fit_transform(points)


def _tsne(points: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(points)


METHODS = {"pca": _pca, "tsne": _tsne}


def clickable(
    points: np.ndarray,
    names: Sequence[str],
    sounds: Sequence[np.ndarray],
    sample_rate: int,
    groups: Sequence[int] = (),
) -> str:
    """A piece of HTML, for a notebook or a page: points that are heard when clicked on, with their names.

    Args:
        points: as of `onto_plane`.
        sounds: of each point, (samples,).
        groups: of each point, those of a colour.
    """
    circles = []
    for i, ((x, y), name, sound) in enumerate(zip(points, names, sounds, strict=True)):
        colour = COLOURS[(groups[i] if len(groups) else 0) % len(COLOURS)]
        left, top = (round(MARGIN + share * (SIDE - 2 * MARGIN)) for share in (float(x), 1 - float(y)))
        circles.append(
            f'<circle cx="{left}" cy="{top}" r="{RADIUS}" fill="{colour}" style="cursor:pointer" '
            f"onclick=\"new Audio('{data_url(sound, sample_rate)}').play()\">"
            f"<title>{html.escape(name)}</title></circle>"
        )
    frame = f'<rect width="{SIDE}" height="{SIDE}" fill="white" stroke="#ccc"/>'
    return f'<svg width="{SIDE}" height="{SIDE}" role="img">{frame}{"".join(circles)}</svg>'


def data_url(sound: np.ndarray, sample_rate: int, kind: str = "MP3") -> str:
    """A sound as an address that holds it all."""
    file = io.BytesIO()
    soundfile.write(file, sound, sample_rate, format=kind)
    return f"data:audio/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
