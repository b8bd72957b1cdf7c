"""Reading and writing image files, for style transfer; `audio` does the same for sound.

Conventions: pixels are float32 (3, rows, columns) from 0 to 1, in the colours of the file's own profile,
which is kept; images in CMYK are converted to sRGB by theirs. Of an animation the first frame is read. Pillow
reads and writes the files.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import PIL.Image
from PIL import ImageCms, ImageOps, UnidentifiedImageError

from audiocnn import files, inputs, plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

Pixels = TypeVar("Pixels", "np.ndarray", "Tensor")

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
MAX_PIXELS = 80_000_000  # a gigabyte of floats; from 90 million on Pillow warns of decompression bombs
WITHOUT_ALPHA = (".jpg", ".jpeg", ".bmp")
QUALITY = 95  # of JPEG and WebP, of 100
SIDE_INCHES = 3.4  # of an image among others in a figure


@dataclass(frozen=True)
class Image:
    """An image in memory.

    Args:
        pixels: RGB values, (3, rows, columns) from 0 to 1.
        alpha: opacity of each pixel, (1, rows, columns) from 0 to 1; None where all are opaque.
        profile: the ICC profile of the colours; sRGB when None.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pixels.shape[1], self.pixels.shape[2]


def read_image(path: str | os.PathLike) -> Image:
    """Read an image file.

    Args:
        path: a file that Pillow can read.

    Returns:
        The image, rotated as its EXIF orientation says.

    Raises:
        FileError: there is no file, it is damaged or no image, or has more than `MAX_PIXELS`.
    """
    path = Path(path)
    try:
        files.check_regular(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)  # an error below
            image = PIL.Image.open(path)
        with image:
            rows, columns = image.height, image.width
            if rows * columns > MAX_PIXELS:
                millions = MAX_PIXELS // 1_000_000
                reason = f"has {columns} × {rows} pixels, expected at most {millions} million"
                raise files.FileError(path, reason)
            return _convert(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise files.FileError(path, f"no image, expected one of {', '.join(SUFFIXES)}") from error
    except PIL.Image.DecompressionBombError as error:
        numbers = str(error).partition(",")[0]  # how many pixels it has, and the most that Pillow reads
        raise files.FileError(path, f"more pixels than can be read: {numbers}") from error
    except OSError as error:
        raise files.FileError(path, error.strerror or error) from error
    except (ValueError, SyntaxError) as error:  # as Pillow says of damaged files
        raise files.FileError(path, f"damaged: {error}") from error


def _convert(image: PIL.Image.Image) -> Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        levels = np.asarray(image, np.float32)
        highest = 65535 if image.mode.startswith("I") else max(float(levels.max(initial=0)), 1.0)
        return Image(np.repeat((levels / highest).clip(0, 1)[None], 3, axis=0), profile=profile)
    if image.mode in ("CMYK", "LAB", "YCbCr", "HSV"):
        image, profile = _rgb(image, profile), None
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"), np.float32)[None] / 255
    levels = np.asarray(image.convert("RGB"), np.float32) / 255
    return Image(np.ascontiguousarray(levels.transpose(2, 0, 1)), alpha, profile)


def _rgb(image: PIL.Image.Image, profile: bytes | None) -> PIL.Image.Image:
    """The image in sRGB, by its profile where it has one that fits."""
    if profile is not None:
        try:
            source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            return converted or image.convert("RGB")
        except ImageCms.PyCMSError:
            pass
    return image.convert("RGB")


def write_image(image: Image, path: str | os.PathLike) -> None:
    """Write an image, with its profile, and its transparency where the format of the suffix has any.

    Args:
        image: image to write.
        path: file to write, with one of `SUFFIXES`.

    Raises:
        FileError: the suffix is none of `SUFFIXES`, or the file cannot be written.
    """
    path = Path(path)
    check_suffix(path)
    levels = [image.pixels]
    if image.alpha is not None and path.suffix.lower() not in WITHOUT_ALPHA:
        levels.append(image.alpha)
    pixels = (np.concatenate(levels).clip(0, 1) * 255).round().astype(np.uint8)
    settings: dict[str, Any] = {"icc_profile": image.profile} if image.profile else {}
    if path.suffix.lower() in (".jpg", ".jpeg", ".webp"):
        settings["quality"] = QUALITY
    with files.write_atomically(path) as partial:
        PIL.Image.fromarray(pixels.transpose(1, 2, 0)).save(partial, **settings)


def check_suffix(path: Path) -> None:
    """Check that an image can be written to a file of this suffix.

    Args:
        path: file to write.

    Raises:
        FileError: the suffix is none of `SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise files.FileError(path, f"suffix is {path.suffix!r}, expected one of {', '.join(SUFFIXES)}")


def with_pixels(image: Image, pixels: np.ndarray) -> Image:
    """Replace the pixels of an image; its alpha channel is resized to match.

    Args:
        image: image whose alpha channel and profile are kept.
        pixels: (3, rows, columns) from 0 to 1.

    Returns:
        The new image.
    """
    if image.alpha is None or pixels.shape[1:] == image.size:
        return replace(image, pixels=pixels)
    alpha = PIL.Image.fromarray(image.alpha[0]).resize(pixels.shape[:0:-1], PIL.Image.Resampling.BICUBIC)
    return replace(image, pixels=pixels, alpha=np.asarray(alpha)[None].clip(0, 1))


def crop_center(pixels: Pixels, side: int) -> Pixels:
    """Crop the central square of an image.

    Args:
        pixels: (..., rows, columns).
        side: side of the square, in pixels.

    Returns:
        (..., side, side), a view.
    """
    top, left = ((n - side) // 2 for n in pixels.shape[-2:])
    return pixels[..., top : top + side, left : left + side]


def plot_images(titled: Mapping[str, Image], columns: int = 4) -> Figure:
    """Plot images side by side, each under its title.

    Args:
        titled: the images by their titles.
        columns: images in a row.

    Returns:
        The figure.
    """
    rows = -(-len(titled) // columns)
    figure, grid = plots.make_figure(SIDE_INCHES * columns, 0.8 * SIDE_INCHES * rows, rows, columns)
    for axes in grid:
        axes.axis("off")
    for axes, (name, image) in zip(grid, titled.items(), strict=False):
        axes.imshow(image.pixels.transpose(1, 2, 0))
        axes.set_title(name, loc="left", fontsize=10)
    return figure


def find_images(path: str | os.PathLike) -> inputs.Found:
    """Find the image files of a folder and the folders in it.

    Args:
        path: a folder; or a file, which is found whatever its name.

    Returns:
        The files, and what was passed over: files of other kinds, hidden ones, results of audiocnn, and what
        cannot be read.

    Raises:
        FileError: there is no such path, or no image in the folder.
    """
    return inputs.find_files(path, SUFFIXES, "image")
