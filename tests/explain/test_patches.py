"""The patches that most activate a channel."""

import torch
from torch import nn

from audiocnn.explain.network import truncate
from audiocnn.explain.patches import find_top_patches, find_top_patches_by_channel


def detector() -> nn.Conv2d:
    """Channel 1 is the sum of 3 x 3 values."""
    layer = nn.Conv2d(1, 2, 3, padding=1, bias=False)
    with torch.no_grad():
        layer.weight.zero_()[1].fill_(1.0)
    return layer


def test_the_brightest_squares_are_found() -> None:
    spectrograms = [torch.zeros(1, 1, 12, 10 + i) for i in range(5)]
    for i, (level, bin, frame) in enumerate([(1, 5, 5), (4, 3, 7), (2, 0, 0), (3, 8, 6), (4, 6, 2)]):
        spectrograms[i][0, 0, max(bin - 1, 0) : bin + 2, max(frame - 1, 0) : frame + 2] = level
    found = find_top_patches(detector(), spectrograms, 1, n=4)
    assert [patch.spectrogram for patch in found] == [1, 4, 3, 0]
    assert [patch.activation for patch in found] == [36, 36, 27, 9]
    assert [patch.position for patch in found] == [(3, 7), (6, 2), (8, 6), (5, 5)]
    assert found[0].crop == (slice(2, 5), slice(6, 9))
    assert all(
        spectrograms[patch.spectrogram][(..., *patch.crop)].sum() == patch.activation for patch in found
    )


def test_spectrograms_come_one_after_the_other() -> None:
    spectrograms = (torch.full((1, 1, 4, 4), float(i)) for i in range(20))
    assert [patch.spectrogram for patch in find_top_patches(detector(), spectrograms, 1)] == list(
        range(19, 10, -1)
    )


def test_of_the_shipped_model(instrument_network, spectrograms) -> None:
    layer = truncate(instrument_network, "backbone.stages.1")
    found = find_top_patches(layer, spectrograms.split(1), 3, n=3)
    with torch.no_grad():
        highest = layer(spectrograms)[:, 3].amax((1, 2)).topk(3)
    torch.testing.assert_close(torch.tensor([patch.activation for patch in found]), highest.values)
    assert [patch.spectrogram for patch in found] == highest.indices.tolist()


def test_channels_share_one_pass() -> None:
    spectrograms = [torch.randn(1, 1, 6, 8, generator=torch.Generator().manual_seed(i)) for i in range(12)]
    layer = nn.Conv2d(1, 4, 3, padding=1)
    together = find_top_patches_by_channel(layer, iter(spectrograms), [3, 0], n=5)
    assert together == {channel: find_top_patches(layer, spectrograms, channel, n=5) for channel in (3, 0)}
