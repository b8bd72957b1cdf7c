"""GoogLeNet: modules of parallel convolutions with kernels of different sizes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones import register
from audiocnn.backbones.base import PretrainedWeights, create_linear_head
from audiocnn.backbones.plain import MinSizeBackbone
from audiocnn.blocks.arguments import choose
from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.inception import Inception
from audiocnn.blocks.norm import create_norm
from audiocnn.blocks.pool import create_pool

# (1x1, (before 3x3, 3x3), (before 5x5, 5x5), after the pooling): channels within a module, a group at a time
Row = tuple[int, tuple[int, int], tuple[int, int], int]
GROUPS: tuple[tuple[Row, ...], ...] = (
    ((64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64)),
    (
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    ((256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128)),
)
SMALL: tuple[tuple[Row, ...], ...] = (
    ((16, (24, 32), (8, 16), 16),),
    ((32, (32, 64), (8, 16), 16), (32, (32, 64), (8, 16), 16)),
    ((64, (48, 96), (16, 32), 32),),
)
POOLS = (3, 2)  # size of the pooling before the second and the third group
EPSILON = 1e-3  # of the batch norms, as in torchvision


class EvenSizePool(nn.Module):
    """A pooling by 2 of a feature map that is made even by repeating the last position.

    Its windows begin at positions 0, 2, 4, ... and may reach over the end: for even sizes all is as in
    torchvision, and odd ones lose nothing.

    Args:
        pool: as `create_pool`.
        kernel_size: positions of a window.
        dims: 1 or 2, the axes after channels.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels, ..., ceil(frames / 2)).
    """

    def __init__(self, pool: str, kernel_size: int, *, dims: int) -> None:
        super().__init__()
        self.pool = create_pool(pool, kernel_size, dims=dims, stride=2, ceil_mode=True)

    def forward(
        self, x: Float[Tensor, "batch channels *positions"]
    ) -> Float[Tensor, "batch channels *positions_out"]:
        sides = [side for size in reversed(x.shape[2:]) for side in (0, size % 2)]
        return self.pool(functional.pad(x, sides, mode="replicate") if any(sides) else x)


PUBLISHED_SIZE = 31  # the smallest input that leaves each pooling a whole window
# padding: (pooling by 2, smallest input along each axis)
PADDINGS: dict[str, tuple[Callable[..., nn.Module], int]] = {
    "same": (EvenSizePool, 1),
    "published": (partial(create_pool, stride=2, ceil_mode=True), PUBLISHED_SIZE),
}
MEMBERS: dict[str, dict[str, Any]] = {
    "googlenet": {},
    "googlenet_small": {"stem": (16, 16, 48), "groups": SMALL},
}
WEIGHTS = {
    "googlenet": PretrainedWeights(
        "googlenet-1378be20.pth", {"padding": "published"}, mean=(0.5,) * 3, std=(0.5,) * 3
    )
}


@register(MEMBERS, WEIGHTS)
class GoogLeNet(MinSizeBackbone):
    """A stem of three convolutions, then groups of Inception modules with a pooling before each group.

    Stages: the stem's first convolution, its others, and each module.

    Args:
        stem: channels of its three convolutions.
        groups: channels within each Inception module, in three groups.
        large_kernel: 5 as in the paper, or 3.
        padding: "same", where each pooling leaves half of the positions, rounded up, or "published", where a
            pooling of 3 positions leaves one less of an odd size; inputs below 31 are then padded with zeros.
        pool: as `create_pool`.
        drop: dropout probability of the classifier.
        common: dims, in_channels, norm and act, as `Backbone`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, channels of the last module, ..., ceil(frames / 32)).

    Source:
        Szegedy et al., "Going deeper with convolutions", 2015, table 1.

    Differs:
        As in torchvision norms in the place of response normalisation, 3x3 kernels in the place of 5x5
        (`large_kernel`), 2x2 positions pooled before the last group; without the two auxiliary classifiers.
        With padding "same" a pooling of an odd size repeats the last position; with "published" the network
        is torchvision's in every size.
    """

    def __init__(
        self,
        *,
        stem: tuple[int, int, int] = (64, 64, 192),
        groups: tuple[tuple[Row, ...], ...] = GROUPS,
        large_kernel: int = 3,
        padding: str = "same",
        pool: str = "max",
        drop: float = 0.2,
        **common: Any,
    ) -> None:
        halve, min_size = choose(PADDINGS, padding, "padding")
        super().__init__(min_size=min_size, **common)
        self.drop = drop
        options = self.layer_options
        if self.norm == "batch":
            options["norm"] = partial(create_norm, "batch", eps=EPSILON)
        first, second, before = stem
        stages: list[nn.Module] = [
            ConvNormAct(self.in_channels, first, 7, stride=2, **options),
            nn.Sequential(
                halve(pool, 3, dims=self.dims),
                ConvNormAct(first, second, 1, **options),
                ConvNormAct(second, before, 3, **options),
            ),
        ]
        channels = [first, before]
        for group, window in zip(groups, (3, *POOLS), strict=True):
            for j, (direct, medium, large, pooled) in enumerate(group):
                module = Inception(
                    before,
                    direct,
                    medium,
                    large,
                    pooled,
                    large_kernel=large_kernel,
                    pool=create_pool(pool, 3, dims=self.dims, stride=1, padding=1),
                    **options,
                )
                stages.append(module if j else nn.Sequential(halve(pool, window, dims=self.dims), module))
                before = module.out_channels
                channels.append(before)
        self.stages = nn.ModuleList(stages)
        self.stage_channels = tuple(channels)
        self.time_stride = 2 ** (2 + len(groups))

    def classifier(self, n_classes: int) -> nn.Module:
        return create_linear_head(self.out_channels, n_classes, self.drop)
