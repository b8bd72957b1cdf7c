"""Kernels known and not learnt: blurs, edges, waves; as tensors, as layers, and as a first layer's weights.

Conventions: a kernel is (frames,) or (bins, frames), of odd sizes, and is laid over the map as it is, as
torch's convolutions do (a correlation). `kernel` names them all. In 1-D and 2-D there are box, binomial,
gaussian, sharpen and gabor; in 1-D alone difference and second_difference; in 2-D alone their counterparts,
which have a direction or neighbours to choose: sobel_x, sobel_y, edges_4 and edges_8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from audiocnn.blocks.arguments import choose, only_dims, per_axis
from audiocnn.blocks.conv import CONVOLVE
from audiocnn.blocks.padding import PADDING_MODES, check_sizes, least_sizes, pad, pad_sides


def _odd(size: int) -> int:
    if size < 1 or size % 2 == 0:
        raise ValueError(f"size is {size}, expected an odd number")
    return size


def _positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if number <= 0:
            raise ValueError(f"{name} is {number}, expected more than 0")


def _along_all_axes(row: Tensor, dims: int) -> Tensor:
    """The row, or the product of it in bins and in frames."""
    per_axis(1, dims, "dims")
    return row if dims == 1 else torch.outer(row, row)


def box(size: int = 3, *, dims: int) -> Tensor:
    """The mean of all cells."""
    return _along_all_axes(torch.full((_odd(size),), 1 / size), dims)


def binomial(size: int = 3, *, dims: int) -> Tensor:
    """The weighted blur, in which near cells count more: of 3 by 3, 1 2 1 / 2 4 2 / 1 2 1 sixteenths."""
    row = torch.tensor([math.comb(size - 1, i) for i in range(_odd(size))]) / 2 ** (size - 1)
    return _along_all_axes(row, dims)


def gaussian(sigma: float = 1.0, size: int | None = None, *, dims: int) -> Tensor:
    """The blur by a normal distribution of `sigma` cells, in sum 1; by default as far as 4 sigma."""
    _positive(sigma=sigma)
    size = 2 * int(4 * sigma + 0.5) + 1 if size is None else size
    row = torch.exp(-_places(size).square() / (2 * sigma**2))
    return _along_all_axes(row / row.sum(), dims)


def second_difference(*, dims: int) -> Tensor:
    """Twice a cell less its two neighbours; 1-D alone, in 2-D see edges_4 and edges_8."""
    return _only(dims, 1, "second_difference", [-1, 2, -1])


def edges_4(*, dims: int) -> Tensor:
    """Four times a cell less its four neighbours; 2-D alone, in 1-D see second_difference."""
    return _only(dims, 2, "edges_4", [[0, -1, 0], [-1, 4, -1], [0, -1, 0]])


def edges_8(*, dims: int) -> Tensor:
    """Eight times a cell less its eight neighbours; 2-D alone, in 1-D see second_difference."""
    return _only(dims, 2, "edges_8", [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])


def sharpen(*, dims: int) -> Tensor:
    """A cell and what it has over its neighbours: the identity and second_difference or edges_4."""
    kernel = second_difference(dims=1) if dims == 1 else edges_4(dims=dims)
    kernel[(1,) * dims] += 1
    return kernel


def difference(*, dims: int) -> Tensor:
    """What comes after a cell less what is before it; 1-D alone, in 2-D see sobel_x and sobel_y."""
    return _only(dims, 1, "difference", [-1, 0, 1])


def sobel_x(*, dims: int) -> Tensor:
    """How much a map grows in time, of three bins; 2-D alone, in 1-D see difference."""
    return _only(dims, 2, "sobel_x", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])


def sobel_y(*, dims: int) -> Tensor:
    """How much a map grows from bin to bin, of three frames; 2-D alone, in 1-D see difference."""
    return _only(dims, 2, "sobel_y", [[-1, -2, -1], [0, 0, 0], [1, 2, 1]])


def gabor(
    size: int = 15,
    *,
    dims: int,
    wavelength: float = 6.0,
    sigma: float = 3.0,
    phase: float = 0.0,
    angle: float = 0.0,
    aspect: float = 1.0,
) -> Tensor:
    """A wave under a bell: it answers to waves of its length, and in 2-D of its direction.

    Raises: ValueError when a length is not above 0, or an angle or aspect is asked for in 1-D.
    Source: Gabor, "Theory of communication", 1946; in 2-D Daugman, "Uncertainty relation for resolution in
    space, spatial frequency, and orientation", 1985.

    Args:
        wavelength: in cells.
        sigma: of the bell, in cells.
        phase: of the wave in the middle, in radians: 0 is a crest.
        angle: of the wave's way, in radians: 0 is along time, pi / 2 from bin to bin.
        aspect: of the bell: above 1 it is shorter across the wave's way.
    """
    per_axis(1, dims, "dims")
    _positive(wavelength=wavelength, sigma=sigma, aspect=aspect)
    places = _places(size)
    if dims == 1:
        if angle or aspect != 1:
            raise ValueError(f"angle and aspect are {angle} and {aspect}, expected 0 and 1 in 1-D")
        along, across = places, torch.zeros(1)
    else:
        bins, frames = places[:, None], places[None]
        along = frames * math.cos(angle) + bins * math.sin(angle)
        across = bins * math.cos(angle) - frames * math.sin(angle)
    bell = torch.exp(-(along.square() + (aspect * across).square()) / (2 * sigma**2))
    return bell * torch.cos(2 * math.pi * along / wavelength + phase)


def _places(size: int) -> Tensor:
    """Cells from the middle: -1, 0 and 1 for a size of 3."""
    return torch.arange(_odd(size)) - float(size // 2)


def _only(dims: int, theirs: int, name: str, rows: list) -> Tensor:
    only_dims(dims, theirs, f"{name} exists in {theirs}-D alone")
    return torch.tensor(rows, dtype=torch.float32)


KERNELS: dict[str, Callable[..., Tensor]] = {
    function.__name__: function
    for function in (
        box,
        binomial,
        gaussian,
        sharpen,
        second_difference,
        edges_4,
        edges_8,
        difference,
        sobel_x,
        sobel_y,
        gabor,
    )
}


def kernel(name: str, *, dims: int, **arguments: float) -> Tensor:
    """The kernel of this name, with the arguments of its function.

    Raises: ValueError when there is none of this name, or not in so many dimensions.
    """
    return choose(KERNELS, name, "kernel")(dims=dims, **arguments)


class FixedConv(nn.Module):
    """Each channel under each of some kernels, which training leaves alone.

    Shape: (batch, channels, ..., frames) -> (batch, channels * n_kernels, ..., frames): channel by channel,
    in it kernel by kernel.
    Raises: ValueError when there are no kernels, or of different or even sizes.

    Args:
        kernels: all of one size.
        padding_mode: what stands beside the map: zeros, replicate (its edge), reflect (without its edge) or
            circular.
    """

    def __init__(self, kernels: Sequence[Tensor], *, padding_mode: str = "zeros") -> None:
        super().__init__()
        sizes = {tuple(kernel.shape) for kernel in kernels}
        if len(sizes) != 1:
            raise ValueError(f"the kernels' sizes are {sorted(sizes)}, expected one size")
        choose(PADDING_MODES, padding_mode, "padding_mode")
        (self.kernel_size,) = sizes
        self.padding_mode, self.dims = padding_mode, len(self.kernel_size)
        self.sides = pad_sides("same", self.kernel_size, (1,) * self.dims)
        self.least = least_sizes(self.sides, self.kernel_size, (1,) * self.dims, padding_mode)
        self.kernels: Tensor
        self.register_buffer("kernels", torch.stack(list(kernels)).unsqueeze(1))

    def forward(self, x: Tensor) -> Tensor:
        check_sizes(tuple(x.shape[2:]), self.least)
        channels = x.shape[1]
        weight = self.kernels.repeat(channels, *[1] * (self.dims + 1))
        return CONVOLVE[self.dims](pad(x, self.sides, self.padding_mode), weight, groups=channels)


def set_kernels(conv: nn.Conv1d | nn.Conv2d, kernels: Sequence[Tensor]) -> None:
    """Sets a convolution's weights by hand: output channel i becomes kernel i over the mean of the input's.

    Smaller kernels stand in the middle; their biases become 0; channels beyond the kernels stay as they are.
    Raises: ValueError when there are more kernels than channels, or one does not fit into the convolution's.
    """
    size = tuple(conv.kernel_size)
    if len(kernels) > conv.out_channels:
        raise ValueError(
            f"there are {len(kernels)} kernels, expected at most {conv.out_channels}, out_channels"
        )
    for kernel in kernels:
        own = tuple(kernel.shape)
        if len(own) != len(size) or any(n > m or (m - n) % 2 for n, m in zip(own, size, strict=True)):
            raise ValueError(f"a kernel has the size {own}, expected to fit in the middle of {size}")
    with torch.no_grad():
        conv.weight[: len(kernels)] = 0
        for weight, kernel in zip(conv.weight, kernels, strict=False):
            middle = [slice((m - n) // 2, (m + n) // 2) for n, m in zip(kernel.shape, size, strict=True)]
            weight[(..., *middle)] = kernel / conv.weight.shape[1]
        if conv.bias is not None:
            conv.bias[: len(kernels)] = 0
