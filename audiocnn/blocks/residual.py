"""Residual blocks: the output of a branch of convolutions is added to the input, or to its projection.

Where a block changes channels or size, the shortcut is a 1x1 convolution with the block's stride. Parameters
come in this order: the branch's convolutions, each with its norm; squeeze-and-excitation; the shortcut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Unpack

from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.blocks.act import create_act
from audiocnn.blocks.arguments import Size, choose, to_tuple
from audiocnn.blocks.attention import SqueezeExcitation
from audiocnn.blocks.conv import ConvNormAct, LayerOptions, NormActConv, conv, norm_act
from audiocnn.blocks.drop import StochasticDepth, spatial_dropout
from audiocnn.blocks.norm import Norm
from audiocnn.blocks.padding import Padding


class Layer(NamedTuple):
    """A convolution of a branch.

    Attributes:
        kernel_size: along every axis.
        narrowing: the block's output channels for each of this layer's.
    """

    kernel_size: int
    narrowing: int


BRANCHES = {
    "basic": (Layer(3, 1), Layer(3, 1)),
    "bottleneck": (Layer(1, 4), Layer(3, 4), Layer(1, 1)),
}
# The kernel of the convolution that has a block's stride, the first of its size in the branch.
STRIDED = {"3x3": 3, "1x1": 1}


def _convolutions(
    branch: str, in_channels: int, out_channels: int, stride: Size, stride_in: str, dilation: Size
) -> Iterator[dict[str, Any]]:
    """Yield the arguments of each convolution of a branch."""
    layers = choose(BRANCHES, branch, "branch")
    kernels = [layer.kernel_size for layer in layers]
    strided = choose(STRIDED, stride_in, "stride_in")
    if strided not in kernels:
        raise ValueError(f"stride_in is {stride_in!r}, expected '3x3': {branch} has no other convolution")
    for i, layer in enumerate(layers):
        width, rest = divmod(out_channels, layer.narrowing)
        if rest:
            raise ValueError(f"out_channels is {out_channels}, expected a multiple of {layer.narrowing}")
        yield {
            "in_channels": in_channels,
            "out_channels": width,
            "kernel_size": layer.kernel_size,
            "stride": stride if i == kernels.index(strided) else 1,
            "dilation": dilation if layer.kernel_size > 1 else 1,
        }
        in_channels = width


def _ending(
    channels: int, dims: int, act: str, squeeze_channels: int, stochastic_depth: float
) -> list[nn.Module]:
    """Create the layers after a branch's convolutions, if any."""
    parts: list[nn.Module] = []
    if squeeze_channels:
        parts.append(SqueezeExcitation(channels, squeeze_channels, dims=dims, act=act))
    if stochastic_depth:
        parts.append(StochasticDepth(stochastic_depth))
    return parts


def _needs_projection(in_channels: int, out_channels: int, dims: int, stride: Size) -> bool:
    return in_channels != out_channels or max(to_tuple(stride, dims, "stride")) > 1


class ResidualV1(nn.Module):
    """A branch of convolutions added to the input, and then an activation.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        dims: 1 or 2, the axes after channels.
        branch: basic (two 3x3 convolutions) or bottleneck (1x1, 3x3, 1x1; inside a quarter of the channels).
        stride: of the block.
        stride_in: the convolution that has the stride: 3x3, or 1x1, the first of a bottleneck.
        dilation: of the 3x3 convolutions.
        padding_mode: as `WindowOptions`.
        padding_value: as `WindowOptions`.
        norm: as `create_norm`.
        act: as `create_act`.
        squeeze_channels: of the squeeze-and-excitation that ends the branch; none for 0.
        stochastic_depth: drop-path rate of the branch.

    Raises:
        ValueError: no branch has this name, it has no such stride_in, or 4 does not divide a bottleneck's
            out_channels.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., ceil(frames / stride)).

    Source:
        He et al., "Deep residual learning for image recognition", 2016, figure 5, with projections where
        sizes change (option B); dilation: Yu, Koltun, Funkhouser, "Dilated residual networks", 2017; with
        squeeze_channels: Hu, Shen, Sun, "Squeeze-and-excitation networks", 2018, figure 3.

    Differs:
        Of a bottleneck the 3x3 convolution has the stride, as in torchvision ("V1.5"); with stride_in 1x1 it
        is as in the paper.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        dims: int,
        branch: str = "basic",
        stride: Size = 1,
        stride_in: str = "3x3",
        dilation: Size = 1,
        padding_mode: str = "zeros",
        padding_value: float = 0.0,
        norm: Norm = "batch",
        act: str = "relu",
        squeeze_channels: int = 0,
        stochastic_depth: float = 0.0,
    ) -> None:
        super().__init__()
        *layers, last = _convolutions(branch, in_channels, out_channels, stride, stride_in, dilation)
        options: Any = {
            "dims": dims,
            "norm": norm,
            "padding_mode": padding_mode,
            "padding_value": padding_value,
        }
        self.branch = nn.Sequential(
            *(ConvNormAct(**layer, act=act, **options) for layer in layers),
            ConvNormAct(**last, act="none", **options),
            *_ending(out_channels, dims, act, squeeze_channels, stochastic_depth),
        )
        self.shortcut = (
            ConvNormAct(in_channels, out_channels, 1, dims=dims, stride=stride, norm=norm, act="none")
            if _needs_projection(in_channels, out_channels, dims, stride)
            else nn.Identity()
        )
        self.act = create_act(act)

    def forward(
        self, x: Float[Tensor, "batch in_channels *positions"]
    ) -> Float[Tensor, "batch out_channels *positions_out"]:
        return self.act(self.branch(x) + self.shortcut(x))


class ResidualV2(nn.Module):
    """A branch with norms and activations before its convolutions, added to the input as it is.

    The last block of a network needs a norm and an activation after it.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        dims: 1 or 2, the axes after channels.
        branch: as `ResidualV1`.
        stride: of the block.
        stride_in: as `ResidualV1`.
        dilation: of the 3x3 convolutions.
        norm: as `create_norm`.
        act: as `create_act`.
        squeeze_channels: of the squeeze-and-excitation that ends the branch; none for 0.
        stochastic_depth: drop-path rate of the branch.

    Raises:
        ValueError: as `ResidualV1`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., ceil(frames / stride)).

    Source:
        He et al., "Identity mappings in deep residual networks", 2016, figure 4 (e); a projection takes the
        output of the first norm and activation, as in the authors' code.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        dims: int,
        branch: str = "basic",
        stride: Size = 1,
        stride_in: str = "3x3",
        dilation: Size = 1,
        norm: Norm = "batch",
        act: str = "relu",
        squeeze_channels: int = 0,
        stochastic_depth: float = 0.0,
    ) -> None:
        super().__init__()
        first, *others = _convolutions(branch, in_channels, out_channels, stride, stride_in, dilation)
        options: LayerOptions = {"dims": dims, "norm": norm, "act": act}
        self.before = nn.Sequential(*norm_act(in_channels, **options))
        self.branch = nn.Sequential(
            conv(**first, dims=dims, bias=norm == "none"),
            *(NormActConv(**layer, **options) for layer in others),
            *_ending(out_channels, dims, act, squeeze_channels, stochastic_depth),
        )
        self.projection = None
        if _needs_projection(in_channels, out_channels, dims, stride):
            self.projection = conv(in_channels, out_channels, 1, dims=dims, stride=stride, bias=False)

    def forward(
        self, x: Float[Tensor, "batch in_channels *positions"]
    ) -> Float[Tensor, "batch out_channels *positions_out"]:
        before = self.before(x)
        shortcut = x if self.projection is None else self.projection(before)
        return self.branch(before) + shortcut


class DilatedResidual(nn.Module):
    """Two dilated convolutions, each with dropout of whole channels, added to the input; an activation.

    The receptive field of blocks whose dilations double grows exponentially with their number.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: positions of the kernels.
        dilation: positions from one value of the kernel to the next.
        padding: as `WindowOptions`.
        drop: dropout probability of a channel.
        options: as `LayerOptions`.

    Raises:
        ValueError: as `conv`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., frames).

    Source:
        Bai, Kolter, Koltun, "An empirical evaluation of generic convolutional and recurrent networks for
        sequence modeling", 2018, figure 1 (b).

    Differs:
        A norm of the feature maps instead of the weights'.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        *,
        dilation: Size = 1,
        padding: Padding = "causal",
        drop: float = 0.0,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        self.branch = nn.Sequential()
        for channels in (in_channels, out_channels):
            self.branch.append(
                ConvNormAct(
                    channels, out_channels, kernel_size, dilation=dilation, padding=padding, **options
                )
            )
            if drop:
                self.branch.append(spatial_dropout(drop, dims=options["dims"]))
        changed = in_channels != out_channels
        self.shortcut = conv(in_channels, out_channels, 1, dims=options["dims"]) if changed else nn.Identity()
        self.act = create_act(options.get("act", "relu"))

    def forward(
        self, x: Float[Tensor, "batch in_channels *positions"]
    ) -> Float[Tensor, "batch out_channels *positions"]:
        return self.act(self.branch(x) + self.shortcut(x))
