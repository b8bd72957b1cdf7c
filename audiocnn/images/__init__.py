"""Image files <-> pixels, as `audio` for sound; and what pixels mean: colour spaces, plates of filters.

Conventions: pixels are float32 (3, rows, columns) from 0 to 1, in the colours of the file's own profile,
which is kept; images in CMYK and CIELAB are converted to sRGB. Of an animation the first frame is read, which
is told. What a file holds counts, not its suffix. Pillow reads and writes the files.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import PIL.Image
from PIL import ImageCms, ImageOps, UnidentifiedImageError

from audiocnn import files, inputs, plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from audiocnn.images.colours import COLOUR_SPACES, convert
    from audiocnn.images.plates import combine_plates, find_shift

__all__ = [
    "COLOUR_SPACES",
    "SUFFIXES",
    "Image",
    "check_suffix",
    "combine_plates",
    "convert",
    "crop_center",
    "crop_transparent",
    "fill_transparent",
    "find_images",
    "find_shift",
    "plot_images",
    "read_image",
    "with_pixels",
    "write_image",
]

# Imported when first used: torch and SciPy take seconds, which those who only read files need not wait for.
_HOME = {"COLOUR_SPACES": "colours", "convert": "colours", "combine_plates": "plates", "find_shift": "plates"}

Pixels = TypeVar("Pixels", "np.ndarray", "Tensor")

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")  # that are written
# That are read, by Pillow's names: those of photographs and drawings. Its other readers stay out of use.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MAX_PIXELS = 80_000_000  # a gigabyte of floats; from 90 million on Pillow warns of decompression bombs
WITHOUT_ALPHA = (".jpg", ".jpeg", ".bmp")
QUALITY = 95  # of JPEG and WebP, of 100
SIDE_INCHES = 3.4  # of an image among others in a figure
OPAQUE = 0.5  # opacity from which a pixel's colour is taken for pixels that are transparent
N_PREFIX = 16  # bytes by which Pillow tells formats apart


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


@dataclass(frozen=True)
class Image:
    """An image in memory.

    Args:
        pixels: RGB values, (3, rows, columns) from 0 to 1.
        alpha: opacity of each pixel, (1, rows, columns) from 0 to 1; None where all are opaque.
        profile: the ICC profile of the colours; sRGB when None.

    Raises:
        ValueError: the arrays have other shapes or no pixels, or hold values that are not finite.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None

    def __post_init__(self) -> None:
        _check_array("pixels", self.pixels, (3, *self.pixels.shape[1:3]))
        if self.alpha is not None:
            _check_array("alpha", self.alpha, (1, *self.size))

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pixels.shape[1], self.pixels.shape[2]


def _check_array(name: str, values: np.ndarray, shape: tuple[int, ...]) -> None:
    if values.ndim != 3 or values.shape != shape or not values.size:
        expected = f"({', '.join(map(str, shape))})" if name == "alpha" else "(3, rows, columns)"
        raise ValueError(f"{name} have the shape {values.shape}, expected {expected}")
    if not (finite := np.isfinite(values)).all():
        channel, row, column = np.argwhere(~finite)[0]
        value = values[channel, row, column]
        raise ValueError(f"{name} are {value} in row {row}, column {column}, expected numbers from 0 to 1")


def read_image(path: str | os.PathLike) -> Image:
    """Read an image file.

    Args:
        path: a file of one of `FORMATS`.

    Returns:
        The image, rotated as its EXIF orientation says.

    Raises:
        FileError: there is no file, it is damaged or no image, of another format, has more than `MAX_PIXELS`
            or a value that is not finite, or memory does not suffice.
    """
    path = Path(path)
    files.check_regular(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of decompression bombs, an error below; of metadata, not needed
            with PIL.Image.open(path, formats=FORMATS) as image:
                _check_size(path, image)
                converted = _convert(ImageOps.exif_transpose(image))
                n_frames = _count_frames(image)
    except UnidentifiedImageError as error:
        raise files.FileError(path, f"{_identify(path)}, expected one of {', '.join(FORMATS)}") from error
    except PIL.Image.DecompressionBombError as error:
        numbers = str(error).partition(",")[0]  # how many pixels it has, and the most that Pillow reads
        raise files.FileError(path, f"more pixels than can be read: {numbers}") from error
    except MemoryError as error:
        raise files.FileError(path, "is too large for the memory that is free") from error
    except files.FileError:
        raise
    except OSError as error:
        raise files.FileError(path, error.strerror or error) from error
    except Exception as error:  # of damaged files Pillow may raise anything
        raise files.FileError(path, f"damaged: {error}") from error
    if n_frames > 1:
        files.warn(path, [f"frame 1 of {n_frames} is read"])
    return converted


def _check_size(path: Path, image: PIL.Image.Image) -> None:
    """Check the size that the header tells, before any pixel is read."""
    rows, columns = image.height, image.width
    if not 0 < rows * columns <= MAX_PIXELS:
        millions = MAX_PIXELS // 1_000_000
        raise files.FileError(path, f"has {columns} × {rows} pixels, expected 1 to {millions} million")


def _count_frames(image: PIL.Image.Image) -> int:
    if image.format == "MPO":  # a JPEG with a smaller copy or a map of depths
        return 1
    try:
        return getattr(image, "n_frames", 1)
    except Exception:  # frames after the first may be damaged
        return 1


def _identify(path: Path) -> str:
    """Say what a file holds, by its first bytes alone."""
    with path.open("rb") as file:
        prefix = file.read(N_PREFIX).ljust(N_PREFIX, b"\0")  # Pillow's plugins expect so many
    PIL.Image.init()
    accepting = ((name, accepts) for name, (_, accepts) in PIL.Image.OPEN.items() if accepts)
    found = next((name for name, accepts in accepting if accepts(prefix) is True), None)
    if found in FORMATS:
        return f"damaged {found}"
    return f"holds {found}" if found else "no image"


def _convert(image: PIL.Image.Image) -> Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        levels = np.asarray(image, np.float32)
        finite = levels[np.isfinite(levels)]  # `Image` refuses others, and names the place
        highest = 65535 if image.mode.startswith("I") else max(float(finite.max(initial=0)), 1.0)
        scaled = levels / highest
        np.clip(scaled, 0, 1, out=scaled, where=np.isfinite(scaled))
        return Image(np.repeat(scaled[None], 3, axis=0), profile=profile)
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
    if profile is not None or image.mode == "LAB":
        try:
            lab = ImageCms.createProfile("LAB")
            source = lab if image.mode == "LAB" else ImageCms.ImageCmsProfile(io.BytesIO(profile or b""))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            return converted or image.convert("RGB")
        except ImageCms.PyCMSError:
            pass
    return image.convert("RGB")


def fill_transparent(image: Image) -> Image:
    """Replace the colours of transparent pixels, which nobody sees, by those of the nearest opaque pixels.

    Colours of pixels that are transparent in part are blended with these.

    Args:
        image: any image.

    Returns:
        The image with other pixels, which do not depend on hidden colours; the same where all are opaque.

    Raises:
        ValueError: it is transparent everywhere.
    """
    if image.alpha is None or image.alpha.min() == 1:
        return image
    if not image.alpha.max():
        raise ValueError("the image is transparent everywhere, expected some pixels that are not")
    from scipy.ndimage import distance_transform_edt

    opaque = image.alpha[0] >= min(OPAQUE, image.alpha.max())
    rows, columns = np.asarray(distance_transform_edt(~opaque, return_distances=False, return_indices=True))
    colours = image.pixels[:, rows, columns]
    return replace(image, pixels=(colours + image.alpha * (image.pixels - colours)).astype(np.float32))


def crop_transparent(image: Image) -> Image:
    """Crop the transparent margins of an image.

    Args:
        image: any image that is not transparent everywhere.

    Returns:
        The smallest rectangle that holds all pixels which are opaque in part.
    """
    if image.alpha is None:
        return image
    rows, columns = (np.flatnonzero(image.alpha[0].any(axis=axis)) for axis in (1, 0))
    kept = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return replace(image, pixels=image.pixels[:, *kept], alpha=image.alpha[:, *kept])


def write_image(image: Image, path: str | os.PathLike) -> None:
    """Write an image, with its profile, and its transparency where the format of the suffix has any.

    Other formats have it on white, which is told.

    Args:
        image: image to write.
        path: file to write, with one of `SUFFIXES`.

    Raises:
        FileError: the suffix is none of `SUFFIXES`, or the file cannot be written.
    """
    path = Path(path)
    check_suffix(path)
    levels = [image.pixels]
    if image.alpha is not None and path.suffix.lower() in WITHOUT_ALPHA:
        levels = [image.pixels * image.alpha + (1 - image.alpha)]
        files.warn(path, ["its format has no transparency: what is transparent is white"])
    elif image.alpha is not None:
        levels.append(image.alpha)
    pixels = (np.concatenate(levels).clip(0, 1) * 255).round().astype(np.uint8)
    settings: dict[str, Any] = {"icc_profile": image.profile} if image.profile else {}
    if path.suffix.lower() in (".jpg", ".jpeg", ".webp"):
        settings["quality"] = QUALITY
    with files.write_atomically(path) as partial:
        try:
            PIL.Image.fromarray(pixels.transpose(1, 2, 0)).save(partial, **settings)
        except ValueError as error:  # more pixels than the format can have
            raise files.FileError(path, error) from error


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


def make_square(image: Image, size: int) -> Tensor:
    """Crop the square in the middle of an image, and resize it: the form in which networks classify images.

    Transparent pixels have the colours of the nearest opaque ones.

    Args:
        image: any image.
        size: side of the result, in pixels.

    Returns:
        Pixels, (3, size, size) from 0 to 1.

    Raises:
        ValueError: the image is transparent everywhere.
    """
    import torch
    from torch.nn import functional

    pixels = torch.from_numpy(fill_transparent(image).pixels)
    middle = crop_center(pixels, min(image.size))[None]
    if middle.shape[-1] != size:
        middle = functional.interpolate(middle, size=(size, size), mode="bicubic", antialias=True)
    return middle[0].clamp(0, 1)


def read_square(path: str | os.PathLike, size: int) -> Tensor:
    """Read an image file as `make_square` makes it.

    Args:
        path: a file of one of `FORMATS`.
        size: side of the result, in pixels.

    Returns:
        Pixels, (3, size, size) from 0 to 1.

    Raises:
        FileError: as of `read_image`, or the image is transparent everywhere.
    """
    try:
        return make_square(read_image(path), size)
    except ValueError as error:
        raise files.FileError(path, error) from error


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
