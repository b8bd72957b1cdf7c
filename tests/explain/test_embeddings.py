"""Recordings as points on a plane, and a plot of them to click on."""

import base64
import io
import re

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from audiocnn.explain.embeddings import embed_recordings, make_clickable_plot, project_to_plane


def clusters() -> torch.Tensor:
    """Three groups of eight points in 20 dimensions."""
    torch.manual_seed(0)
    return (10 * torch.randn(3, 1, 20) + torch.randn(3, 8, 20)).flatten(0, 1)


def test_an_embedding_is_the_mean_over_windows_and_positions() -> None:
    recordings = [torch.randn(3, 1, 4, 6), torch.randn(1, 1, 4, 9)]
    found = embed_recordings(nn.Identity(), recordings)
    torch.testing.assert_close(found, torch.stack([one.mean()[None] for one in recordings]))


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_neighbours_stay_neighbours(method: str) -> None:
    points = project_to_plane(clusters(), method)
    assert points.shape == (24, 2)
    assert (points.min(), points.max()) == (0, 1)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2) + 9 * np.eye(24)
    assert (apart.argmin(axis=1) // 8 == np.arange(24) // 8).all()


def test_pca_is_the_plane_of_most_variance() -> None:
    points = torch.zeros(4, 5)
    points[:, 3] = torch.tensor([0.0, 1.0, 2.0, 4.0])
    assert sorted(project_to_plane(points)[:, 0].round(6).tolist()) in ([0, 0.25, 0.5, 1], [0, 0.5, 0.75, 1])


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="there are 2 points, expected at least 3"):
        project_to_plane(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="method is 'umap', expected "):
        project_to_plane(torch.zeros(4, 4), "umap")


def test_clickable_points_hold_their_sounds() -> None:
    sounds = [np.sin(np.arange(8000) * step).astype(np.float32) for step in (0.1, 0.2, 0.3)]
    made = make_clickable_plot(
        np.array([[0, 0], [1, 1], [0.5, 0]]), ["a", "<b>", "c"], sounds, 16_000, [0, 1, 1]
    )
    assert made.count("<circle") == 3
    assert "<title>&lt;b&gt;</title>" in made
    assert 'cx="24" cy="456"' in made and 'cx="456" cy="24"' in made
    held = re.findall(r"data:audio/mp3;base64,([^']*)'", made)
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(held[0])))
    assert rate == 16_000
    assert len(samples) == pytest.approx(8000, abs=1200)
    assert np.sqrt((samples**2).mean()) == pytest.approx(np.sqrt(0.5), rel=0.15)
