"""Residual blocks: what a branch of convolutions makes of a map is added to the map, or to its projection.

Conventions: where a block changes channels or size, the shortcut is a 1x1 convolution with the block's
stride. Parameters come in this order: the branch's convolutions, each with its norm; squeeze-and-excitation;
the shortcut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor, nn

from audiocnn.blocks.act import act as act_layer
from audiocnn.blocks.arguments import Size, choose, per_axis
from audiocnn.blocks.attention import SqueezeExcitation
from audiocnn.blocks.conv import ConvNormAct, NormActConv, conv, norm_act
from audiocnn.blocks.drop import StochasticDepth, spatial_dropout
from audiocnn.blocks.norm import Norm
from audiocnn.blocks.padding import Padding


class Layer(NamedTuple):
    """A convolution of a branch.

    Attributes:
        kernel_size: along every axis.
        strided: it has the block's stride.
        narrowing: the block's output channels for each of this layer's.
    """

    kernel_size: int
    strided: bool
    narrowing: int


BRANCHES = {
    "basic": (Layer(3, True, 1), Layer(3, False, 1)),
    "bottleneck": (Layer(1, False, 4), Layer(3, True, 4), Layer(1, False, 1)),
}


def _layers(
    branch: str, in_channels: int, out_channels: int, dims: int, stride: Size, dilation: Size
) -> Iterator[dict[str, Any]]:
    """The arguments of each convolution of a branch."""
    for layer in choose(BRANCHES, branch, "branch"):
        width, rest = divmod(out_channels, layer.narrowing)
        if rest:
            raise ValueError(f"out_channels is {out_channels}, expected a multiple of {layer.narrowing}")
        yield {
            "in_channels": in_channels,
            "out_channels": width,
            "kernel_size": layer.kernel_size,
            "dims": dims,
            "stride": stride if layer.strided else 1,
            "dilation": dilation if layer.kernel_size > 1 else 1,
        }
        in_channels = width


def _ending(
    channels: int, dims: int, act: str, squeeze_channels: int, stochastic_depth: float
) -> list[nn.Module]:
    """What stands after a branch's convolutions, if anything."""
    parts: list[nn.Module] = []
    if squeeze_channels:
        parts.append(SqueezeExcitation(channels, squeeze_channels, dims=dims, act=act))
    if stochastic_depth:
        parts.append(StochasticDepth(stochastic_depth))
    return parts


def _projects(in_channels: int, out_channels: int, dims: int, stride: Size) -> bool:
    return in_channels != out_channels or max(per_axis(stride, dims, "stride")) > 1


class ResidualV1(nn.Module):
    """A branch of convolutions added to the map, and then an activation.

    Shape: (batch, in_channels, ..., frames) -> (batch, out_channels, ..., ceil(frames / stride)).
    Raises: ValueError when no branch has this name, or 4 does not divide a bottleneck's out_channels.
    Source: He et al., "Deep residual learning for image recognition", 2016, figure 5, with projections where
    sizes change (option B); dilation: Yu, Koltun, Funkhouser, "Dilated residual networks", 2017; with
    squeeze_channels: Hu, Shen, Sun, "Squeeze-and-excitation networks", 2018, figure 3.
    Differs: of a bottleneck the 3x3 convolution has the stride, as in torchvision ("V1.5").

    Args:
        branch: basic (two 3x3 convolutions) or bottleneck (1x1, 3x3, 1x1; inside a quarter of the channels).
        dilation: of the 3x3 convolutions.
        padding_mode: what stands beside the map, as `conv` has it.
        squeeze_channels: of the squeeze-and-excitation that ends the branch; none for 0.
        stochastic_depth: probability that the branch is missing in training.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        dims: int,
        branch: str = "basic",
        stride: Size = 1,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        norm: Norm = "batch",
        act: str = "relu",
        squeeze_channels: int = 0,
        stochastic_depth: float = 0.0,
    ) -> None:
        super().__init__()
        layers = list(_layers(branch, in_channels, out_channels, dims, stride, dilation))
        self.branch = nn.Sequential(
            *(ConvNormAct(**layer, padding_mode=padding_mode, norm=norm, act=act) for layer in layers[:-1]),
            ConvNormAct(**layers[-1], padding_mode=padding_mode, norm=norm, act="none"),
            *_ending(out_channels, dims, act, squeeze_channels, stochastic_depth),
        )
        if _projects(in_channels, out_channels, dims, stride):
            self.shortcut = ConvNormAct(
                in_channels, out_channels, 1, dims=dims, stride=stride, norm=norm, act="none"
            )
        else:
            self.shortcut = nn.Identity()
        self.act = act_layer(act)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.branch(x) + self.shortcut(x))


class ResidualV2(nn.Module):
    """A branch with norms and activations before its convolutions, added to the map as it is.

    The last block of a network needs a norm and an activation after it.
    Shape: (batch, in_channels, ..., frames) -> (batch, out_channels, ..., ceil(frames / stride)).
    Raises: ValueError as `ResidualV1`.
    Source: He et al., "Identity mappings in deep residual networks", 2016, figure 4 (e); a projection takes
    what the first norm and activation give, as in the authors' code.

    Args:
        branch: basic (two 3x3 convolutions) or bottleneck (1x1, 3x3, 1x1; inside a quarter of the channels).
        dilation: of the 3x3 convolutions.
        squeeze_channels: of the squeeze-and-excitation that ends the branch; none for 0.
        stochastic_depth: probability that the branch is missing in training.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        dims: int,
        branch: str = "basic",
        stride: Size = 1,
        dilation: Size = 1,
        norm: Norm = "batch",
        act: str = "relu",
        squeeze_channels: int = 0,
        stochastic_depth: float = 0.0,
    ) -> None:
        super().__init__()
        first, *others = _layers(branch, in_channels, out_channels, dims, stride, dilation)
        self.before = nn.Sequential(*norm_act(in_channels, dims=dims, norm=norm, act=act))
        self.branch = nn.Sequential(
            conv(**first, bias=norm == "none"),
            *(NormActConv(**layer, norm=norm, act=act) for layer in others),
            *_ending(out_channels, dims, act, squeeze_channels, stochastic_depth),
        )
        self.projection = None
        if _projects(in_channels, out_channels, dims, stride):
            self.projection = conv(in_channels, out_channels, 1, dims=dims, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        before = self.before(x)
        shortcut = x if self.projection is None else self.projection(before)
        return self.branch(before) + shortcut


class DilatedResidual(nn.Module):
    """Two dilated convolutions, each with dropout of whole channels, added to the map; an activation.

    Blocks whose dilations double hear a past that grows with the power of their number.
    Shape: (batch, in_channels, ..., frames) -> (batch, out_channels, ..., frames).
    Raises: ValueError as `conv`.
    Source: Bai, Kolter, Koltun, "An empirical evaluation of generic convolutional and recurrent networks for
    sequence modeling", 2018, figure 1 (b). Differs: a norm of the maps instead of the weights'.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        *,
        dims: int,
        dilation: Size = 1,
        padding: Padding = "causal",
        norm: Norm = "batch",
        act: str = "relu",
        drop: float = 0.0,
    ) -> None:
        super().__init__()
        parts = []
        for channels in (in_channels, out_channels):
            parts.append(
                ConvNormAct(
                    channels,
                    out_channels,
                    kernel_size,
                    dims=dims,
                    dilation=dilation,
                    padding=padding,
                    norm=norm,
                    act=act,
                )
            )
            if drop:
                parts.append(spatial_dropout(drop, dims=dims))
        self.branch = nn.Sequential(*parts)
        changed = in_channels != out_channels
        self.shortcut = conv(in_channels, out_channels, 1, dims=dims) if changed else nn.Identity()
        self.act = act_layer(act)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.branch(x) + self.shortcut(x))
