"""The receptive field of any network, found by running it.

`geometry.py` computes the same for a chain of layers, by arithmetic.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from audiocnn.blocks.arguments import to_tuple
from audiocnn.blocks.cost import call_with, evaluation_mode
from audiocnn.blocks.geometry import ReceptiveField, output_size

MAX_SIZE = 1 << 17  # input positions beyond which a receptive field counts as infinite
# Input positions over which its regularity is checked: where a network steps down and up again, the receptive
# fields of neighbours differ, and repeat.
PERIOD = 64
# So small that rectifiers with a ceiling (ReLU6) and gates work in their middle, after many doublings too.
SCALE = 1e-30
NO_GRADIENT = "the output has no gradient, expected one that depends on the input"


def measure_receptive_field(
    module: nn.Module, input_shape: tuple[int, ...], axis: int = -1, *, whole_map: bool = True
) -> ReceptiveField:
    """Measure the receptive field along one axis, exactly: by gradient from single positions of the output.

    In the measurement all weights are positive, biases 0, norms the identity and maxima means, so that no
    path from the input to a position is cut and none cancels another. The axis is doubled until the receptive
    field lies within it. Where those of neighbours differ, as after upsampling, this is the smallest that
    holds them all. Not measured: selections by value, as k-max pooling.

    What lies along one axis does not depend on the size of the others: the first power of two is taken at
    which the network runs.

    Args:
        module: the network; not changed.
        input_shape: with the batch; sizes at which the network runs.
        axis: counted from the end, where input and output correspond: -1 is time, -2 bins.
        whole_map: follow the gates (squeeze-and-excitation, attention over kernels) that depend on the mean
            or maximum of a whole feature map; with any the size is infinite. False: they count as constants.

    Returns:
        The receptive field. Where the size is infinite for another reason, or the output's is fixed, the
        stride is the ratio of their sizes.

    Raises:
        ValueError: the output has no such axis, or does not depend on the input.
    """
    for shape in _smaller_shapes(input_shape, axis):
        with contextlib.suppress(Exception):  # too small for this network, which it may say in any way
            return _measure(module, shape, axis, whole_map)
    return _measure(module, [*input_shape], axis, whole_map)


def _smaller_shapes(shape: tuple[int, ...], axis: int) -> Iterator[list[int]]:
    """Shapes with 1, 2, 4 ... positions along the other axes, up to those of the shape."""
    positions = [*shape[2:]]
    positions[axis] = 1
    for size in (1 << i for i in range((max(positions) - 1).bit_length())):
        smaller = [*shape[:2], *(min(size, n) for n in positions)]
        smaller[axis] = shape[axis]
        yield smaller


def _measure(module: nn.Module, shape: list[int], axis: int, whole_map: bool) -> ReceptiveField:
    n_before = 0
    with evaluation_mode(module):
        weights = _positive_weights(module)
        while True:
            x = SCALE * _random(tuple(shape)).requires_grad_()
            with _Transparent() as mode:
                y = call_with(module, weights, x)
            if y.dim() < 2 - axis:
                raise ValueError(
                    f"axis is {axis}, expected one after channels in the output's {tuple(y.shape)}"
                )
            if not (y.requires_grad or (whole_map and mode.met_whole_maps)):
                raise ValueError(NO_GRADIENT)
            field = _find_field(x, y, axis) if y.requires_grad else None
            n_out = y.shape[axis]
            # One position may be one still on twice the input, where less than the stride goes in.
            fixed = n_out == n_before and (n_out > 1 or not y.requires_grad)
            if field is not None or 2 * shape[axis] > MAX_SIZE or fixed:
                break
            n_before, shape[axis] = n_out, 2 * shape[axis]
        if field is None:
            stride = shape[axis] / n_out
            return ReceptiveField(math.inf, stride, (stride - 1) / 2)
        if whole_map and mode.met_whole_maps:
            with _Transparent(whole_map=True):
                y = call_with(module, weights, x)
            if _find_field(x, y, axis) is None:
                return ReceptiveField(math.inf, field.stride, field.offset)
        return field


def _random(shape: tuple[int, ...]) -> Tensor:
    """Draw from 0.5 to 1.5, the same each time: where all were the same, differences would cancel."""
    return 0.5 + torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _positive_weights(module: nn.Module) -> dict[str, Tensor]:
    """Create a network's tensors for this purpose: each weight about one part of a mean."""
    made = {name: b.double() if b.is_floating_point() else b for name, b in module.named_buffers()}
    for name, parameter in module.named_parameters():
        weight = _random(tuple(parameter.shape)) / math.prod(parameter.shape[1:])
        made[name] = torch.zeros_like(weight) if "bias" in name.rpartition(".")[2] else weight
    return made


def _find_field(x: Tensor, y: Tensor, axis: int) -> ReceptiveField | None:
    """Find the receptive field in the middle of y; None where it may reach over the edge of x."""
    n_in, n_out = x.shape[axis], y.shape[axis]
    period = max(1, PERIOD * n_out // n_in)
    first = (n_out - period) // 2
    if first < 1 or first + period >= n_out - 1:
        return None
    chosen = {first, first + 1, first + period}
    spans = {i: _span(x, y, axis, i) for i in chosen}
    if any(start == 0 or end == n_in - 1 for start, end in spans.values()):
        return None
    stride = _round((spans[first + period][0] - spans[first][0]) / period)
    starts = {start - stride * i for i, (start, _) in spans.items()}
    ends = {end - stride * i for i, (_, end) in spans.items()}
    if len(starts) > 1 or len(ends) > 1:
        for i in set(range(first, first + period)) - chosen:
            start, end = _span(x, y, axis, i)
            starts.add(start - stride * i)
            ends.add(end - stride * i)
    low, high = min(starts), max(ends)
    return ReceptiveField(math.ceil(high - low) + 1, stride, (low + high) / 2)


def _round(stride: float) -> float:
    """Round a stride to a whole number, or to one over a whole number."""
    return round(stride) if stride > 0.75 else 1 / max(1, round(1 / stride)) if stride else 0.0


def _span(x: Tensor, y: Tensor, axis: int, i: int) -> tuple[int, int]:
    """Find the first and the last position of x that position i of y depends on, along an axis."""
    (gradient,) = torch.autograd.grad(y.select(axis, i).sum(), x, retain_graph=True, allow_unused=True)
    if gradient is None or not gradient.any():
        raise ValueError(NO_GRADIENT)
    positions = gradient.movedim(axis, 0).flatten(1).any(dim=1).nonzero()
    return int(positions[0]), int(positions[-1])


class _Transparent(TorchFunctionMode):
    """Within it norms are the identity, maxima means, and means over a whole feature map constants.

    Args:
        whole_map: means over a whole feature map have gradients.

    Attributes:
        met_whole_maps: whether any mean or maximum of a whole feature map was computed.
    """

    def __init__(self, *, whole_map: bool = False) -> None:
        super().__init__()
        self.whole_map, self.met_whole_maps = whole_map, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in NORMS:
            return args[0] if args else kwargs["input"]
        if func in MEANS:
            kwargs.pop("return_indices", None)
        result = MEANS.get(func, func)(*args, **kwargs)
        if func not in WHOLE_MAP_MEANS or args[0].numel() == result.numel() or result[:1, :1].numel() > 1:
            return result
        self.met_whole_maps = True
        return result if self.whole_map else result.detach()


def _mean_pool(
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    **_: Any,
) -> Tensor:
    """Compute the mean of each window of a max pooling; positions beyond the edge count as 0."""
    dims = x.dim() - 2
    kernel, steps, pads, dilations = (
        to_tuple(size, dims, "size", minimum=0)
        for size in (kernel_size, stride or kernel_size, padding, dilation)
    )
    beyond = [(pad, pad + step if ceil_mode else pad) for pad, step in zip(pads, steps, strict=True)]
    sizes = [
        output_size(size, k, stride=step, padding=pad, dilation=d, ceil_mode=ceil_mode)
        for size, k, step, pad, d in zip(x.shape[2:], kernel, steps, pads, dilations, strict=True)
    ]
    x = functional.pad(x, [pad for pads in reversed(beyond) for pad in pads])
    weight = x.new_full((x.shape[1], 1, *kernel), 1 / math.prod(kernel))
    convolve = functional.conv1d if dims == 1 else functional.conv2d
    y = convolve(x, weight, stride=steps, dilation=dilations, groups=x.shape[1])
    return y[(..., *(slice(size) for size in sizes))]


NORMS = {
    functional.batch_norm,
    functional.instance_norm,
    functional.group_norm,
    functional.layer_norm,
    functional.rms_norm,
    functional.local_response_norm,
}
WHOLE_MAP_MAXIMA: dict[Any, Any] = {
    functional.adaptive_max_pool1d: functional.adaptive_avg_pool1d,
    functional.adaptive_max_pool2d: functional.adaptive_avg_pool2d,
    torch.amax: torch.mean,
    Tensor.amax: torch.mean,
}
# maximum -> the mean that takes its place
MEANS = {functional.max_pool1d: _mean_pool, functional.max_pool2d: _mean_pool, **WHOLE_MAP_MAXIMA}
# Called for a whole feature map by some modules, and by others for a part of it.
WHOLE_MAP_MEANS = {
    *WHOLE_MAP_MAXIMA,
    functional.adaptive_avg_pool1d,
    functional.adaptive_avg_pool2d,
    torch.mean,
    Tensor.mean,
}
