"""Networks whose kernels are computed in the forward pass: from the input, embeddings, or a bank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone
from audiocnn.blocks.arguments import choose
from audiocnn.blocks.conv import ConvNormAct, norm_act
from audiocnn.blocks.dynamic import ConvBank, DynamicConv, DynamicLocalFilter
from audiocnn.blocks.hyper import HyperConv, KernelGenerator
from audiocnn.blocks.pool import create_pool

Make = Callable[[int], nn.Module]  # channels -> a convolution that keeps them
GENERATED = 16  # channels of the kernels that one hypernetwork makes for all stages

MEMBERS: dict[str, dict[str, Any]] = {
    "dynamic_mixed_small": {"kernels": "mixed"},
    "dynamic_local_small": {"kernels": "local"},
    "dynamic_hyper_small": {"kernels": "hyper"},
    "dynamic_bank_small": {"kernels": "bank"},
}


@register(MEMBERS)
class DynamicNet(Backbone):
    """Stages of a plain convolution, a dynamic one and a pooling by 2.

    Args:
        kernels: of the second convolutions. mixed: a mixture that depends on the whole feature map
            (`DynamicConv`); local: predicted for each position (`DynamicLocalFilter`); hyper: predicted by
            one network from each layer's embeddings (`HyperConv`); bank: the chosen one of a bank
            (`ConvBank`).
        widths: channels of each stage.
        n_kernels: of mixed and bank.
        choice: of bank, from 0: the kernel that is trained and used. The others stay as they are, so that a
            network learns another class or style beside those that it has.
        pool: as `create_pool`.
        common: dims, in_channels, norm and act, as `Backbone`.

    Raises:
        ValueError: there are no kernels of this name, 16 does not divide a width of "hyper", or there is no
            kernel of the choice.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, widths[-1], ..., ceil(frames / stride)) with a stride of
        2 for each width.

    Source:
        of each convolution as its block says; the stages are ours.
    """

    def __init__(
        self,
        *,
        kernels: str = "mixed",
        widths: tuple[int, ...] = (16, 32, 64),
        n_kernels: int = 4,
        choice: int = 0,
        pool: str = "max",
        **common: Any,
    ) -> None:
        super().__init__(**common)
        make = choose(KERNELS, kernels, "kernels")(self.dims, n_kernels, choice)
        stages = []
        for before, width in zip((self.in_channels, *widths), widths, strict=False):
            stages.append(
                nn.Sequential(
                    ConvNormAct(before, width, 3, **self.layer_options),
                    make(width),
                    *norm_act(width, **self.layer_options),
                    create_pool(pool, 2, dims=self.dims, ceil_mode=True),
                )
            )
        self.stages = nn.ModuleList(stages)
        self.stage_channels = tuple(widths)
        self.time_stride = 2 ** len(widths)


class ChosenKernelConv(nn.Module):
    """A bank's convolution with the same kernel for all examples.

    Args:
        bank: the kernels.
        choice: number of the kernel, from 0.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., frames).
    """

    def __init__(self, bank: ConvBank, choice: int) -> None:
        super().__init__()
        if not 0 <= choice < len(bank.weight):
            raise ValueError(f"choice is {choice}, expected 0 to {len(bank.weight) - 1}")
        self.bank, self.choice = bank, choice

    def forward(
        self, x: Float[Tensor, "batch in_channels *positions"]
    ) -> Float[Tensor, "batch out_channels *positions"]:
        return self.bank(x, torch.full((x.shape[0],), self.choice, device=x.device))


def _mixed(dims: int, n_kernels: int, choice: int) -> Make:
    return lambda width: DynamicConv(width, width, 3, dims=dims, n_kernels=n_kernels, bias=False)


def _local(dims: int, n_kernels: int, choice: int) -> Make:
    return lambda width: DynamicLocalFilter(width, 3, dims=dims)


def _hyper(dims: int, n_kernels: int, choice: int) -> Make:
    generator = KernelGenerator(GENERATED, 3, dims=dims)
    return lambda width: HyperConv(generator, width, width, bias=False)


def _bank(dims: int, n_kernels: int, choice: int) -> Make:
    return lambda width: ChosenKernelConv(ConvBank(n_kernels, width, width, 3, dims=dims, bias=False), choice)


KERNELS = {"mixed": _mixed, "local": _local, "hyper": _hyper, "bank": _bank}
