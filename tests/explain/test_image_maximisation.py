"""Images found by activation maximisation, and what keeps them from coloured noise."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from audiocnn.explain.image_maximisation import (
    ImageMaximisationOptions,
    correlate_colours,
    maximise_image,
    transform,
)

STILL = ImageMaximisationOptions(jitter=0, scale=0, rotation=0)


def roughness(image: Tensor) -> float:
    """Mean squared difference of neighbouring pixels, relative to the variance."""
    return float(image.diff(dim=-1).square().mean() / image.var())


class Disc(nn.Module):
    """Its score is how bright the middle is, and how dark the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        inside = x[..., 8:16, 8:16].mean((1, 2, 3))
        return self.scale * (2 * inside - x.mean((1, 2, 3)))[:, None]


@pytest.mark.parametrize("channels", [3, 1])
def test_pixels_that_raise_the_score_grow(channels: int) -> None:
    image = maximise_image(Disc(), 0, 24, lambda pixels: pixels, channels, replace(STILL, steps=64))
    assert image.shape == (1, channels, 24, 24)
    assert 0 <= image.min() < image.max() <= 1
    assert image[..., 9:15, 9:15].mean() > 0.8 > 0.4 > image[..., :4, :].mean()
    again = maximise_image(Disc(), 0, 24, lambda pixels: pixels, channels, replace(STILL, steps=64))
    assert torch.equal(image, again)


def test_the_penalty_keeps_it_smooth() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    found = [
        maximise_image(
            network, 0, 32, lambda pixels: pixels, options=replace(STILL, steps=48, frequency_penalty=p)
        )
        for p in (0.0, 1.3)
    ]
    assert roughness(found[1]) < 0.6 * roughness(found[0])


def test_colours_are_those_of_photographs() -> None:
    """Components that are not correlated become channels that rise and fall together."""
    components = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    correlations = torch.corrcoef(correlate_colours(components).flatten(2)[0])
    assert torch.corrcoef(components.flatten(2)[0]).sub(torch.eye(3)).abs().max() < 0.05
    assert correlations.min() > 0.7


def test_transformations() -> None:
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    torch.testing.assert_close(transform(image, STILL, generator), image, rtol=1e-4, atol=1e-4)
    moved = transform(image, ImageMaximisationOptions(), generator)
    assert moved.shape == image.shape and not torch.allclose(moved, image, atol=0.1)
    ramp = torch.linspace(0, 1, 65).expand(1, 1, 65, 65)
    shifted = transform(ramp, replace(STILL, jitter=4), generator)
    assert (shifted - ramp)[..., 5:60].abs().max() <= 4 / 64 + 1e-4  # by four pixels at most


def test_wrong_options() -> None:
    with pytest.raises(ValueError, match="steps is 0"):
        ImageMaximisationOptions(steps=0)
    with pytest.raises(ValueError, match="rotation is -1"):
        ImageMaximisationOptions(rotation=-1)
