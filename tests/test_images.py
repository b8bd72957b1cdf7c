"""Image files: every kind comes out right, with its colours, and damaged ones in one line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from audiocnn import files, images

RED = np.array([1.0, 0, 0], np.float32)
ROWS, COLUMNS = 6, 9


def sample(mode: str = "RGB") -> Image.Image:
    """Red above, black below."""
    image = Image.new("RGB", (COLUMNS, ROWS), "black")
    image.paste("red", (0, 0, COLUMNS, ROWS // 2))
    return image.convert(mode)


def test_rows_columns_and_values(tmp_path: Path) -> None:
    sample().save(tmp_path / "a.png")
    image = images.read_image(tmp_path / "a.png")
    assert image.size == (ROWS, COLUMNS) and image.pixels.dtype == np.float32
    assert (image.pixels[:, 0, 0] == RED).all() and not image.pixels[:, -1].any()
    assert image.alpha is None and image.profile is None


@pytest.mark.parametrize(
    ("mode", "suffix"), [("P", ".png"), ("RGBA", ".png"), ("CMYK", ".jpg"), ("P", ".gif")]
)
def test_modes_with_colour(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    sample(mode).save(path)
    np.testing.assert_allclose(images.read_image(path).pixels[:, 0, 0], RED, atol=0.02)


def test_grey_is_the_same_in_all_channels(tmp_path: Path) -> None:
    sample("L").save(tmp_path / "a.png")
    pixels = images.read_image(tmp_path / "a.png").pixels
    assert pixels.shape == (3, ROWS, COLUMNS) and np.ptp(pixels, axis=0).max() == 0
    assert pixels[0, 0, 0] == pytest.approx(76 / 255)


def test_sixteen_bits(tmp_path: Path) -> None:
    Image.fromarray(np.full((ROWS, COLUMNS), 40_000, np.uint16)).save(tmp_path / "a.png")
    assert images.read_image(tmp_path / "a.png").pixels == pytest.approx(40_000 / 65_535)


def test_transparency_is_kept(tmp_path: Path) -> None:
    image = sample("RGBA")
    image.putalpha(Image.fromarray(np.full((ROWS, COLUMNS), 51, np.uint8)))
    image.save(tmp_path / "a.png")
    image = images.read_image(tmp_path / "a.png")
    assert image.alpha == pytest.approx(0.2)
    images.write_image(image, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as written:
        assert written.getpixel((0, 0)) == (255, 0, 0, 51)
    images.write_image(image, tmp_path / "b.jpg")
    with Image.open(tmp_path / "b.jpg") as written:
        assert written.mode == "RGB"


def test_a_camera_held_sideways(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the first row is what was on the right
    sample().save(tmp_path / "a.jpg", exif=exif, quality=95)
    image = images.read_image(tmp_path / "a.jpg")
    assert image.size == (COLUMNS, ROWS)
    np.testing.assert_allclose(image.pixels[:, 0, -1], RED, atol=0.1)
    np.testing.assert_allclose(image.pixels[:, 0, 0], 0, atol=0.1)


def test_the_profile_is_kept(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    sample().save(tmp_path / "a.png", icc_profile=profile)
    images.write_image(images.read_image(tmp_path / "a.png"), tmp_path / "b.jpg")
    with Image.open(tmp_path / "b.jpg") as written:
        assert written.info["icc_profile"] == profile


def test_an_image_that_moves_stands_still(tmp_path: Path) -> None:
    sample("P").save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("P", (COLUMNS, ROWS))])
    np.testing.assert_allclose(images.read_image(tmp_path / "a.gif").pixels[:, 0, 0], RED, atol=0.02)


def test_one_pixel(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), "white").save(tmp_path / "a.png")
    assert images.read_image(tmp_path / "a.png").pixels.tolist() == [[[1.0]], [[1.0]], [[1.0]]]


def test_too_many_pixels(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "a.png")
    with pytest.raises(files.FileError, match="more pixels than can be read"):
        images.read_image(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"la la la", "no image, expected one of .bmp"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "no image|damaged"),
    ],
)
def test_what_is_no_image(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(files.FileError, match=reason):
        images.read_image(tmp_path / "a.png")


def test_cut_short(tmp_path: Path) -> None:
    sample().resize((300, 300)).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(files.FileError, match="truncated"):
        images.read_image(tmp_path / "a.jpg")


def test_other_pixels_take_transparency_along(tmp_path: Path) -> None:
    alpha = np.linspace(0, 1, ROWS * COLUMNS, dtype=np.float32).reshape(1, ROWS, COLUMNS)
    image = images.Image(np.zeros((3, ROWS, COLUMNS), np.float32), alpha)
    resized = images.with_pixels(image, np.ones((3, 2 * ROWS, 2 * COLUMNS), np.float32))
    assert resized.alpha is not None and resized.alpha.shape == (1, 2 * ROWS, 2 * COLUMNS)
    assert resized.alpha[0, 0, 0] < 0.02 and resized.alpha[0, -1, -1] > 0.98


def test_wrong_suffix(tmp_path: Path) -> None:
    with pytest.raises(files.FileError, match=r"suffix is '.mp3', expected one of .bmp"):
        images.write_image(images.Image(np.zeros((3, 2, 2), np.float32)), tmp_path / "a.mp3")


def test_find_images(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.png", "deep/a.JPG", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in images.find_images(tmp_path)] == ["b.png", "a.JPG"]
    assert [*images.find_images(tmp_path / "b.png")] == [tmp_path / "b.png"]
    with pytest.raises(files.FileError, match="No such file or directory"):
        [*images.find_images(tmp_path / "none")]


def test_plot_images() -> None:
    halves = {name: images.Image(np.full((3, 2, 4), level)) for name, level in (("a", 0.0), ("b", 1.0))}
    figure = images.plot_images(halves, columns=3)
    drawn = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title("left") for axes in drawn] == ["a", "b"]
    assert [np.unique(axes.images[0].get_array()).tolist() for axes in drawn] == [[0.0], [1.0]]
