"""Image files: every kind comes out right, with its colours, and damaged ones in one line."""

import contextlib
import os
import random
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageColor

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
    with pytest.warns(files.FileWarning, match=r"b\.jpg: its format has no transparency: what is .* white"):
        images.write_image(image, tmp_path / "b.jpg")
    with Image.open(tmp_path / "b.jpg") as written:
        assert written.mode == "RGB"
        np.testing.assert_allclose(written.getpixel((0, 0)), (255, 204, 204), atol=3)


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
    for suffix in (".gif", ".webp", ".png", ".tif"):
        path = tmp_path / f"a{suffix}"
        sample().save(
            path,
            save_all=True,
            append_images=[Image.new("RGB", (COLUMNS, ROWS), c) for c in ("white", "blue")],
        )
        with pytest.warns(files.FileWarning, match=rf"a{suffix}: frame 1 of 3 is read"):
            image = images.read_image(path)
        np.testing.assert_allclose(image.pixels[:, 0, 0], RED, atol=0.1)


def test_one_pixel(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), "white").save(tmp_path / "a.png")
    assert images.read_image(tmp_path / "a.png").pixels.tolist() == [[[1.0]], [[1.0]], [[1.0]]]


@pytest.mark.parametrize(
    ("suffix", "size"),
    [
        *(
            (suffix, size)
            for suffix in (".png", ".gif", ".bmp")
            for size in ((9_000, 9_000), (20_000, 20_000))
        ),
        (".png", (80_000_001, 1)),
        (".tif", (9_000, 9_000)),
    ],
)
def test_too_many_pixels(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    """Headers that ask for them are refused; nothing is allocated."""
    path = tmp_path / f"a{suffix}"
    Image.new("1", (8, 8)).convert("L" if suffix == ".gif" else "1").save(path)
    small = path.read_bytes()
    places = {".png": (16, ">II"), ".gif": (6, "<HH"), ".bmp": (18, "<ii")}
    if suffix == ".tif":
        Image.new("1", size).save(path, compression="group4")  # a few kilobytes
    else:
        place, layout = places[suffix]
        numbers = struct.pack(layout, *size)
        changed = bytearray(small)
        changed[place : place + len(numbers)] = numbers
        if suffix == ".png":
            changed[29:33] = struct.pack(">I", zlib.crc32(bytes(changed[12:29])))
        path.write_bytes(bytes(changed))
    with pytest.raises(files.FileError, match=r"has \d+ × \d+ pixels, expected 1 to 80 million|more pixels"):
        images.read_image(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"la la la", "no image, expected one of AVIF, BMP"),
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


@pytest.mark.parametrize(
    ("mode", "suffix"), [("RGBA", ".png"), ("LA", ".png"), ("PA", ".tif"), ("P", ".gif")]
)
def test_hidden_colours_are_not_seen(tmp_path: Path, mode: str, suffix: str) -> None:
    """Images that differ where they are transparent are the same once they are filled."""
    filled = []
    for colour in ("lime", "blue"):
        image = Image.new("RGBA", (12, 8), (200, 100, 50, 255))
        image.paste((*ImageColor.getrgb(colour), 0), (0, 0, 5, 8))
        path = tmp_path / f"{colour}{suffix}"
        if mode == "P":
            indexed = image.convert("RGB").quantize(4)
            indexed.info["transparency"] = indexed.getpixel((0, 0))
            indexed.save(path, transparency=indexed.getpixel((0, 0)))
        else:
            image.convert(mode).save(path)
        read = images.read_image(path)
        assert read.alpha is not None and not read.alpha[..., :5].any() and read.alpha[..., 5:].all()
        filled.append(images.fill_transparent(read))
        assert images.crop_transparent(read).size == (8, 7)
    np.testing.assert_allclose(filled[0].pixels, filled[1].pixels, atol=1e-6)
    np.testing.assert_allclose(filled[0].pixels[:, 0, 0], filled[0].pixels[:, 0, -1], atol=2 / 255)


def test_pixels_that_are_transparent_in_part() -> None:
    """The less is seen of a colour the less it counts, whatever it is."""
    pixels = np.zeros((3, 1, 4), np.float32)
    pixels[0, 0] = (1.0, 0.5, 0.0, 0.25)
    alpha = np.array([[[1.0, 0.5, 0.25, 0.0]]], np.float32)
    filled = images.fill_transparent(images.Image(pixels, alpha))
    np.testing.assert_allclose(filled.pixels[0, 0], (1, 0.5, 0.375, 0.5))
    with pytest.raises(ValueError, match="the image is transparent everywhere, expected some pixels"):
        images.fill_transparent(images.Image(pixels, alpha * 0))
    glass = images.fill_transparent(images.Image(pixels, np.full_like(alpha, 0.1)))
    np.testing.assert_allclose(glass.pixels, pixels)


def test_a_pixel_that_is_no_number(tmp_path: Path) -> None:
    for value in (np.nan, np.inf, -np.inf):
        levels = np.full((4, 6), 0.5, np.float32)
        levels[2, 3] = value
        Image.fromarray(levels).save(tmp_path / "a.tif")
        with pytest.raises(
            files.FileError, match=rf"a\.tif: .*pixels are {value} in row 2, column 3, expected"
        ):
            images.read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("pixels", "alpha", "message"),
    [
        (np.zeros((4, 4, 3)), None, r"pixels have the shape \(4, 4, 3\), expected \(3, rows, columns\)"),
        (np.zeros((4, 4)), None, r"pixels have the shape \(4, 4\), expected"),
        (np.zeros((3, 0, 4)), None, r"pixels have the shape \(3, 0, 4\), expected"),
        (np.zeros((3, 4, 4)), np.zeros((4, 4)), r"alpha have the shape \(4, 4\), expected \(1, 4, 4\)"),
        (np.full((3, 4, 4), np.nan), None, "pixels are nan in row 0, column 0"),
    ],
)
def test_arrays_that_are_no_image(pixels: np.ndarray, alpha: np.ndarray | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        images.Image(pixels, alpha)


@pytest.mark.parametrize("held", ["AVIF", "DDS", "ICO", "JPEG2000", "QOI"])
def test_the_content_counts(tmp_path: Path, held: str) -> None:
    """An image of another format than its suffix says is read, or what it holds is said."""
    sample("RGB").resize((32, 32)).save(tmp_path / "a.png", format=held)
    if held in images.FORMATS:
        np.testing.assert_allclose(images.read_image(tmp_path / "a.png").pixels[:, 2, 2], RED, atol=0.1)
        return
    with pytest.raises(files.FileError, match=f"(holds {held}|no image), expected one of AVIF, BMP"):
        images.read_image(tmp_path / "a.png")


def test_lab_and_one_bit(tmp_path: Path) -> None:
    lab = ImageCms.profileToProfile(
        sample(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    lab.save(tmp_path / "a.tif")
    np.testing.assert_allclose(images.read_image(tmp_path / "a.tif").pixels[:, 0, 0], RED, atol=0.03)
    sample("1").save(tmp_path / "b.png")
    assert set(np.unique(images.read_image(tmp_path / "b.png").pixels)) <= {0.0, 1.0}


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, Path.touch])
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "a.png")
    with pytest.raises(files.FileError, match=r"a\.png: is (a folder|a pipe|empty)"):
        images.read_image(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".tif", ".webp", ".bmp", ".avif"])
def test_damaged_files_are_one_line(tmp_path: Path, suffix: str) -> None:
    path, draw = tmp_path / f"a{suffix}", random.Random(0)
    sample().resize((40, 30)).save(path)
    whole = path.read_bytes()
    for _ in range(60):
        content = bytearray(whole[: draw.choice([len(whole), draw.randrange(1, len(whole))])])
        for _ in range(3):
            content[draw.randrange(len(content))] = draw.randrange(256)
        path.write_bytes(bytes(content))
        with contextlib.suppress(files.FileError), warnings.catch_warnings(action="ignore"):
            assert images.read_image(path).pixels.shape[0] == 3
