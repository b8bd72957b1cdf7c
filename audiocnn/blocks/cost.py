"""Layers of a network and their cost, found by running it.

Shapes are whole, with the batch. Multiply-accumulates are those of convolutions and matrix products, wherever
in a forward pass they stand, without biases, norms and activations: as papers count them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Layer:
    """A module within a network, as it ran.

    Attributes:
        name: its path in the network; empty for the network itself.
        kind: its class.
        output_shape: with the batch; of its first output where there are more.
        parameters: its own, not those of modules within it; 0 where it runs again.
        macs: multiply-accumulates of its own, for the whole batch.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int


class _Recorder:
    """Hooks that note each layer of a network when it ends."""

    def __init__(self, network: nn.Module) -> None:
        self.layers: list[Layer] = []
        self.counter = FlopCounterMode(display=False)
        self.names = {module: name for name, module in network.named_modules()}
        self.seen: set[nn.Parameter] = set()
        self.running: list[
            list[int]
        ] = []  # of each module that runs: [MACs before it, MACs of modules in it]

    def macs(self) -> int:
        """Return the multiply-accumulates until now."""
        return self.counter.get_total_flops() // 2

    def begin(self, _module: nn.Module, _inputs: Any) -> None:
        """Note that a module begins: a forward pre-hook."""
        self.running.append([self.macs(), 0])

    def end(self, module: nn.Module, _inputs: Any, output: Any) -> None:
        """Note a module that ends: a forward hook."""
        before, within = self.running.pop()
        macs = self.macs() - before
        if self.running:
            self.running[-1][1] += macs
        own = set(module.parameters(recurse=False))
        parameters = sum(p.numel() for p in own - self.seen)
        self.seen.update(own)
        if not list(module.children()) or own or macs > within:
            kind = type(module).__name__
            self.layers.append(Layer(self.names[module], kind, _shape(output), parameters, macs - within))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Hook into every module and count, within the context."""
        with ExitStack() as stack:
            for module in self.names:
                stack.callback(module.register_forward_pre_hook(self.begin).remove)
                stack.callback(module.register_forward_hook(self.end).remove)
            stack.enter_context(self.counter)
            yield


def list_layers(
    module: nn.Module,
    input_shape: tuple[int, ...],
    *,
    dtype: torch.dtype = torch.float32,
    device: str = "meta",
) -> list[Layer]:
    """List the layers of a network in the order in which they end, in evaluation mode.

    A layer is a module without modules in it, or one with parameters or multiply-accumulates of its own.

    Args:
        module: the network; not changed.
        input_shape: with the batch.
        dtype: of the input; torch.long for networks over tokens.
        device: "meta" computes shapes alone, of any network in no time; "cpu" is for those whose forward pass
            depends on values.

    Returns:
        The layers.
    """
    tensors = [*module.named_parameters(), *module.named_buffers()]
    moved = {name: tensor.detach().to(device) for name, tensor in tensors}
    recorder = _Recorder(module)
    with evaluation_mode(module), torch.no_grad(), recorder.recording():
        call_with(module, moved, torch.zeros(input_shape, dtype=dtype, device=device))
    return recorder.layers


def count_parameters(module: nn.Module) -> int:
    """Count the parameters of a network.

    Args:
        module: the network.

    Returns:
        Their number; those used in two places count once.
    """
    return sum(parameter.numel() for parameter in module.parameters())


def count_macs(module: nn.Module, input_shape: tuple[int, ...], **arguments: Any) -> int:
    """Count the multiply-accumulates of a network.

    Args:
        module: the network; not changed.
        input_shape: with the batch.
        arguments: dtype and device, as of `list_layers`.

    Returns:
        Their number for the whole batch.
    """
    return sum(layer.macs for layer in list_layers(module, input_shape, **arguments))


def _shape(output: Any) -> tuple[int, ...]:
    while isinstance(output, list | tuple) and output:
        output = output[0]
    return tuple(output.shape) if isinstance(output, Tensor) else ()


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Set evaluation mode within the context, and each module's own mode again after it.

    Args:
        module: the network.
    """
    modes = {child: child.training for child in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for child, mode in modes.items():
            child.training = mode


def call_with(module: nn.Module, weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """Call a network with other weights in place of its own.

    Weights are named once. With tie_weights a module that stands in more than one place, as a hypernetwork
    does, would be given them once for each, and be left with them.

    Args:
        module: the network; not changed.
        weights: by their names in the network.
        x: its input.

    Returns:
        The output.
    """
    return functional_call(module, weights, (x,), tie_weights=False)
