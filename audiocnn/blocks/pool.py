"""Pooling of windows, and of the largest values in time, written once for 1-D and 2-D.

Feature maps are (batch, channels, frames) or (batch, channels, bins, frames); sizes are a number for all axes
or one for each. Padding holds nothing that is pooled: no position beyond the edge is ever a maximum, drawn or
part of a mean. `global_pool.py` pools whole feature maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import TypedDict, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.arguments import Size, choose, to_tuple
from audiocnn.blocks.geometry import output_size

MAX_POOLS = {1: functional.max_pool1d, 2: functional.max_pool2d}
AVERAGE_POOLS = {1: functional.avg_pool1d, 2: functional.avg_pool2d}


class PoolOptions(TypedDict, total=False):
    """Arguments that all poolings of windows share.

    Attributes:
        stride: positions from one window to the next; the kernel's size when None.
        padding: positions added on each side.
        ceil_mode: also a last window that reaches over the edge.
    """

    stride: Size | None
    padding: Size
    ceil_mode: bool


class _Pool(nn.Module):
    """The windows of a pooling and their checks; a subclass reduces them in `_pool`.

    Args:
        kernel_size: positions of a window.
        dims: 1 or 2, the axes after channels.
        stride: as `PoolOptions`.
        padding: as `PoolOptions`.
        ceil_mode: as `PoolOptions`.

    Raises:
        ValueError: a size is out of its range, padding is more than half of the kernel, or, in the forward
            pass, the padded input is shorter than the kernel.
    """

    def __init__(
        self,
        kernel_size: Size,
        *,
        dims: int,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.dims, self.ceil_mode = dims, ceil_mode
        self.kernel_size = to_tuple(kernel_size, dims, "kernel_size")
        self.stride = self.kernel_size if stride is None else to_tuple(stride, dims, "stride")
        self.padding = to_tuple(padding, dims, "padding", minimum=0)
        if any(2 * pad > size for pad, size in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(f"padding is {padding}, expected at most half of kernel_size {kernel_size}")

    def forward(
        self, x: Float[Tensor, "batch channels *positions"]
    ) -> Float[Tensor, "batch channels *positions_out"]:
        self.output_sizes(x)
        return self._pool(x)

    def _pool(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def output_sizes(self, x: Tensor) -> tuple[int, ...]:
        """Compute the number of windows along each axis of a feature map."""
        if x.dim() != self.dims + 2:
            raise ValueError(f"the feature map's shape is {tuple(x.shape)}, expected {self.dims + 2} axes")
        return tuple(
            output_size(size, kernel, stride=step, padding=pad, ceil_mode=self.ceil_mode)
            for size, kernel, step, pad in zip(
                x.shape[2:], self.kernel_size, self.stride, self.padding, strict=True
            )
        )

    def windows(
        self, x: Float[Tensor, "batch channels *positions"]
    ) -> Float[Tensor, "batch channels *windows_and_values"]:
        """Gather the values of each window; those beyond the edge are minus infinity.

        Shape:
            (batch, channels, ..., frames) -> (batch, channels, ..., frames', values).
        """
        sizes = self.output_sizes(x)
        spans = [(n - 1) * step + 1 for n, step in zip(sizes, self.stride, strict=True)]
        sides: list[int] = []
        for size, span, kernel, pad in zip(x.shape[2:], spans, self.kernel_size, self.padding, strict=True):
            sides = [pad, max(0, span + kernel - 1 - size - pad), *sides]
        x = functional.pad(x, sides, value=-math.inf)
        values = [
            x[(..., *(slice(i, i + n, step) for i, n, step in zip(starts, spans, self.stride, strict=True)))]
            for starts in product(*map(range, self.kernel_size))
        ]
        return torch.stack(values, dim=-1)

    def maxima(self, x: Tensor) -> Tensor:
        """Compute the maximum of each window."""
        return MAX_POOLS[self.dims](x, self.kernel_size, self.stride, self.padding, ceil_mode=self.ceil_mode)

    def means(self, x: Tensor) -> Tensor:
        """Compute the mean of each window."""
        return AVERAGE_POOLS[self.dims](
            x, self.kernel_size, self.stride, self.padding, ceil_mode=self.ceil_mode, count_include_pad=False
        )

    def extra_repr(self) -> str:
        """Return the window's sizes, for the network's description."""
        return f"{self.kernel_size}, stride={self.stride}, padding={self.padding}, ceil_mode={self.ceil_mode}"


class MaxPool(_Pool):
    """The maximum of each window.

    Args:
        kernel_size: positions of a window.
        dims: 1 or 2, the axes after channels.
        stride: as `PoolOptions`.
        padding: as `PoolOptions`.
        ceil_mode: as `PoolOptions`.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels, ..., frames').
    """

    def _pool(self, x: Tensor) -> Tensor:
        return self.maxima(x)


class AveragePool(_Pool):
    """The mean of each window; its arguments are those of `MaxPool`.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels, ..., frames').
    """

    def _pool(self, x: Tensor) -> Tensor:
        return self.means(x)


class WeightedAveragePool(_Pool):
    """The weighted mean of each window.

    Positions beyond the edge have no weight: the others' are scaled to add up to 1 again. A window without
    any weight gives 0.

    Args:
        kernel_size: positions of a window.
        dims: 1 or 2, the axes after channels.
        weights: of the positions in a window, from 0 on, of its size; when None the binomial ones: 1 2 1
            along each axis for 3 positions, 1 3 3 1 for 4.
        options: as `PoolOptions`.

    Raises:
        ValueError: as `MaxPool`, or the weights have another size than a window, are negative or all 0.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels, ..., frames').
    """

    def __init__(
        self,
        kernel_size: Size,
        *,
        dims: int,
        weights: Tensor | Sequence | None = None,
        **options: Unpack[PoolOptions],
    ) -> None:
        super().__init__(kernel_size, dims=dims, **options)
        # On the CPU, where values can be compared: a network may be built on the meta device.
        window = torch.as_tensor(self._binomial() if weights is None else weights, device="cpu").float()
        if tuple(window.shape) != self.kernel_size:
            raise ValueError(f"weights have the size {tuple(window.shape)}, expected {self.kernel_size}")
        if not (window.isfinite().all() and window.min() >= 0 and window.any()):
            raise ValueError(f"weights are {window.tolist()}, expected numbers from 0 on, one above 0")
        self.weights: Tensor
        self.register_buffer("weights", torch.tensor(window.flatten().tolist()))

    def _binomial(self) -> Tensor:
        """Create the binomial weights, an outer product of one row for each axis."""
        rows = [[math.comb(size - 1, i) for i in range(size)] for size in self.kernel_size]
        values = torch.tensor([math.prod(row) for row in product(*rows)], device="cpu")
        return values.reshape(self.kernel_size)

    def _pool(self, x: Tensor) -> Tensor:
        values = self.windows(_at_least_32_bits(x))
        within = self.windows(torch.zeros_like(x[:1, :1])) == 0
        weights = self.weights * within
        total = weights.sum(dim=-1)
        mean = (values.masked_fill(~within, 0) * weights).sum(dim=-1) / torch.where(total > 0, total, 1)
        return mean.to(x.dtype)


class StochasticPool(_Pool):
    """In training one value of each window, with a probability proportional to it; else the expectation.

    Negative values count as 0: they are never drawn. A window without a positive value gives 0. Its arguments
    are those of `MaxPool`.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels, ..., frames').

    Source:
        Zeiler and Fergus, "Stochastic pooling for regularization of deep convolutional neural networks",
        2013, section 3.

    Differs:
        Windows that overlap draw from the same random numbers, each with its own probabilities.
    """

    def _pool(self, x: Tensor) -> Tensor:
        values = functional.relu(_at_least_32_bits(x))
        pooled = self._draw(values) if self.training else self._expect(values)
        return pooled.to(x.dtype)

    def _draw(self, values: Tensor) -> Tensor:
        """Draw by exponential waiting times: of rates a, b, c the first is a's with p = a / (a + b + c)."""
        haste = values.detach() / torch.empty_like(values).exponential_()
        _, drawn = MAX_POOLS[self.dims](
            haste, self.kernel_size, self.stride, self.padding, ceil_mode=self.ceil_mode, return_indices=True
        )
        return values.flatten(2).gather(2, drawn.flatten(2)).reshape(drawn.shape)

    def _expect(self, values: Tensor) -> Tensor:
        means = self.means(values)
        return self.means(values.square()) / torch.where(means > 0, means, 1)


class MaxDropoutPool(_Pool):
    """In training the maximum of the values of each window that dropout retains; else its expectation.

    A window of which none is retained gives 0.

    Args:
        kernel_size: positions of a window.
        dims: 1 or 2, the axes after channels.
        retain: probability that a value is retained, in all windows that it is in.
        options: as `PoolOptions`.

    Raises:
        ValueError: as `MaxPool`, or retain is not above 0 and at most 1.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels, ..., frames').

    Source:
        Wu and Gu, "Max-pooling dropout for regularization of convolutional neural networks", 2015.

    Differs:
        Dropped values are absent instead of 0, which is the same for rectified feature maps, and keeps the
        mean of training and the value of evaluation equal for all.
    """

    def __init__(
        self, kernel_size: Size, *, dims: int, retain: float = 0.5, **options: Unpack[PoolOptions]
    ) -> None:
        super().__init__(kernel_size, dims=dims, **options)
        if not 0 < retain <= 1:
            raise ValueError(f"retain is {retain}, expected more than 0 and at most 1")
        self.retain = retain

    def _pool(self, x: Tensor) -> Tensor:
        return self._draw(x) if self.training else self._expect(x)

    def _draw(self, x: Tensor) -> Tensor:
        dropped = torch.rand_like(x, dtype=torch.float32) >= self.retain
        largest = self.maxima(x.masked_fill(dropped, -math.inf))
        return largest.masked_fill(largest == -math.inf, 0)

    def _expect(self, x: Tensor) -> Tensor:
        """Weigh the largest with p, the second with p (1 - p), the third with p (1 - p)^2, and so on."""
        ordered = self.windows(_at_least_32_bits(x)).topk(math.prod(self.kernel_size), dim=-1).values
        ranks = torch.arange(ordered.shape[-1], device=x.device)
        weights = self.retain * (1 - self.retain) ** ranks
        return (ordered.masked_fill(ordered == -math.inf, 0) * weights).sum(dim=-1).to(x.dtype)


def _at_least_32_bits(x: Tensor) -> Tensor:
    """Convert half precision, in which squares, ratios and small weights would lose their digits."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


POOLS: dict[str, type[_Pool]] = {
    "max": MaxPool,
    "average": AveragePool,
    "weighted_average": WeightedAveragePool,
    "stochastic": StochasticPool,
    "max_dropout": MaxDropoutPool,
}


def create_pool(name: str, kernel_size: Size, *, dims: int, **options: Unpack[PoolOptions]) -> nn.Module:
    """Create a pooling of windows; all have the same output sizes.

    Args:
        name: max, average, weighted_average, stochastic or max_dropout.
        kernel_size: positions of a window.
        dims: 1 or 2, the axes after channels.
        options: as `PoolOptions`.

    Returns:
        The pooling.

    Raises:
        ValueError: there is no pooling of this name, or as `MaxPool`.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels, ..., (frames + 2 padding - kernel_size) // stride
        + 1), in bins alike.
    """
    return choose(POOLS, name, "pool")(kernel_size, dims=dims, **options)


def k_max(
    x: Float[Tensor, "batch channels *bins_and_frames"], k: int
) -> Float[Tensor, "batch channels *bins_and_k"]:
    """Select the k largest values of each channel (and bin) in time, in the order of their frames.

    Args:
        x: feature map.
        k: number of values.

    Returns:
        The values; of equal ones the first are selected.

    Raises:
        ValueError: there are fewer than k frames.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels, ..., k).

    Source:
        Kalchbrenner, Grefenstette, Blunsom, "A convolutional neural network for modelling sentences", 2014.
    """
    if not 1 <= k <= x.shape[-1]:
        raise ValueError(f"k is {k}, expected 1 to the feature map's {x.shape[-1]} frames")
    smallest = x.topk(k, dim=-1).values[..., -1:]
    more, same = x > smallest, x == smallest
    kept = more | (same & (same.cumsum(dim=-1) <= k - more.sum(dim=-1, keepdim=True)))
    # Sorting would find the first of equal values too, but a stable sort has no ONNX operator.
    countdown = torch.arange(x.shape[-1], 0, -1, device=x.device)
    return x.gather(-1, (kept * countdown).topk(k, dim=-1).indices)


def dynamic_k(layer: int, n_layers: int, n_frames: int, k_top: int) -> int:
    """Compute how many values a layer keeps: the deeper the fewer, and never fewer than the last layer's.

    Args:
        layer: from 1 to n_layers.
        n_layers: number of layers.
        n_frames: frames of the network's input.
        k_top: values that the last layer keeps.

    Returns:
        The number of values.

    Raises:
        ValueError: there is no such layer.

    Source:
        As `k_max`.
    """
    if not 1 <= layer <= n_layers:
        raise ValueError(f"layer is {layer}, expected 1 to n_layers, {n_layers}")
    return max(k_top, -(-(n_layers - layer) * n_frames // n_layers))
