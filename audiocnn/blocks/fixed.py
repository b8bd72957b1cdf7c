"""Fixed kernels: blurs, edge detectors, Gabor filters; as tensors, as layers, and as a first layer's weights.

A kernel is (frames,) or (bins, frames), of odd sizes, and is laid over the feature map as it is, as torch's
convolutions do (a correlation). `create_kernel` knows them all by name. In 1-D and 2-D there are box,
binomial, gaussian, weighted_mean, sharpen and gabor; in 1-D alone difference and second_difference; in 2-D
alone their counterparts, which have a direction or neighbours to choose: sobel_x, sobel_y, laplacian,
edges_8 and sharpen_8. second_difference and laplacian have the sign of second derivatives: they are positive
where a value is below its neighbours; edges_8 has the opposite sign.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.blocks.arguments import choose, only_dims, to_tuple
from audiocnn.blocks.conv import CONVOLVE
from audiocnn.blocks.padding import check_mode, check_sizes, min_sizes, pad, pad_sides

Kernel = Float[Tensor, "..."]  # (frames,) or (bins, frames)

# The kernels that have no arguments: each in 1-D, in 2-D or in both.
CONSTANTS: dict[str, dict[int, list]] = {
    "weighted_mean": {
        1: [0.1, 0.2, 0.4, 0.2, 0.1],  # the nearer, the more
        2: [[0, 1 / 8, 0], [1 / 8, 4 / 8, 1 / 8], [0, 1 / 8, 0]],  # half a position, half its four neighbours
    },
    "difference": {1: [-1, 0, 1]},  # the next position less the one before
    "second_difference": {1: [1, -2, 1]},  # two neighbours less twice the position
    "sobel_x": {2: [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]},  # the gradient in time, smoothed over three bins
    "sobel_y": {2: [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]},  # the gradient over bins, over three frames
    "laplacian": {2: [[0, 1, 0], [1, -4, 1], [0, 1, 0]]},  # four neighbours less four times the position
    "edges_8": {2: [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]},  # eight times one less its eight neighbours
    "sharpen_8": {2: [[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]]},  # the identity plus edges_8
}


def _odd(size: int) -> int:
    if size < 1 or size % 2 == 0:
        raise ValueError(f"size is {size}, expected an odd number")
    return size


def _positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if number <= 0:
            raise ValueError(f"{name} is {number}, expected more than 0")


def _along_all_axes(row: Tensor, dims: int) -> Tensor:
    """Return the row, or its outer product with itself over bins and frames."""
    to_tuple(1, dims, "dims")
    return row if dims == 1 else torch.outer(row, row)


def box(size: int = 3, *, dims: int) -> Kernel:
    """Create a box kernel, the mean of all positions.

    Args:
        size: positions along each axis, an odd number.
        dims: 1 or 2.

    Returns:
        The kernel.

    Raises:
        ValueError: size is even, or dims is not 1 or 2.
    """
    return _along_all_axes(torch.full((_odd(size),), 1 / size), dims)


def binomial(size: int = 3, *, dims: int) -> Kernel:
    """Create a binomial blur, which approximates a Gaussian: of 3 by 3, 1 2 1 / 2 4 2 / 1 2 1 sixteenths.

    Args:
        size: positions along each axis, an odd number.
        dims: 1 or 2.

    Returns:
        The kernel.

    Raises:
        ValueError: size is even, or dims is not 1 or 2.
    """
    row = torch.tensor([math.comb(size - 1, i) for i in range(_odd(size))]) / 2 ** (size - 1)
    return _along_all_axes(row, dims)


def gaussian(sigma: float = 1.0, size: int | None = None, *, dims: int) -> Kernel:
    """Create a Gaussian blur; its values add up to 1.

    Args:
        sigma: standard deviation, in positions.
        size: positions along each axis, an odd number; to 4 sigma on both sides when None.
        dims: 1 or 2.

    Returns:
        The kernel.

    Raises:
        ValueError: sigma is not above 0, size is even, or dims is not 1 or 2.
    """
    _positive(sigma=sigma)
    size = 2 * int(4 * sigma + 0.5) + 1 if size is None else size
    row = torch.exp(-_offsets(size).square() / (2 * sigma**2))
    return _along_all_axes(row / row.sum(), dims)


def sharpen(*, dims: int) -> Kernel:
    """Create the identity less second_difference or laplacian: -1 3 -1, or 0 -1 0 / -1 5 -1 / 0 -1 0.

    Args:
        dims: 1 or 2.

    Returns:
        The kernel.

    Raises:
        ValueError: dims is not 1 or 2.
    """
    kernel = -_constant("second_difference" if dims == 1 else "laplacian", dims=dims)
    kernel[(1,) * dims] += 1
    return kernel


def gabor(
    size: int = 15,
    *,
    dims: int,
    wavelength: float = 6.0,
    sigma: float = 3.0,
    phase: float = 0.0,
    angle: float = 0.0,
    aspect: float = 1.0,
) -> Kernel:
    """Create a Gabor kernel, a sinusoid under a Gaussian: it responds to its wavelength and (2-D) direction.

    Args:
        size: positions along each axis, an odd number.
        dims: 1 or 2.
        wavelength: in positions.
        sigma: standard deviation of the Gaussian along the wave, in positions.
        phase: of the wave in the middle, in radians: 0 is a crest.
        angle: direction of the wave, in radians: 0 is along time, pi / 2 from bin to bin.
        aspect: of the Gaussian: above 1 it is narrower across the wave.

    Returns:
        The kernel.

    Raises:
        ValueError: a length is not above 0, size is even, or an angle or aspect is asked for in 1-D.

    Source:
        Gabor, "Theory of communication", 1946; in 2-D Daugman, "Uncertainty relation for resolution in space,
        spatial frequency, and orientation", 1985.
    """
    to_tuple(1, dims, "dims")
    _positive(wavelength=wavelength, sigma=sigma, aspect=aspect)
    offsets = _offsets(size)
    if dims == 1:
        if angle or aspect != 1:
            raise ValueError(f"angle and aspect are {angle} and {aspect}, expected 0 and 1 in 1-D")
        along, across = offsets, torch.zeros(1)
    else:
        bins, frames = offsets[:, None], offsets[None]
        along = frames * math.cos(angle) + bins * math.sin(angle)
        across = bins * math.cos(angle) - frames * math.sin(angle)
    gaussian = torch.exp(-(along.square() + (aspect * across).square()) / (2 * sigma**2))
    return gaussian * torch.cos(2 * math.pi * along / wavelength + phase)


def _offsets(size: int) -> Tensor:
    """Compute the positions from the middle: -1, 0 and 1 for a size of 3."""
    return torch.arange(_odd(size)) - float(size // 2)


def _constant(name: str, *, dims: int) -> Tensor:
    by_dims = CONSTANTS[name]
    if len(by_dims) == 1:
        (only,) = by_dims
        only_dims(dims, only, f"{name} exists in {only}-D alone")
    return torch.tensor(choose(by_dims, dims, "dims"), dtype=torch.float32)


KERNELS: dict[str, Callable[..., Tensor]] = {
    **{function.__name__: function for function in (box, binomial, gaussian, sharpen, gabor)},
    **{name: partial(_constant, name) for name in CONSTANTS},
}


def create_kernel(name: str, *, dims: int, **arguments: float) -> Kernel:
    """Create the kernel of this name.

    Args:
        name: of KERNELS: a function of this module, or one of CONSTANTS.
        dims: 1 or 2.
        arguments: others of the function; none of a constant kernel.

    Returns:
        The kernel: (frames,) or (bins, frames).

    Raises:
        ValueError: there is none of this name, or not in so many dimensions.
    """
    return choose(KERNELS, name, "kernel")(dims=dims, **arguments)


class FixedConv(nn.Module):
    """A convolution of each channel with each of some kernels, which are not trained.

    Args:
        kernels: all of one size.
        padding_mode: as `WindowOptions`.
        padding_value: as `WindowOptions`.

    Raises:
        ValueError: there are no kernels, or of different or even sizes.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels * n_kernels, ..., frames): channel by channel, in
        it kernel by kernel.
    """

    def __init__(
        self, kernels: Sequence[Tensor], *, padding_mode: str = "zeros", padding_value: float = 0.0
    ) -> None:
        super().__init__()
        sizes = {tuple(kernel.shape) for kernel in kernels}
        if len(sizes) != 1:
            raise ValueError(f"the kernels' sizes are {sorted(sizes)}, expected one size")
        check_mode(padding_mode, padding_value)
        (self.kernel_size,) = sizes
        self.padding_mode, self.padding_value = padding_mode, padding_value
        self.dims = len(self.kernel_size)
        self.sides = pad_sides("same", self.kernel_size, (1,) * self.dims)
        self.min_sizes = min_sizes(self.sides, self.kernel_size, (1,) * self.dims, padding_mode)
        self.kernels: Tensor
        self.register_buffer("kernels", torch.stack(list(kernels)).unsqueeze(1))

    def forward(
        self, x: Float[Tensor, "batch channels *positions"]
    ) -> Float[Tensor, "batch channels_times_kernels *positions"]:
        check_sizes(tuple(x.shape[2:]), self.min_sizes)
        channels = x.shape[1]
        weight = self.kernels.repeat(channels, *[1] * (self.dims + 1))
        padded = pad(x, self.sides, self.padding_mode, self.padding_value)
        return CONVOLVE[self.dims](padded, weight, groups=channels)


def set_kernels(conv: nn.Conv1d | nn.Conv2d, kernels: Sequence[Tensor]) -> None:
    """Set a convolution's weights: output channel i is kernel i over the mean of the input's channels.

    Smaller kernels stand in the middle; their biases become 0; channels beyond the kernels stay as they are.

    Args:
        conv: changed in place.
        kernels: (frames,) or (bins, frames), as the convolution's.

    Raises:
        ValueError: there are more kernels than channels, or one does not fit into the convolution's.
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
