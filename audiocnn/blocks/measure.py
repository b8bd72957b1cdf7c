"""What a network is, found by running it: its layers, their cost, and the input that a cell of its map sees.

Conventions: shapes are whole, with the batch. Multiply-accumulates are those of convolutions and matrix
products, wherever in a forward they stand, without biases, norms and activations: as papers count them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from audiocnn.blocks.arguments import per_axis
from audiocnn.blocks.geometry import ReceptiveField, output_size


@dataclass(frozen=True)
class Layer:
    """A module within a network, as it ran.

    Attributes:
        name: its path in the network; empty for the network itself.
        kind: its class.
        output_shape: with the batch; of its first output where there are several.
        parameters: its own, not those of modules within it; 0 where it runs again.
        macs: multiply-accumulates of its own, for the whole batch.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int


def layers(
    module: nn.Module,
    input_shape: tuple[int, ...],
    *,
    dtype: torch.dtype = torch.float32,
    device: str = "meta",
) -> list[Layer]:
    """The layers of a network in the order in which they end, on an input of this shape, in evaluation mode.

    A layer is a module without modules in it, or one with parameters or multiply-accumulates of its own.

    Args:
        dtype: torch.long for networks over tokens.
        device: "meta" computes shapes alone, of any network in no time; "cpu" is for those whose forward
            looks at values.
    """
    rows: list[Layer] = []
    own = {child: set(child.parameters(recurse=False)) for child in module.modules()}
    seen: set[nn.Parameter] = set()
    open_layers: list[list[int]] = []  # for each module that runs: [macs before it, macs of modules in it]
    counter = FlopCounterMode(display=False)
    names = {child: name for name, child in module.named_modules()}

    def begin(_module: nn.Module, _inputs: Any) -> None:
        open_layers.append([counter.get_total_flops() // 2, 0])

    def end(child: nn.Module, _inputs: Any, output: Any) -> None:
        before, within = open_layers.pop()
        macs = counter.get_total_flops() // 2 - before
        if open_layers:
            open_layers[-1][1] += macs
        parameters = sum(p.numel() for p in own[child] - seen)
        seen.update(own[child])
        if not list(child.children()) or own[child] or macs > within:
            rows.append(Layer(names[child], type(child).__name__, _shape(output), parameters, macs - within))

    tensors = [*module.named_parameters(), *module.named_buffers()]
    moved = {name: tensor.detach().to(device) for name, tensor in tensors}
    with ExitStack() as stack:
        for child in names:
            stack.callback(child.register_forward_pre_hook(begin).remove)
            stack.callback(child.register_forward_hook(end).remove)
        stack.enter_context(_evaluating(module))
        stack.enter_context(torch.no_grad())
        stack.enter_context(counter)
        _called(module, moved, torch.zeros(input_shape, dtype=dtype, device=device))
    return rows


def count_parameters(module: nn.Module) -> int:
    """Numbers to learn; those used in two places count once."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_macs(module: nn.Module, input_shape: tuple[int, ...], **arguments: Any) -> int:
    """Multiply-accumulates for an input of this shape; arguments as of `layers`."""
    return sum(layer.macs for layer in layers(module, input_shape, **arguments))


def _shape(output: Any) -> tuple[int, ...]:
    while isinstance(output, list | tuple) and output:
        output = output[0]
    return tuple(output.shape) if isinstance(output, Tensor) else ()


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode within, and each module's own mode again after."""
    modes = {child: child.training for child in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for child, mode in modes.items():
            child.training = mode


# Input cells beyond which a field counts as infinite, and over which its regularity is looked at: where a
# network steps down and up again, the fields of neighbours differ, and repeat.
LONGEST = 1 << 17
PERIOD = 64
# So small that rectifiers with a ceiling (ReLU6) and gates work in their middle, after many doublings too.
FAINT = 1e-30
NO_GRADIENT = "the output has no gradient, expected one that depends on the input"


def receptive_field(
    module: nn.Module, input_shape: tuple[int, ...], axis: int = -1, *, whole_map: bool = True
) -> ReceptiveField:
    """The receptive field of any module along one axis, exactly: by gradient from single cells of its output.

    On the way all weights are positive, biases 0, norms the identity and maxima means, so that no path from
    the input to a cell is cut and none cancels another. The axis is doubled until the field lies within it.
    Where the fields of neighbours differ, as after upsampling, this is the smallest that holds them all. The
    module is not changed. Not seen: what chooses by content, as k-max pooling.

    Args:
        input_shape: with the batch. Other axes stay as they are: the smallest are the fastest.
        axis: counted from the end, where input and output correspond: -1 is time, -2 bins.
        whole_map: with what gates (squeeze-and-excitation, attention over kernels) take from the mean or
            maximum of a whole map; with any the size is infinite. False: as if that were given.

    Where the size is infinite for another reason, or the output's is fixed, the stride is their sizes' ratio.

    Raises: ValueError when the output has no such axis, or does not depend on the input.
    """
    shape, n_before = list(input_shape), 0
    with _evaluating(module):
        weights = _positive(module)
        while True:
            x = FAINT * _random(tuple(shape)).requires_grad_()
            with _Transparent() as mode:
                y = _called(module, weights, x)
            if y.dim() < 2 - axis:
                raise ValueError(
                    f"axis is {axis}, expected one after channels in the output's {tuple(y.shape)}"
                )
            if not (y.requires_grad or (whole_map and mode.met_whole_maps)):
                raise ValueError(NO_GRADIENT)
            field = _field(x, y, axis) if y.requires_grad else None
            n_out = y.shape[axis]
            # One cell may be one still on twice the input, where less than the stride goes in.
            fixed = n_out == n_before and (n_out > 1 or not y.requires_grad)
            if field is not None or 2 * shape[axis] > LONGEST or fixed:
                break
            n_before, shape[axis] = n_out, 2 * shape[axis]
        if field is None:
            stride = shape[axis] / n_out
            return ReceptiveField(math.inf, stride, (stride - 1) / 2)
        if whole_map and mode.met_whole_maps:
            with _Transparent(whole_map=True):
                y = _called(module, weights, x)
            if _field(x, y, axis) is None:
                return ReceptiveField(math.inf, field.stride, field.offset)
        return field


def _called(module: nn.Module, weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """The output with these weights in place of the module's own.

    Weights are named once. With tie_weights a module that stands in several places, as a hypernetwork does,
    would be given them once for each, and be left with them.
    """
    return functional_call(module, weights, (x,), tie_weights=False)


def _random(shape: tuple[int, ...]) -> Tensor:
    """Numbers between 0.5 and 1.5, the same each time: where all were the same, differences would cancel."""
    return 0.5 + torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _positive(module: nn.Module) -> dict[str, Tensor]:
    """The module's tensors for this purpose: each weight about one part of a mean."""
    made = {name: b.double() if b.is_floating_point() else b for name, b in module.named_buffers()}
    for name, parameter in module.named_parameters():
        weight = _random(tuple(parameter.shape)) / math.prod(parameter.shape[1:])
        made[name] = torch.zeros_like(weight) if "bias" in name.rpartition(".")[2] else weight
    return made


def _field(x: Tensor, y: Tensor, axis: int) -> ReceptiveField | None:
    """The field of the cells around the middle of y; none where it may reach over the edge of x."""
    n_in, n_out = x.shape[axis], y.shape[axis]
    period = max(1, PERIOD * n_out // n_in)
    first = (n_out - period) // 2
    if first < 1 or first + period >= n_out - 1:
        return None
    chosen = {first, first + 1, first + period}
    spans = {i: _span(x, y, axis, i) for i in chosen}
    if any(start == 0 or end == n_in - 1 for start, end in spans.values()):
        return None
    stride = _rounded((spans[first + period][0] - spans[first][0]) / period)
    starts = {start - stride * i for i, (start, _) in spans.items()}
    ends = {end - stride * i for i, (_, end) in spans.items()}
    if len(starts) > 1 or len(ends) > 1:
        for i in set(range(first, first + period)) - chosen:
            start, end = _span(x, y, axis, i)
            starts.add(start - stride * i)
            ends.add(end - stride * i)
    low, high = min(starts), max(ends)
    return ReceptiveField(math.ceil(high - low) + 1, stride, (low + high) / 2)


def _rounded(stride: float) -> float:
    """A whole number of cells, or one part of a whole number."""
    return round(stride) if stride > 0.75 else 1 / max(1, round(1 / stride)) if stride else 0.0


def _span(x: Tensor, y: Tensor, axis: int, i: int) -> tuple[int, int]:
    """The first and the last cell of x that cell i of y depends on, along an axis."""
    (gradient,) = torch.autograd.grad(y.select(axis, i).sum(), x, retain_graph=True, allow_unused=True)
    if gradient is None or not gradient.any():
        raise ValueError(NO_GRADIENT)
    cells = gradient.movedim(axis, 0).flatten(1).any(dim=1).nonzero()
    return int(cells[0]), int(cells[-1])


class _Transparent(TorchFunctionMode):
    """Within: norms are the identity, maxima means, and means over a whole map constants.

    Attributes:
        met_whole_maps: whether any mean or maximum of a whole map was asked for.
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
        if func not in REDUCTIONS or args[0].numel() == result.numel() or result[:1, :1].numel() > 1:
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
    """The mean where max pooling has the maximum, of the same cells; cells beyond the edge count as 0."""
    dims = x.dim() - 2
    kernel, steps, pads, dilations = (
        per_axis(size, dims, "size", least=0)
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
MEANS: dict[Any, Any] = {
    functional.max_pool1d: _mean_pool,
    functional.max_pool2d: _mean_pool,
    functional.adaptive_max_pool1d: functional.adaptive_avg_pool1d,
    functional.adaptive_max_pool2d: functional.adaptive_avg_pool2d,
    torch.amax: torch.mean,
    Tensor.amax: torch.mean,
}
REDUCTIONS = {
    *list(MEANS)[2:],
    functional.adaptive_avg_pool1d,
    functional.adaptive_avg_pool2d,
    torch.mean,
    Tensor.mean,
}
