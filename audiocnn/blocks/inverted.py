"""The inverted bottleneck of networks for mobile devices."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.blocks.arguments import Size, to_tuple
from audiocnn.blocks.attention import SqueezeExcitation
from audiocnn.blocks.conv import ConvNormAct, LayerOptions
from audiocnn.blocks.drop import StochasticDepth
from audiocnn.blocks.norm import Norm
from audiocnn.blocks.padding import Padding


class InvertedBottleneck(nn.Module):
    """A branch that is wide inside: 1x1, depthwise, 1x1 without activation; added to the input if it fits.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: positions of the depthwise kernel.
        dims: 1 or 2, the axes after channels.
        stride: of the depthwise convolution.
        padding: of the depthwise convolution, as `ConvOptions`.
        expansion: channels inside for each of in_channels; without the first convolution for 1.
        norm: as `create_norm`.
        act: as `create_act`.
        squeeze_channels: of a squeeze-and-excitation after the depthwise convolution; none for 0. MnasNet and
            EfficientNet take a quarter of in_channels.
        stochastic_depth: drop-path rate of the branch, where it is added.

    Raises:
        ValueError: as `ConvNormAct`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., ceil(frames / stride)).

    Source:
        Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018, figure 4; with
        squeeze_channels Tan et al., "MnasNet", 2019, figure 7, and Tan and Le, "EfficientNet", 2019, with
        stochastic_depth.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        *,
        dims: int,
        stride: Size = 1,
        padding: Padding = "same",
        expansion: float = 6,
        norm: Norm = "batch",
        act: str = "relu6",
        squeeze_channels: int = 0,
        stochastic_depth: float = 0.0,
    ) -> None:
        super().__init__()
        width = round(in_channels * expansion)
        self.adds = in_channels == out_channels and max(to_tuple(stride, dims, "stride")) == 1
        options: LayerOptions = {"dims": dims, "norm": norm, "act": act}
        parts: list[nn.Module] = []
        if width != in_channels:
            parts.append(ConvNormAct(in_channels, width, 1, **options))
        depthwise = ConvNormAct(
            width, width, kernel_size, stride=stride, padding=padding, groups=width, **options
        )
        parts.append(depthwise)
        if squeeze_channels:
            parts.append(SqueezeExcitation(width, squeeze_channels, dims=dims, act=act))
        parts.append(ConvNormAct(width, out_channels, 1, dims=dims, norm=norm, act="none"))
        if stochastic_depth and self.adds:
            parts.append(StochasticDepth(stochastic_depth))
        self.branch = nn.Sequential(*parts)

    def forward(
        self, x: Float[Tensor, "batch in_channels *positions"]
    ) -> Float[Tensor, "batch out_channels *positions_out"]:
        y = self.branch(x)
        return x + y if self.adds else y
