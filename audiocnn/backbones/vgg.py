"""VGG networks: 3x3 convolutions, and a pooling after every few."""

from __future__ import annotations

from typing import Any

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import PretrainedWeights
from audiocnn.backbones.plain import OVER_EDGE, MinSizeBackbone, create_mlp_head, init_kaiming
from audiocnn.blocks.arguments import Size, choose
from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.norm import create_response_norm
from audiocnn.blocks.pool import create_pool

# The paper's configurations: the kernels of each block's convolutions.
A = ((3,), (3,), (3, 3), (3, 3), (3, 3))
B = ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3))
C = ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1))
D = ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))
E = ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3))

MEMBERS: dict[str, dict[str, Any]] = {
    "vgg11": {"kernels": A},
    "vgg11_lrn": {"kernels": A, "response_norm": True},
    "vgg13": {"kernels": B},
    "vgg16_c": {"kernels": C},
    "vgg16": {"kernels": D},
    "vgg19": {"kernels": E},
    "vgg11_bn": {"kernels": A, "norm": "batch"},
    "vgg13_bn": {"kernels": B, "norm": "batch"},
    "vgg16_c_bn": {"kernels": C, "norm": "batch"},
    "vgg16_bn": {"kernels": D, "norm": "batch"},
    "vgg19_bn": {"kernels": E, "norm": "batch"},
    "vgg_small": {
        "kernels": A,
        "widths": (16, 32, 64, 96, 96),
        "hidden": 64,
        "size": 2,  # as in alexnet_small
        "norm": "batch",
        "drop": 0.2,
    },
}
FILES = {
    "vgg11": "vgg11-8a719046.pth",
    "vgg13": "vgg13-19584684.pth",
    "vgg16": "vgg16-397923af.pth",
    "vgg19": "vgg19-dcbb9e9d.pth",
    "vgg11_bn": "vgg11_bn-6002323d.pth",
    "vgg13_bn": "vgg13_bn-abd245e5.pth",
    "vgg16_bn": "vgg16_bn-6c64b313.pth",
    "vgg19_bn": "vgg19_bn-c79401a0.pth",
}
WEIGHTS = {name: PretrainedWeights(file, {"padding": "published"}) for name, file in FILES.items()}


@register(MEMBERS, WEIGHTS)
class VGG(MinSizeBackbone):
    """Blocks of small convolutions, each followed by a pooling by 2.

    Stages: each convolution with the pooling before it, then the last pooling. VGG-19's feature maps 0, 2, 4,
    8 and 12 are those called conv1_1 to conv5_1 in style transfer.

    Args:
        kernels: of the convolutions of each block; A to E are the paper's.
        widths: channels of each block's feature maps.
        hidden: values of each of the classifier's two hidden layers.
        size: positions along each axis to which the classifier averages the last feature map.
        padding: "same", where a pooling keeps a last odd position, or "published", where it drops that;
            inputs below 2^len(widths) are then padded with zeros.
        response_norm: local response normalisation after the first convolution, as in A-LRN.
        norm: of convolutions, as `create_norm`.
        pool: as `create_pool`.
        drop: dropout probability of the hidden layers.
        common: dims, in_channels and act, as `Backbone`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, widths[-1], ..., ceil(frames / 32)), where padding is
        "published" floor(frames / 32).

    Source:
        Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015,
        table 1.

    Differs:
        With padding "same" a pooling's last window may reach over the edge, so that nothing of an odd size is
        lost: with "published" the network is torchvision's in every size. Norms as torchvision has them.
    """

    def __init__(
        self,
        *,
        kernels: tuple[tuple[int, ...], ...] = D,
        widths: tuple[int, ...] = (64, 128, 256, 512, 512),
        hidden: int = 4096,
        size: Size = 7,
        padding: str = "same",
        response_norm: bool = False,
        norm: str = "none",
        pool: str = "max",
        drop: float = 0.5,
        **common: Any,
    ) -> None:
        over_edge = choose(OVER_EDGE, padding, "padding")
        super().__init__(min_size=1 if over_edge else 2 ** len(widths), norm=norm, **common)
        self.kernels, self.widths = kernels, tuple(widths)
        self.hidden, self.size, self.drop = hidden, size, drop
        stages: list[nn.Module] = []
        channels = []
        before = self.in_channels
        for i, (block, width) in enumerate(zip(kernels, widths, strict=True)):
            for j, kernel_size in enumerate(block):
                stage = nn.Sequential()
                if i and not j:
                    stage.append(create_pool(pool, 2, dims=self.dims, ceil_mode=over_edge))
                # Also with a norm after them VGG's convolutions have biases.
                stage.append(ConvNormAct(before, width, kernel_size, bias=True, **self.layer_options))
                stages.append(stage)
                channels.append(width)
                before = width
        if response_norm:
            stages[0] = nn.Sequential(stages[0], create_response_norm())
        stages.append(create_pool(pool, 2, dims=self.dims, ceil_mode=over_edge))
        self.stages = nn.ModuleList(stages)
        self.stage_channels = (*channels, before)
        self.time_stride = 2 ** len(widths)
        init_kaiming(self)

    def classifier(self, n_classes: int) -> nn.Module:
        hidden = (self.hidden, self.hidden)
        return create_mlp_head(
            self.out_channels, self.size, hidden, n_classes, dims=self.dims, act=self.act, drop=self.drop
        )
