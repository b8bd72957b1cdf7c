"""The temporal convolutional network: causal, dilated, residual."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone
from audiocnn.blocks.arguments import Size
from audiocnn.blocks.residual import DilatedResidual

# Sizes of the authors' code: for polyphonic music, and for images read as sequences of 784 pixels.
MEMBERS: dict[str, dict[str, Any]] = {
    "tcn": {},
    "tcn_small": {"channels": (25,) * 8, "kernel_size": 7, "drop": 0.05},
}


@register(MEMBERS)
class TemporalNet(Backbone):
    """Residual blocks of two causal convolutions, whose dilations double from block to block.

    A frame of the output depends on its own and earlier frames alone. With dims=2 only time is causal and
    dilated; bins are padded on both sides.

    Args:
        dims: 1 or 2, the axes after channels.
        channels: of each block.
        kernel_size: of each convolution, in frames; for dims=2 in bins too, and then odd.
        padding: causal, or same for a network with look-ahead.
        drop: dropout probability of a channel.
        common: in_channels, norm and act, as `Backbone`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, channels[-1], ..., frames).

    Source:
        Bai, Kolter, Koltun, "An empirical evaluation of generic convolutional and recurrent networks for
        sequence modeling", 2018, figure 1.

    Differs:
        As `DilatedResidual`.
    """

    def __init__(
        self,
        *,
        dims: int = 1,
        channels: tuple[int, ...] = (150, 150, 150, 150),
        kernel_size: int = 5,
        padding: str = "causal",
        drop: float = 0.25,
        **common: Any,
    ) -> None:
        super().__init__(dims=dims, **common)
        self.stages = nn.ModuleList()
        before = self.in_channels
        for i, width in enumerate(channels):
            dilation: Size = 2**i if dims == 1 else (1, 2**i)
            self.stages.append(
                DilatedResidual(
                    before,
                    width,
                    kernel_size,
                    dilation=dilation,
                    padding=padding,
                    drop=drop,
                    **self.layer_options,
                )
            )
            before = width
        self.stage_channels = tuple(channels)
        self.time_stride = 1

    def classifier(self, n_classes: int) -> nn.Module:
        """Create a linear layer over the last frame, which depends on most of the input."""
        return nn.Sequential(LastFrame(), nn.Linear(self.out_channels, n_classes))


class LastFrame(nn.Module):
    """The last frame, as a mean over its bins where there are any.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels).
    """

    def forward(self, x: Float[Tensor, "batch channels *positions"]) -> Float[Tensor, "batch channels"]:
        return x[..., -1].flatten(2).mean(dim=2) if x.ndim > 3 else x[..., -1]
