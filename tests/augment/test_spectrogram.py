"""Spectrograms: masks and shifts, only while training, which repeat with the seed."""

import numpy as np
import pytest
import torch

from audiocnn.augment import RandomShift, SpecAugment


def test_masks_only_while_training() -> None:
    spectrograms = torch.rand(3, 1, 40, 50)
    assert SpecAugment(p=1).eval()(spectrograms) is spectrograms
    torch.testing.assert_close(SpecAugment(p=0)(spectrograms), spectrograms)


def test_masks_are_bands_of_the_lowest_value() -> None:
    torch.manual_seed(0)
    spectrograms = torch.rand(100, 1, 60, 50)
    kept = spectrograms.clone()
    masked = SpecAugment(p=1, bins=18, frames=8)(spectrograms)
    torch.testing.assert_close(spectrograms, kept)
    widths = []
    for spectrogram, before in zip(masked[:, 0], spectrograms[:, 0], strict=True):
        covered = spectrogram != before
        covered |= before == before.min()
        rows, columns = covered.all(dim=1).nonzero().flatten(), covered.all(dim=0).nonzero().flatten()
        for lines, widest in ((rows, 18), (columns, 8)):
            assert len(lines) <= widest
            assert (lines.diff() == 1).all()
        widths.append((len(rows), len(columns)))
        covered[rows], covered[:, columns] = False, False
        assert covered.sum() <= 1  # nothing else changed
        assert (spectrogram[rows] == before.min()).all()
        assert (spectrogram[:, columns] == before.min()).all()
    assert np.max(widths, axis=0).tolist() == [18, 8] and np.min(widths, axis=0).tolist() == [0, 0]


def test_masks_repeat_with_torchs_seed() -> None:
    spectrograms = torch.rand(4, 1, 40, 50)
    torch.manual_seed(5)
    first = SpecAugment(p=0.5)(spectrograms)
    torch.manual_seed(5)
    torch.testing.assert_close(SpecAugment(p=0.5)(spectrograms), first)


def test_how_often_masks_are_applied() -> None:
    torch.manual_seed(1)
    spectrograms = torch.rand(400, 1, 40, 50)
    changed = (SpecAugment(p=0.3)(spectrograms) != spectrograms).flatten(1).any(dim=1)
    assert changed.float().mean().item() == pytest.approx(1 - 0.7**2, abs=0.08)


def test_shifts_only_while_training() -> None:
    spectrograms = torch.rand(3, 1, 40, 50)
    assert RandomShift(p=1).eval()(spectrograms) is spectrograms
    assert torch.equal(RandomShift(p=0)(spectrograms), spectrograms)


def test_shifts() -> None:
    """Each value shows where it came from; what comes in above or below is the spectrogram's lowest value."""
    torch.manual_seed(0)
    spectrogram = torch.arange(1.0, 1 + 12 * 30).view(1, 1, 12, 30)
    ups, lates = set(), set()
    for rolled in RandomShift(p=1, bins=2)(spectrogram.expand(300, 1, 12, 30))[:, 0]:
        up = next(up for up in range(-2, 3) if rolled[5, 0] in spectrogram[0, 0, 5 - up])
        late = int((spectrogram[0, 0, 5 - up, 0] == rolled[5]).nonzero())
        expected = spectrogram[0, 0].roll((up, late), (0, 1))
        expected[slice(0, up) if up > 0 else slice(12 + up, 12)] = rolled.min()
        assert torch.equal(rolled, expected)
        ups.add(up)
        lates.add(late)
    assert ups == {-2, -1, 0, 1, 2}
    assert lates == set(range(30))


def test_shifts_of_each_spectrogram_by_itself() -> None:
    torch.manual_seed(1)
    spectrograms = torch.rand(1, 1, 40, 50).repeat(400, 1, 1, 1)
    kept = spectrograms.clone()
    changed = (RandomShift(p=0.4, bins=3)(spectrograms) != spectrograms).flatten(1).any(dim=1)
    assert torch.equal(spectrograms, kept)
    # 1 of 50 places in time, and of 7 in pitch, is where it was.
    expected = 1 - (1 - 0.4 * 49 / 50) * (1 - 0.4 * 6 / 7)
    assert changed.float().mean().item() == pytest.approx(expected, abs=0.08)


def test_shifts_repeat_with_torchs_seed() -> None:
    spectrograms = torch.rand(4, 1, 40, 50)
    torch.manual_seed(5)
    first = RandomShift()(spectrograms)
    torch.manual_seed(5)
    assert torch.equal(RandomShift()(spectrograms), first)
