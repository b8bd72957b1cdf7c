"""Networks of searched cells, which tables describe; AmoebaNet-A among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone, create_linear_head, to_channels_last
from audiocnn.backbones.cells import Cell, Layers, Table
from audiocnn.blocks.act import create_act
from audiocnn.blocks.conv import ConvNormAct

# AmoebaNet-A. State 0 is the output of the cell before, state 1 that of the cell before that.
NORMAL = (
    (0, "average_3", 0, "max_3"),
    (1, "separable_3", 1, "identity"),
    (0, "identity", 1, "average_3"),
    (0, "separable_3", 2, "separable_5"),
    (5, "average_3", 0, "separable_3"),
)
REDUCTION = (
    (1, "separable_3", 0, "average_3"),
    (0, "max_3", 2, "separable_7"),
    (1, "max_3", 0, "max_3"),
    (4, "separable_3", 0, "conv_1x7_7x1"),
    (1, "average_3", 0, "separable_7"),
)

# AmoebaNet-A also hands on some states that other rows read: only so it has the published sizes.
OUTPUTS = {"normal_outputs": (1, 3, 4, 6), "reduction_outputs": (2, 3, 4, 5, 6)}
MEMBERS: dict[str, dict[str, Any]] = {
    "amoebanet_a": {"repeats": 4, "channels": 50, **OUTPUTS},
    "amoebanet_small": {"repeats": 1, "channels": 24, "stem_channels": 16, "stem_reductions": 1, **OUTPUTS},
}


@register(MEMBERS)
class CellNet(Backbone):
    """A stem, then stacks of normal cells, with a reduction cell before each stack but the first.

    Each reduction halves the positions along each axis and doubles the channels of a state.

    Args:
        normal: table of the normal cells.
        reduction: table of the reduction cells.
        normal_outputs: as `Cell`'s `outputs`.
        reduction_outputs: as `Cell`'s `outputs`.
        repeats: normal cells in each stack (N).
        channels: of a state in the first stack (F).
        stacks: of normal cells.
        stem_channels: of the stem's 3x3 convolution.
        stem_stride: of the stem's convolution.
        stem_reductions: reduction cells before the first stack; they have fewer channels.
        drop: drop-path rate of the last cell; those of earlier ones rise to it.
        head_drop: dropout probability of the classifier.
        common: dims, in_channels, norm and act, as `Backbone`.

    Raises:
        ValueError: as `Cell`, and when the first reduction of the stem would have no channels.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, stage_channels[-1], ..., ceil(frames / time_stride)).

    Source:
        Real et al., "Regularized evolution for image classifier architecture search", 2018; the tables of
        AmoebaNet-A as its authors' code reads them (tensorflow/tpu, models/official/amoeba_net).

    Differs:
        No auxiliary head.
    """

    def __init__(
        self,
        *,
        normal: Table = NORMAL,
        reduction: Table = REDUCTION,
        normal_outputs: Sequence[int] | None = None,
        reduction_outputs: Sequence[int] | None = None,
        repeats: int = 4,
        channels: int = 50,
        stacks: int = 3,
        stem_channels: int = 32,
        stem_stride: int = 2,
        stem_reductions: int = 2,
        drop: float = 0.0,
        head_drop: float = 0.5,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.head_drop = head_drop
        if channels >> stem_reductions < 1:
            raise ValueError(f"channels is {channels}, expected at least {1 << stem_reductions}")
        layers = Layers(**self.layer_options)
        stem_options = {**self.layer_options, "act": "none"}
        stem = ConvNormAct(self.in_channels, stem_channels, 3, stride=stem_stride, **stem_options)
        # Of each stage the channels of a state, and for each cell whether it reduces.
        plan = [(channels >> i, [True]) for i in range(stem_reductions, 0, -1)]
        plan += [(channels << i, [True] * (i > 0) + [False] * repeats) for i in range(stacks)]
        n_cells, made = sum(len(kinds) for _, kinds in plan), 0
        stages: list[nn.Module] = [stem]
        stage_channels = [stem_channels]
        before, previous, before_stride = stem_channels, stem_channels, 1
        for width, kinds in plan:
            cells = nn.ModuleList()
            for reduces in kinds:
                cell = Cell(
                    reduction if reduces else normal,
                    previous,
                    before,
                    width,
                    layers,
                    stride=2 if reduces else 1,
                    before_stride=before_stride,
                    outputs=reduction_outputs if reduces else normal_outputs,
                    drop=drop * (made + 1) / n_cells,
                )
                cells.append(cell)
                made += 1
                before, previous, before_stride = previous, cell.out_channels, cell.stride
            stages.append(cells)
            stage_channels.append(previous)
        self.stages = nn.ModuleList(stages)
        self.last_act = create_act(self.act, inplace=False)  # cells begin with one, and end without
        self.stage_channels = tuple(stage_channels)
        self.time_stride = stem_stride << (stem_reductions + stacks - 1)
        to_channels_last(self)

    def features(self, x: Tensor) -> list[Tensor]:
        before = previous = self.stages[0](x)
        feature_maps = [previous]
        for cells in list(self.stages)[1:]:
            for cell in cells.children():
                before, previous = previous, cell(previous, before)
            feature_maps.append(previous)
        return [*feature_maps[:-1], self.last_act(feature_maps[-1])]

    def classifier(self, n_classes: int) -> nn.Module:
        return create_linear_head(self.out_channels, n_classes, self.head_drop)
