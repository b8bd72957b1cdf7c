"""Pictures: masks and rolls are what the docstrings say, only while training, and repeat with the seed."""

import pytest
import torch

from audiocnn.augment import MaskPicture, RollPicture


def test_masks_only_while_training() -> None:
    pictures = torch.rand(3, 1, 40, 50)
    assert MaskPicture(p=1).eval()(pictures) is pictures
    torch.testing.assert_close(MaskPicture(p=0)(pictures), pictures)


def test_masks_are_bands_of_the_lowest_value() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(20, 1, 60, 50)
    kept = pictures.clone()
    masked = MaskPicture(p=1, bins=18, frames=8)(pictures)
    torch.testing.assert_close(pictures, kept)
    for picture, before in zip(masked[:, 0], pictures[:, 0], strict=True):
        covered = picture != before
        covered |= before == before.min()
        rows, columns = covered.all(dim=1).nonzero().flatten(), covered.all(dim=0).nonzero().flatten()
        for lines, widest in ((rows, 18), (columns, 8)):
            assert 1 <= len(lines) <= widest
            assert lines[-1] - lines[0] == len(lines) - 1
        covered[rows], covered[:, columns] = False, False
        assert covered.sum() <= 1  # nothing else changed
        assert (picture[rows] == before.min()).all()
        assert (picture[:, columns] == before.min()).all()


def test_masks_repeat_with_torchs_seed() -> None:
    pictures = torch.rand(4, 1, 40, 50)
    torch.manual_seed(5)
    first = MaskPicture(p=0.5)(pictures)
    torch.manual_seed(5)
    torch.testing.assert_close(MaskPicture(p=0.5)(pictures), first)


def test_how_often_masks_are_applied() -> None:
    torch.manual_seed(1)
    pictures = torch.rand(400, 1, 40, 50)
    changed = (MaskPicture(p=0.3)(pictures) != pictures).flatten(1).any(dim=1)
    assert changed.float().mean().item() == pytest.approx(1 - 0.7**2, abs=0.08)


def test_rolls_only_while_training() -> None:
    pictures = torch.rand(3, 1, 40, 50)
    assert RollPicture(p=1).eval()(pictures) is pictures
    assert torch.equal(RollPicture(p=0)(pictures), pictures)


def test_rolls() -> None:
    """Each cell tells where it came from; what comes in above or below is the picture's lowest value."""
    torch.manual_seed(0)
    picture = torch.arange(1.0, 1 + 12 * 30).view(1, 1, 12, 30)
    ups, lates = set(), set()
    for rolled in RollPicture(p=1, bins=2)(picture.expand(300, 1, 12, 30))[:, 0]:
        up = next(up for up in range(-2, 3) if rolled[5, 0] in picture[0, 0, 5 - up])
        late = int((picture[0, 0, 5 - up, 0] == rolled[5]).nonzero())
        expected = picture[0, 0].roll((up, late), (0, 1))
        expected[slice(0, up) if up > 0 else slice(12 + up, 12)] = rolled.min()
        assert torch.equal(rolled, expected)
        ups.add(up)
        lates.add(late)
    assert ups == {-2, -1, 0, 1, 2}
    assert lates == set(range(30))


def test_rolls_of_each_picture_by_itself() -> None:
    torch.manual_seed(1)
    pictures = torch.rand(1, 1, 40, 50).repeat(400, 1, 1, 1)
    kept = pictures.clone()
    changed = (RollPicture(p=0.4, bins=3)(pictures) != pictures).flatten(1).any(dim=1)
    assert torch.equal(pictures, kept)
    # 1 of 50 places in time, and of 7 in pitch, is where it was.
    expected = 1 - (1 - 0.4 * 49 / 50) * (1 - 0.4 * 6 / 7)
    assert changed.float().mean().item() == pytest.approx(expected, abs=0.08)


def test_rolls_repeat_with_torchs_seed() -> None:
    pictures = torch.rand(4, 1, 40, 50)
    torch.manual_seed(5)
    first = RollPicture()(pictures)
    torch.manual_seed(5)
    assert torch.equal(RollPicture()(pictures), first)
