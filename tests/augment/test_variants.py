"""Test-time augmentation: the mean over variants, which for sound the seed alone decides."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from audiocnn.augment import VIEWS, average_variants, average_views

RATE = 8000


def peaks(waveforms: Tensor) -> Tensor:
    """Each waveform's highest and lowest value."""
    return torch.stack([waveforms.amax(1), waveforms.amin(1)], dim=1)


def scaled(waveform: np.ndarray, n_samples: int, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    assert sample_rate == RATE
    return (waveform[:n_samples] * rng.random()).astype(np.float32)


def test_mean_over_variants_by_hand() -> None:
    waveforms = torch.tensor([[1.0, -2.0, 9.0], [3.0, -1.0, 9.0]])
    scale = np.mean([np.random.default_rng((7, index)).random() for index in range(5)])
    found = average_variants(peaks, waveforms, RATE, k=5, augment=scaled, n_samples=2, seed=7)
    torch.testing.assert_close(found, torch.tensor([[1.0, -2.0], [3.0, -1.0]]) * scale)


def test_variants_are_the_seeds_and_not_the_batchs() -> None:
    waveforms = torch.randn(3, RATE, generator=torch.Generator().manual_seed(0))
    together = average_variants(peaks, waveforms, RATE, k=3, seed=1)
    assert torch.equal(together, average_variants(peaks, waveforms, RATE, k=3, seed=1))
    assert torch.equal(together[1:2], average_variants(peaks, waveforms[1:2], RATE, k=3, seed=1))
    assert not torch.equal(together, average_variants(peaks, waveforms, RATE, k=3, seed=2))


def test_variants_differ_in_level_and_pitch_a_little() -> None:
    tone = torch.sin(2 * torch.pi * 440 / RATE * torch.arange(RATE))[None]
    variants = []
    average_variants(lambda waveforms: variants.append(waveforms[0]) or waveforms, tone, RATE, k=20)
    levels_db = torch.stack([20 * torch.log10(waveform.abs().max()) for waveform in variants])
    assert (levels_db.min().item(), levels_db.max().item()) == pytest.approx((-12, 0), abs=2)
    window = torch.hann_window(RATE)
    found = torch.tensor([torch.fft.rfft(waveform * window).abs().argmax() for waveform in variants])
    semitones = 12 * torch.log2(found / 440)
    assert 0.2 < semitones.abs().max() <= 0.55
    assert (semitones == 0).sum() > 4


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))


def test_the_ten_crops_are_alexnets(images: Tensor) -> None:
    """Corners and the middle of 7/8 of the sides, 14 × 21 pixels, and these mirrored."""
    corners = [(0, 0), (0, 3), (2, 0), (2, 3), (1, 2)]
    crops = [images[..., top : top + 14, left : left + 21] for top, left in corners]
    enlarged = [functional.interpolate(crop, size=(16, 24), mode="bilinear") for crop in crops]
    variants = VIEWS["ten_crop"](images)
    assert len(variants) == 10
    for i, crop in enumerate(enlarged):
        torch.testing.assert_close(variants[2 * i], crop)
        torch.testing.assert_close(variants[2 * i + 1], crop.flip(3))


def test_mirror_and_scales(images: Tensor) -> None:
    assert all(map(torch.equal, VIEWS["mirror"](images), [images, images.flip(3)]))
    whole, *parts = VIEWS["scales"](images)
    assert torch.equal(whole, images)
    middle = functional.interpolate(images[..., 2:14, 3:21], size=(16, 24), mode="bilinear")
    torch.testing.assert_close(parts[-1], middle)


@pytest.mark.parametrize("views", VIEWS)
def test_the_average_is_that_of_the_variants(views: str, images: Tensor) -> None:
    def predict(batch: Tensor) -> Tensor:
        return torch.softmax(20 * batch.diff(dim=3).mean((2, 3)), 1)

    each = [predict(variant) for variant in VIEWS[views](images)]
    found = average_views(predict, images, views)
    torch.testing.assert_close(found, sum(each) / len(each))
    assert torch.equal(average_views(predict, images, None), predict(images))
    assert not torch.equal(found, predict(images))


def test_views_that_there_are_not(images: Tensor) -> None:
    with pytest.raises(ValueError, match="tta is 'flip', expected one of mirror, ten_crop, scales, or none"):
        average_views(lambda batch: batch, images, "flip")
