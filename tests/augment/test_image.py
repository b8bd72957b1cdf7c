"""Augmentation of images: exact by references, nothing at zero strength, repeated by a seed."""

import colorsys
import math

import numpy as np
import pytest
import torch
from skimage import transform
from torch import Tensor
from torch.nn import functional

from audiocnn.augment import (
    ColorJitter,
    ImageTransform,
    RandomAffine,
    RandomCrop,
    RandomGainBias,
    RandomHorizontalFlip,
    RandomResizedCrop,
)
from audiocnn.images import convert

ALL = [
    RandomAffine(10, (0.1, 0.1), (0.8, 1.2), 10),
    RandomCrop(2),
    RandomHorizontalFlip(),
    RandomResizedCrop(),
    ColorJitter(0.4, 0.4, 0.4, 0.1),
    RandomGainBias(),
]
NOTHING = [
    RandomAffine(),
    RandomCrop(0),
    RandomHorizontalFlip(0.0),
    RandomResizedCrop((1.0, 1.0), (1.0, 1.0)),
    ColorJitter(),
    RandomGainBias((1.0, 1.0), (0.0, 0.0)),
]


def named(one: ImageTransform) -> str:
    return type(one).__name__


@pytest.fixture
def images() -> Tensor:
    """Noise, (batch, 3, 12, 16)."""
    return torch.rand(6, 3, 12, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def squares(images: Tensor) -> Tensor:
    return images[..., :12]


@pytest.mark.parametrize("one", ALL, ids=named)
def test_a_seed_repeats_it_and_evaluation_leaves_images_as_they_are(
    one: ImageTransform, images: Tensor
) -> None:
    before = images.clone()
    torch.manual_seed(1)
    first, second = one(images), one(images)
    torch.manual_seed(1)
    assert torch.equal(one(images), first) and not torch.equal(first, second)
    assert first.shape == images.shape and first.min() >= 0 and first.max() <= 1
    assert len({image.numpy().tobytes() for image in one(images[:1].expand(6, -1, -1, -1))}) > 1
    one.eval()
    assert torch.equal(one(images), before) and torch.equal(images, before)
    one.train()


@pytest.mark.parametrize("one", NOTHING, ids=named)
def test_zero_strength_is_the_identity(one: ImageTransform, images: Tensor) -> None:
    assert torch.equal(one(images), images)


@pytest.mark.parametrize("one", ALL, ids=named)
def test_p_is_the_share_that_is_changed(one: ImageTransform) -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 3, 8, 8).expand(400, -1, -1, -1)
    half = type(one)(**{**one.init_args, "p": 0.5})
    always = type(one)(**{**one.init_args, "p": 1.0})
    changed = [(one(images) != images).flatten(1).any(1).float().mean().item() for one in (half, always)]
    assert changed[0] == pytest.approx(0.5 * changed[1], abs=0.1) and changed[1] > 0.9


@pytest.mark.parametrize("turns", [-1, 1, 2])
def test_right_angles_are_rot90(squares: Tensor, turns: int) -> None:
    found = RandomAffine((90 * turns, 90 * turns))(squares)
    torch.testing.assert_close(found, torch.rot90(squares, turns, (2, 3)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("degrees", [20.0, -135.0])
def test_any_angle_is_scikit_images(squares: Tensor, degrees: float) -> None:
    found = RandomAffine((degrees, degrees))(squares)
    for image, channel in zip(found, squares, strict=True):
        expected = torch.from_numpy(transform.rotate(channel[0].numpy(), degrees, order=1))
        torch.testing.assert_close(image[0, 3:-3, 3:-3], expected[3:-3, 3:-3], atol=1e-4, rtol=0)


def test_scale_2_is_the_middle_enlarged(images: Tensor) -> None:
    found = RandomAffine(scale=(2, 2))(images)
    expected = functional.interpolate(images[..., 3:9, 4:12], scale_factor=2, mode="bilinear")
    torch.testing.assert_close(found[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_shear_by_45_degrees_shifts_each_row_by_its_distance_from_the_middle(squares: Tensor) -> None:
    image = functional.pad(squares, (12, 12, 0, 1))[..., :13, :]  # 13 rows: the middle one stays
    found = RandomAffine(shear=(45, 45))(image)
    expected = torch.stack([image[..., row, :].roll(6 - row, -1) for row in range(13)], dim=-2)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_translations_are_whole_pixels_up_to_the_share(images: Tensor) -> None:
    point = torch.zeros(200, 1, 12, 16)
    point[..., 6, 8] = 1
    torch.manual_seed(0)
    found = RandomAffine(translate=(0.25, 0.1))(point)
    assert ((found > 0.999) | (found < 1e-3)).all()
    _, _, rows, columns = (found > 0.5).nonzero(as_tuple=True)
    assert len(rows) == 200
    assert {*rows.tolist()} == {5, 6, 7} and {*columns.tolist()} == {*range(4, 13)}


@pytest.mark.parametrize(("mode", "beyond"), [("constant", 0.0), ("replicate", 1.0), ("reflect", 1.0)])
def test_what_comes_in_from_beyond_the_edge(mode: str, beyond: float) -> None:
    white = torch.ones(1, 1, 8, 8)
    found = RandomAffine((45, 45), padding_mode=mode)(white)
    assert found[0, 0, 0, 0] == pytest.approx(beyond, abs=1e-6)


def test_crops_are_shifts_of_whole_pixels() -> None:
    image = torch.arange(1.0, 10).view(1, 1, 3, 3)
    found = {tuple(one.flatten().int().tolist()) for one in RandomCrop(1)(image.expand(300, -1, -1, -1))}
    padded = np.pad(np.arange(1, 10).reshape(3, 3), 1)
    assert found == {tuple(padded[i : i + 3, j : j + 3].ravel()) for i in range(3) for j in range(3)}
    with pytest.raises(ValueError, match="padding is 3, expected less than 3, the pixels of a"):
        RandomCrop(3, "reflect")(image)


def test_resized_crops_have_the_area_and_ratio_that_were_drawn() -> None:
    # In images whose pixels are their own coordinates, the steps tell how much was enlarged.
    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    torch.manual_seed(0)
    found = RandomResizedCrop((0.25, 0.5), (0.8, 1.25))(torch.stack([rows, columns]).expand(200, -1, -1, -1))
    heights = found[:, 0].amax((1, 2)) - found[:, 0].amin((1, 2)) + 1
    widths = found[:, 1].amax((1, 2)) - found[:, 1].amin((1, 2)) + 1
    area, ratio = heights * widths / 1600, widths / heights
    assert 0.23 < area.min() < 0.28 and 0.46 < area.max() < 0.53
    assert 0.75 < ratio.min() < 0.85 and 1.18 < ratio.max() < 1.33
    assert found[:, 0].amin() == 0 and found[:, 1].amax() == 39  # all of the image is reached


def test_a_resized_crop_is_a_part_enlarged(images: Tensor) -> None:
    torch.manual_seed(0)
    found = RandomResizedCrop((0.25, 0.25), (1, 1))(images[:1])[0]
    parts = [images[:1, :, i : i + 6, j : j + 8] for i in range(7) for j in range(9)]
    enlarged = [functional.interpolate(part, size=(12, 16), mode="bilinear")[0] for part in parts]
    assert min((found - one).abs().max() for one in enlarged) < 1e-5


def test_mirror(images: Tensor) -> None:
    assert torch.equal(RandomHorizontalFlip(1.0)(images), images.flip(3))


def test_gain_and_bias_are_a_x_plus_b(images: Tensor) -> None:
    found = RandomGainBias((2.0, 2.0), (-0.5, -0.5))(images)
    torch.testing.assert_close(found, (2 * images - 0.5).clamp(0, 1))


def test_brightness_contrast_and_saturation_by_hand() -> None:
    image = torch.tensor([[0.2, 0.6], [0.4, 0.8], [0.6, 0.0]]).view(1, 3, 1, 2)
    luma = torch.tensor([0.299, 0.587, 0.114])
    greys = (luma.view(3, 1, 1) * image).sum(1, keepdim=True)
    expected = {
        "brightness": 1.5 * image,
        "contrast": greys.mean() + 1.5 * (image - greys.mean()),
        "saturation": greys + 1.5 * (image - greys),
    }
    for name, wanted in expected.items():
        torch.testing.assert_close(ColorJitter(**{name: (1.5, 1.5)})(image), wanted.clamp(0, 1))
        plain = ColorJitter(**{name: (0, 0)})(image)  # black, grey, without colour
        assert (plain.amax(1) - plain.amin(1)).max() < 1e-6


def test_hue_is_that_of_colorsys(images: Tensor) -> None:
    found = ColorJitter(hue=(0.25, 0.25))(images)
    hsv = [colorsys.rgb_to_hsv(*one) for one in images.movedim(1, 3).reshape(-1, 3).tolist()]
    expected = [colorsys.hsv_to_rgb((hue + 0.25) % 1, *others) for hue, *others in hsv]
    np.testing.assert_allclose(found.movedim(1, 3).reshape(-1, 3), expected, atol=1e-5)


def test_light_and_saturation_leave_the_hue(images: Tensor) -> None:
    darker = ColorJitter(brightness=(0.2, 1.0), saturation=(0.2, 1.0))(images)
    hues = [2 * math.pi * convert(one, "rgb", "hsv")[:, 0] for one in (images, darker)]
    assert (hues[0] - hues[1]).cos().min() > 0.999


def test_images_without_colour() -> None:
    grey = torch.rand(2, 1, 4, 4)
    assert ColorJitter(brightness=0.5, contrast=0.5)(grey).shape == grey.shape
    for strength in ({"saturation": 0.5}, {"hue": 0.1}):
        with pytest.raises(ValueError, match="images have 1 channels, expected 3 for saturation and hue"):
            ColorJitter(**strength)(grey)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomAffine(200), "degrees is 200, expected a number from 0 to 180"),
        (lambda: RandomAffine((-200, 0)), "degrees is -200, expected a number from -180 to 180"),
        (lambda: RandomAffine((10, -10)), r"degrees is \(10, -10\), expected the lower and the upper end"),
        (lambda: RandomAffine(shear=90), "shear is 90, expected a number from 0 to 80"),
        (lambda: RandomAffine(translate=(1.5, 0)), r"translate is 1\.5, expected a number from 0 to 1"),
        (lambda: RandomAffine(scale=(0, 1)), "scale is 0, expected more than 0"),
        (lambda: RandomAffine(padding_mode="wrap"), "padding_mode is 'wrap', expected one of constant, repl"),
        (lambda: RandomCrop(1.5), r"padding is 1\.5, expected a whole number from 0"),
        (lambda: RandomCrop(padding_mode="zeros"), "padding_mode is 'zeros', expected one of constant"),
        (lambda: RandomResizedCrop((0.5, 1.5)), r"scale is 1\.5, expected more than 0 and at most 1"),
        (lambda: RandomResizedCrop(ratio=(0, 1)), "ratio is 0, expected more than 0"),
        (lambda: RandomHorizontalFlip(1.5), r"p is 1\.5, expected a number from 0 to 1"),
        (lambda: ColorJitter(hue=0.6), r"hue is 0\.6, expected a number from 0 to 0\.5"),
        (lambda: ColorJitter(contrast=(-1, 1)), "contrast is -1, expected a number from 0 to 100"),
        (lambda: ColorJitter(brightness=math.nan), "brightness is nan, expected a number from 0 to 99"),
        (lambda: RandomGainBias(gain=(-1, 1)), "gain is -1, expected 0 or more"),
        (lambda: RandomGainBias(bias=(0, math.inf)), "bias is inf, expected a finite number"),
    ],
)
def test_wrong_arguments(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
