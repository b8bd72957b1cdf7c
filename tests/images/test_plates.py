"""Three-filter photography: a generated image is split into shifted plates, which give it back."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from audiocnn.images import combine_plates, find_shift

MARGIN = 24  # pixels around what the green plate shows


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """Blobs of colour, (3, rows, columns): what is bright in one channel may be dark in another."""
    rng = np.random.default_rng(0)
    noise = gaussian_filter(rng.normal(size=(3, 148, 180)), (0, 3, 3))
    return np.clip(0.5 + 4 * noise, 0, 1)


def expose(scene: np.ndarray, shifts: tuple[tuple[int, int], ...]) -> list[np.ndarray]:
    """Plates of a camera that moves between them: (rows, columns) of each channel, from another place."""
    rows, columns = (n - 2 * MARGIN for n in scene.shape[1:])
    return [
        channel[MARGIN - down : MARGIN - down + rows, MARGIN - right : MARGIN - right + columns]
        for channel, (down, right) in zip(scene, shifts, strict=True)
    ]


def mixed(scene: np.ndarray) -> np.ndarray:
    """As filters do, each channel passes a part of the others."""
    return np.einsum("oc,cij->oij", np.array([[6, 2, 1], [2, 5, 2], [1, 2, 6]]) / 9, scene)


@pytest.mark.parametrize(
    "shifts", [((0, 0), (0, 0), (0, 0)), ((5, -3), (0, 0), (-11, 8)), ((-1, 0), (0, 0), (24, -24))]
)
def test_shifted_plates_give_the_image_back(scene: np.ndarray, shifts: tuple[tuple[int, int], ...]) -> None:
    scene = mixed(scene)
    red, green, blue = expose(scene, shifts)
    assert [find_shift(one, green) for one in (red, green, blue)] == [(-d, -r) for d, r in shifts]
    image = combine_plates(red, green, blue)
    downs, rights = ([-by for by in axis] for axis in zip(*shifts, strict=True))
    rows, columns = green.shape
    shared = scene[
        :,
        MARGIN + max(0, *downs) : MARGIN + rows + min(0, *downs),
        MARGIN + max(0, *rights) : MARGIN + columns + min(0, *rights),
    ]
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, shared.astype(np.float32))


def test_frames_and_noise_of_the_plates_do_not_count(scene: np.ndarray) -> None:
    plates = expose(mixed(scene), ((4, 2), (0, 0), (-3, 6)))
    rng = np.random.default_rng(1)
    for plate in plates:
        plate += 0.05 * rng.normal(size=plate.shape)
        plate.clip(0, 1, out=plate)
        plate[:5], plate[-5:], plate[:, :4], plate[:, -4:] = 0, 1, 0, 1
    assert [find_shift(one, plates[1]) for one in plates] == [(-4, -2), (0, 0), (3, -6)]


def test_a_plate_without_light_stays_where_it_is(scene: np.ndarray) -> None:
    red, green, _ = expose(scene, ((0, 0),) * 3)
    image = combine_plates(red * 0, green, green)
    np.testing.assert_array_equal(image, np.stack([red * 0, green, green]).astype(np.float32))


@pytest.mark.parametrize(
    ("red", "message"),
    [
        (np.zeros((20, 30)), r"green has the shape \(20, 20\), expected \(rows, columns\), the same for all"),
        (np.zeros((3, 20, 20)), r"red has the shape \(3, 20, 20\), expected"),
        (np.zeros((20, 4)), r"red has the shape \(20, 4\), expected .* each at least 8"),
        (np.full((20, 20), 200), r"red is 200\.0, expected a number from 0 to 1"),
        (np.full((20, 20), np.nan), "red is nan, expected a number from 0 to 1"),
    ],
)
def test_plates_that_do_not_fit(red: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        combine_plates(red, np.zeros((20, 20)), np.zeros((20, 20)))
