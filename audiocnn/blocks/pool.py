"""Pooling of windows, and of what is largest in time, written once for 1-D and 2-D.

Conventions: maps are (batch, channels, frames) or (batch, channels, bins, frames); sizes are a number for all
axes or one for each. A stride of None is the kernel's size. Padding is nothing that is pooled: no cell beyond
the edge is ever a maximum, drawn or part of a mean. `global_pool.py` pools whole maps.
"""

from __future__ import annotations

import math
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.arguments import Size, choose, per_axis
from audiocnn.blocks.geometry import output_size

MAX_POOLS = {1: functional.max_pool1d, 2: functional.max_pool2d}
AVERAGE_POOLS = {1: functional.avg_pool1d, 2: functional.avg_pool2d}


class _Pool(nn.Module):
    """The windows of a pooling and their checks; what is made of them is the subclasses' forward.

    Raises: ValueError when a size is out of its range, padding is more than half of the kernel, or, in the
        forward pass, the padded map is shorter than the kernel.
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
        self.kernel_size = per_axis(kernel_size, dims, "kernel_size")
        self.stride = self.kernel_size if stride is None else per_axis(stride, dims, "stride")
        self.padding = per_axis(padding, dims, "padding", least=0)
        if any(2 * pad > size for pad, size in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(f"padding is {padding}, expected at most half of kernel_size {kernel_size}")

    def output_sizes(self, x: Tensor) -> tuple[int, ...]:
        """Positions of the window along each axis of a map."""
        if x.dim() != self.dims + 2:
            raise ValueError(f"the map's shape is {tuple(x.shape)}, expected {self.dims + 2} axes")
        return tuple(
            output_size(size, kernel, stride=step, padding=pad, ceil_mode=self.ceil_mode)
            for size, kernel, step, pad in zip(
                x.shape[2:], self.kernel_size, self.stride, self.padding, strict=True
            )
        )

    def windows(self, x: Tensor) -> Tensor:
        """The cells of each window, those beyond the edge at minus infinity.

        Shape: (batch, channels, ..., frames) -> (batch, channels, ..., frames', cells).
        """
        sizes = self.output_sizes(x)
        spans = [(n - 1) * step + 1 for n, step in zip(sizes, self.stride, strict=True)]
        sides: list[int] = []
        for size, span, kernel, pad in zip(x.shape[2:], spans, self.kernel_size, self.padding, strict=True):
            sides = [pad, max(0, span + kernel - 1 - size - pad), *sides]
        x = functional.pad(x, sides, value=-math.inf)
        cells = [
            x[(..., *(slice(i, i + n, step) for i, n, step in zip(starts, spans, self.stride, strict=True)))]
            for starts in product(*map(range, self.kernel_size))
        ]
        return torch.stack(cells, dim=-1)

    def maxima(self, x: Tensor) -> Tensor:
        """The largest of each window."""
        return MAX_POOLS[self.dims](x, self.kernel_size, self.stride, self.padding, ceil_mode=self.ceil_mode)

    def means(self, x: Tensor) -> Tensor:
        """The mean of each window."""
        return AVERAGE_POOLS[self.dims](
            x, self.kernel_size, self.stride, self.padding, ceil_mode=self.ceil_mode, count_include_pad=False
        )

    def extra_repr(self) -> str:
        return f"{self.kernel_size}, stride={self.stride}, padding={self.padding}, ceil_mode={self.ceil_mode}"


class MaxPool(_Pool):
    """The largest of each window.

    Shape: (batch, channels, ..., frames) -> (batch, channels, ..., frames').
    """

    def forward(self, x: Tensor) -> Tensor:
        self.output_sizes(x)
        return self.maxima(x)


class AveragePool(_Pool):
    """The mean of each window.

    Shape: (batch, channels, ..., frames) -> (batch, channels, ..., frames').
    """

    def forward(self, x: Tensor) -> Tensor:
        self.output_sizes(x)
        return self.means(x)


class StochasticPool(_Pool):
    """In training one cell of each window, drawn by its share of the window; else what is expected of that.

    Negative cells count as 0: they are never drawn. A window without a positive cell gives 0.
    Shape: (batch, channels, ..., frames) -> (batch, channels, ..., frames').
    Source: Zeiler and Fergus, "Stochastic pooling for regularization of deep convolutional neural networks",
    2013, section 3. Differs: windows that overlap draw from the same numbers, each with its own chances.
    """

    def forward(self, x: Tensor) -> Tensor:
        self.output_sizes(x)
        cells = functional.relu(_at_least_32_bits(x))
        pooled = self._draw(cells) if self.training else self._expect(cells)
        return pooled.to(x.dtype)

    def _draw(self, cells: Tensor) -> Tensor:
        """Of exponential waiting times with rates a, b, c the first is a's with chance a / (a + b + c)."""
        haste = cells.detach() / torch.empty_like(cells).exponential_()
        _, drawn = MAX_POOLS[self.dims](
            haste, self.kernel_size, self.stride, self.padding, ceil_mode=self.ceil_mode, return_indices=True
        )
        return cells.flatten(2).gather(2, drawn.flatten(2)).reshape(drawn.shape)

    def _expect(self, cells: Tensor) -> Tensor:
        sums = self.means(cells)
        return self.means(cells.square()) / torch.where(sums > 0, sums, 1)


class MaxDropoutPool(_Pool):
    """In training the largest cell of each window among those retained by chance; else what is expected.

    A window of which none is retained gives 0.
    Shape: (batch, channels, ..., frames) -> (batch, channels, ..., frames').
    Source: Wu and Gu, "Max-pooling dropout for regularization of convolutional neural networks", 2015.
    Differs: dropped cells are absent instead of 0, which is the same for rectified maps, and keeps the mean
    of training and the value of evaluation equal for all.

    Args:
        retain: chance of each cell of the map, the same for all windows that it is in.
    """

    def __init__(
        self,
        kernel_size: Size,
        *,
        dims: int,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        retain: float = 0.5,
    ) -> None:
        super().__init__(kernel_size, dims=dims, stride=stride, padding=padding, ceil_mode=ceil_mode)
        if not 0 < retain <= 1:
            raise ValueError(f"retain is {retain}, expected more than 0 and at most 1")
        self.retain = retain

    def forward(self, x: Tensor) -> Tensor:
        return self._draw(x) if self.training else self._expect(x)

    def _draw(self, x: Tensor) -> Tensor:
        self.output_sizes(x)
        dropped = torch.rand_like(x, dtype=torch.float32) >= self.retain
        largest = self.maxima(x.masked_fill(dropped, -math.inf))
        return largest.masked_fill(largest == -math.inf, 0)

    def _expect(self, x: Tensor) -> Tensor:
        """The largest with weight p, the second with p (1 - p), the third with p (1 - p)^2, and so on."""
        ordered = self.windows(_at_least_32_bits(x)).topk(math.prod(self.kernel_size), dim=-1).values
        ranks = torch.arange(ordered.shape[-1], device=x.device)
        weights = self.retain * (1 - self.retain) ** ranks
        return (ordered.masked_fill(ordered == -math.inf, 0) * weights).sum(dim=-1).to(x.dtype)


def _at_least_32_bits(x: Tensor) -> Tensor:
    """The map in which squares, ratios and small weights keep their digits."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


POOLS: dict[str, type[_Pool]] = {
    "max": MaxPool,
    "average": AveragePool,
    "stochastic": StochasticPool,
    "max_dropout": MaxDropoutPool,
}


def pool(
    name: str,
    kernel_size: Size,
    *,
    dims: int,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
) -> nn.Module:
    """A pooling by name: max, average, stochastic or max_dropout, all with the same output sizes.

    Shape: (batch, channels, ..., frames) -> (batch, channels, ..., (frames + 2 padding - kernel_size) //
    stride + 1), in bins alike.
    Raises: ValueError when there is no pooling of this name, or as the poolings do.

    Args:
        ceil_mode: also a last window that reaches over the edge.
    """
    return choose(POOLS, name, "pool")(
        kernel_size, dims=dims, stride=stride, padding=padding, ceil_mode=ceil_mode
    )


def k_max(x: Tensor, k: int) -> Tensor:
    """The k largest values of each channel (and bin) in time, in the order in which they came.

    Shape: (batch, channels, ..., frames) -> (batch, channels, ..., k).
    Raises: ValueError when there are less than k frames.
    Source: Kalchbrenner, Grefenstette, Blunsom, "A convolutional neural network for modelling sentences",
    2014. Of equal values the first count.
    """
    if not 1 <= k <= x.shape[-1]:
        raise ValueError(f"k is {k}, expected 1 to the map's {x.shape[-1]} frames")
    least = x.topk(k, dim=-1).values[..., -1:]
    more, same = x > least, x == least
    kept = more | (same & (same.cumsum(dim=-1) <= k - more.sum(dim=-1, keepdim=True)))
    # Sorting would tell the first of equal values too, but a stable sort has no ONNX operator.
    countdown = torch.arange(x.shape[-1], 0, -1, device=x.device)
    return x.gather(-1, (kept * countdown).topk(k, dim=-1).indices)


def dynamic_k(layer: int, n_layers: int, n_frames: int, k_top: int) -> int:
    """How many values a layer keeps: the deeper the fewer, and never less than the last layer's.

    Raises: ValueError when there is no such layer.
    Source: as `k_max`.

    Args:
        layer: from 1 to n_layers.
        n_frames: of the network's input.
        k_top: what the last layer keeps.
    """
    if not 1 <= layer <= n_layers:
        raise ValueError(f"layer is {layer}, expected 1 to n_layers, {n_layers}")
    return max(k_top, -(-(n_layers - layer) * n_frames // n_layers))


class KMaxPool(nn.Module):
    """As `k_max`, in 1-D and 2-D alike."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        return k_max(x, self.k)


class DynamicKMaxPool(nn.Module):
    """As `k_max` with `dynamic_k` values, in 1-D and 2-D alike."""

    def __init__(self, layer: int, n_layers: int, k_top: int) -> None:
        super().__init__()
        dynamic_k(layer, n_layers, 0, k_top)
        self.layer, self.n_layers, self.k_top = layer, n_layers, k_top

    def forward(self, x: Tensor, n_frames: int) -> Tensor:
        """The values that this layer keeps of a map, for a network's input of n_frames."""
        return k_max(x, dynamic_k(self.layer, self.n_layers, n_frames, self.k_top))
