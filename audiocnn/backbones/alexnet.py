"""AlexNet, the network that won ImageNet's competition of 2012."""

from __future__ import annotations

from typing import Any

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import PretrainedWeights
from audiocnn.backbones.plain import MinSizeBackbone, create_mlp_head, init_kaiming
from audiocnn.blocks.arguments import Size, choose
from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.norm import create_response_norm
from audiocnn.blocks.pool import create_pool

KERNELS = (11, 5, 3, 3, 3)
FIRST_STRIDE = 4
POOLED = (1, 2)  # convolutions with a pooling before them; one more follows the last
GROUPED = (1, 3, 4)  # convolutions that read the feature maps of their own GPU alone in 2012
NORMALISED = (0, 1)  # convolutions with response normalisation after their activation in 2012
# padding: (of the first convolution, of the poolings, smallest input along each axis)
PADDINGS: dict[str, tuple[Any, int, int]] = {"same": ("same", 1, 1), "published": (2, 0, 63)}

# Of small inputs one position is left: averaged to more, its copies would scale up the classifier's gradient.
MEMBERS: dict[str, dict[str, Any]] = {
    "alexnet": {},
    "alexnet_2012": {"widths": (96, 256, 384, 384, 256), "groups": 2, "response_norm": True},
    "alexnet_small": {
        "widths": (16, 48, 96, 64, 64),
        "hidden": 128,
        "size": 2,
        "norm": "batch",
        "drop": 0.2,
    },
}
WEIGHTS = {"alexnet": PretrainedWeights("alexnet-owt-7be5be79.pth", arguments={"padding": "published"})}


@register(MEMBERS, WEIGHTS)
class AlexNet(MinSizeBackbone):
    """Five convolutions, the first with large kernels, and three poolings.

    Stages: each convolution with the pooling before it, then the last pooling.

    Args:
        widths: channels of each convolution's output.
        groups: of channels in the second, fourth and fifth convolution: 2 in 2012, for two GPUs.
        response_norm: local response normalisation after the first and the second convolution.
        hidden: values of each of the classifier's two hidden layers.
        size: positions along each axis to which the classifier averages the last feature map.
        padding: "same", or "published": less, so that 224 positions leave 6 instead of 7; inputs below 63 are
            padded with zeros.
        norm: of convolutions, as `create_norm`.
        pool: as `create_pool`.
        drop: dropout probability of the hidden layers.
        common: dims, in_channels and act, as `Backbone`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, widths[-1], ..., ceil(frames / 32)).

    Source:
        alexnet: Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014: one
        tower, no response normalisation, the widths of torchvision's; alexnet_2012: Krizhevsky, Sutskever,
        Hinton, "ImageNet classification with deep convolutional neural networks", 2012, section 3: 60,965,224
        parameters with 1000 classes.

    Differs:
        Convolutions start as He et al. have them, not from a standard deviation of 0.01.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (64, 192, 384, 256, 256),
        groups: int = 1,
        response_norm: bool = False,
        hidden: int = 4096,
        size: Size = 6,
        padding: str = "same",
        norm: str = "none",
        pool: str = "max",
        drop: float = 0.5,
        **common: Any,
    ) -> None:
        first_sides, pool_sides, min_size = choose(PADDINGS, padding, "padding")
        super().__init__(min_size=min_size, norm=norm, **common)
        self.hidden, self.size, self.drop = hidden, size, drop
        stages: list[nn.Module] = []
        before = self.in_channels
        for i, (width, kernel_size) in enumerate(zip(widths, KERNELS, strict=True)):
            stage = nn.Sequential()
            if i in POOLED:
                stage.append(create_pool(pool, 3, dims=self.dims, stride=2, padding=pool_sides))
            stage.append(
                ConvNormAct(
                    before,
                    width,
                    kernel_size,
                    stride=1 if i else FIRST_STRIDE,
                    padding="same" if i else first_sides,
                    groups=groups if i in GROUPED else 1,
                    **self.layer_options,
                )
            )
            if response_norm and i in NORMALISED:
                stage.append(create_response_norm())
            stages.append(stage)
            before = width
        stages.append(create_pool(pool, 3, dims=self.dims, stride=2, padding=pool_sides))
        self.stages = nn.ModuleList(stages)
        self.stage_channels = (*widths, before)
        self.time_stride = FIRST_STRIDE * 2 ** (len(POOLED) + 1)
        init_kaiming(self)

    def classifier(self, n_classes: int) -> nn.Module:
        hidden = (self.hidden, self.hidden)
        return create_mlp_head(
            self.out_channels, self.size, hidden, n_classes, dims=self.dims, act=self.act, drop=self.drop
        )
