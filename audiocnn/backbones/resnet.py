"""Residual networks, V1 and V2 (pre-activation), with squeeze-and-excitation where wanted."""

from __future__ import annotations

from typing import Any

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone, PretrainedWeights
from audiocnn.blocks.arguments import choose
from audiocnn.blocks.conv import ConvNormAct, conv, norm_act
from audiocnn.blocks.pool import create_pool
from audiocnn.blocks.residual import ResidualV1, ResidualV2

BLOCKS = {1: ResidualV1, 2: ResidualV2}
WIDTHS = {"basic": (64, 128, 256, 512), "bottleneck": (256, 512, 1024, 2048)}
# of the stem: (kernel_size and stride of its convolution, whether a pooling by 2 follows)
STEMS = {"imagenet": (7, 2, True), "cifar": (3, 1, False)}

MEMBERS: dict[str, dict[str, Any]] = {
    "resnet18": {"depths": (2, 2, 2, 2)},
    "resnet34": {"depths": (3, 4, 6, 3)},
    "resnet50": {"depths": (3, 4, 6, 3), "branch": "bottleneck"},
    "resnet101": {"depths": (3, 4, 23, 3), "branch": "bottleneck"},
    "resnet152": {"depths": (3, 8, 36, 3), "branch": "bottleneck"},
    "resnet18_v2": {"depths": (2, 2, 2, 2), "version": 2},
    "resnet34_v2": {"depths": (3, 4, 6, 3), "version": 2},
    "resnet50_v2": {"depths": (3, 4, 6, 3), "branch": "bottleneck", "version": 2},
    "resnet101_v2": {"depths": (3, 4, 23, 3), "branch": "bottleneck", "version": 2},
    "resnet152_v2": {"depths": (3, 8, 36, 3), "branch": "bottleneck", "version": 2},
    "se_resnet50": {"depths": (3, 4, 6, 3), "branch": "bottleneck", "squeeze": 16},
    "resnet20_cifar": {"depths": (3, 3, 3), "widths": (16, 32, 64), "stem": "cifar"},
    "resnet_small": {"depths": (1, 1, 1, 1), "widths": (16, 32, 64, 128)},
}
WEIGHTS = {
    "resnet18": PretrainedWeights("resnet18-f37072fd.pth"),
    "resnet34": PretrainedWeights("resnet34-b627a593.pth"),
    "resnet50": PretrainedWeights("resnet50-0676ba61.pth"),
    "resnet101": PretrainedWeights("resnet101-63fe2227.pth"),
    "resnet152": PretrainedWeights("resnet152-394f9c45.pth"),
}


@register(MEMBERS, WEIGHTS)
class ResNet(Backbone):
    """A stem, then stages of residual blocks; each stage but the first halves the positions.

    Multiply-accumulates with 1000 classes, for RGB of 224 x 224, in 10^9:

        stride_in    resnet18  resnet34  resnet50  resnet101  resnet152
        3x3             1.814     3.664     4.089      7.801     11.514   as torchvision
        1x1                                 3.858      7.570     11.282   as the paper: 3.8, 7.6, 11.3

    Args:
        depths: blocks in each stage.
        widths: channels of each stage's feature map; those of the paper when None.
        branch: basic or bottleneck.
        stride_in: the convolution of a bottleneck that halves the positions: 3x3, or 1x1 as in the paper.
        version: 1, or 2 with norm and activation before each convolution.
        squeeze: channels for each one of a block's squeeze-and-excitation; 0: without.
        stem: imagenet, a strided 7x7 convolution and a pooling, which leave a quarter of the positions along
            each axis; or cifar for small images, a 3x3 convolution that keeps them.
        pool: of the stem "imagenet".
        drop: drop-path rate of the last block; those of earlier ones rise to it.
        common: dims, in_channels, norm and act, as `Backbone`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, widths[-1], ..., ceil(frames / time_stride)), which is 32
        with four stages and the stem "imagenet".

    Source:
        He et al., "Deep residual learning for image recognition", 2016, table 1, and section 4.2 for small
        images; version 2: the same, "Identity mappings in deep residual networks", 2016; squeeze: Hu, Shen,
        Sun, "Squeeze-and-excitation networks", 2018.

    Differs:
        As the blocks say; so resnet20_cifar has projections where the paper's shortcuts have zeros.
    """

    def __init__(
        self,
        *,
        depths: tuple[int, ...] = (2, 2, 2, 2),
        widths: tuple[int, ...] | None = None,
        branch: str = "basic",
        stride_in: str = "3x3",
        version: int = 1,
        squeeze: int = 0,
        stem: str = "imagenet",
        pool: str = "max",
        drop: float = 0.0,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        options = self.layer_options
        channels = tuple(widths or choose(WIDTHS, branch, "branch"))
        block = choose(BLOCKS, version, "version")
        kernel_size, stride, pooled = choose(STEMS, stem, "stem")
        stem_channels = channels[0] if branch == "basic" else channels[0] // 4
        first = (
            ConvNormAct(self.in_channels, stem_channels, kernel_size, stride=stride, **options)
            if version == 1  # V2's blocks begin with a norm
            else conv(self.in_channels, stem_channels, kernel_size, dims=self.dims, stride=stride, bias=False)
        )
        stages = [nn.Sequential(first)]
        if pooled:
            stages[0].append(create_pool(pool, 3, dims=self.dims, stride=2, padding=1))
        rates = iter([drop * i / max(sum(depths) - 1, 1) for i in range(sum(depths))])
        before = stem_channels
        for i, (depth, width) in enumerate(zip(depths, channels, strict=True)):
            stages.append(nn.Sequential())
            for j in range(depth):
                stages[-1].append(
                    block(
                        before,
                        width,
                        branch=branch,
                        stride_in=stride_in,
                        stride=2 if i and not j else 1,
                        squeeze_channels=width // squeeze if squeeze else 0,
                        stochastic_depth=next(rates),
                        **options,
                    )
                )
                before = width
        if version == 2:
            stages[-1].extend(norm_act(before, **options))
        self.stages = nn.ModuleList(stages)
        self.stage_channels = (stem_channels, *channels)
        self.time_stride = 2 ** (len(depths) - 1) * stride * (2 if pooled else 1)
