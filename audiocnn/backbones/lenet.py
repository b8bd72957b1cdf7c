"""LeNet-5, the network that read cheques."""

from __future__ import annotations

from typing import Any

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.plain import MinSizeBackbone
from audiocnn.blocks.act import create_act
from audiocnn.blocks.arguments import choose
from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.global_pool import create_global_pool
from audiocnn.blocks.pool import create_pool

# padding: (of the convolutions, whether a pooling reaches over the edge, smallest input along each axis)
PADDINGS = {"same": ("same", True, 1), "published": ("valid", False, 32)}


@register({"lenet5": {}})
class LeNet(MinSizeBackbone):
    """Three 5x5 convolutions, with a pooling by 2 between them: C1, C3 and C5.

    Args:
        widths: channels of C1, C3 and C5.
        hidden: values of the classifier's layer F6.
        padding: "same", or "published": none, which leaves one position of 32 in each axis; smaller inputs
            are padded with zeros, as digits of 28x28 were.
        norm: of convolutions, as `create_norm`.
        act: activation of convolutions, as `create_act`.
        pool: as `create_pool`.
        drop: dropout probability before the last layer.
        common: dims and in_channels, as `Backbone`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, widths[-1], ..., ceil(frames / 4)).

    Source:
        LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998,
        section II.B.

    Differs:
        C3 reads all feature maps of S2, pooling has nothing to learn, the last layer is linear.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (6, 16, 120),
        hidden: int = 84,
        padding: str = "same",
        norm: str = "none",
        act: str = "tanh",
        pool: str = "average",
        drop: float = 0.0,
        **common: Any,
    ) -> None:
        sides, over_edge, min_size = choose(PADDINGS, padding, "padding")
        super().__init__(min_size=min_size, norm=norm, act=act, **common)
        self.hidden, self.drop = hidden, drop
        stages = []
        for i, (before, width) in enumerate(zip((self.in_channels, *widths), widths, strict=False)):
            stage = nn.Sequential(
                create_pool(pool, 2, dims=self.dims, ceil_mode=over_edge) if i else nn.Identity()
            )
            stage.append(ConvNormAct(before, width, 5, padding=sides, **self.layer_options))
            stages.append(stage)
        self.stages = nn.ModuleList(stages)
        self.stage_channels = tuple(widths)
        self.time_stride = 2 ** (len(widths) - 1)

    def classifier(self, n_classes: int) -> nn.Module:
        return nn.Sequential(
            create_global_pool("average", self.out_channels),
            nn.Linear(self.out_channels, self.hidden),
            create_act(self.act),
            nn.Dropout(self.drop),
            nn.Linear(self.hidden, n_classes),
        )
