"""A locally connected network: near cells together as in a convolution, each place with its own weights."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone
from audiocnn.backbones.plain import fully_connected
from audiocnn.blocks.act import act as act_layer
from audiocnn.blocks.arguments import Size, per_axis
from audiocnn.blocks.local import LocallyConnected
from audiocnn.blocks.norm import norm as norm_layer
from audiocnn.blocks.pool import pool as pool_layer


@register({"locally_connected": {}})
class LocallyConnectedNet(Backbone):
    """Locally connected layers with a pooling by 2 between them, over windows of a fixed size.

    A image of that size is one window, and no weight is shared. Larger ones are cut into windows, at whose
    edges the weights begin anew and which do not hear each other; the last is filled up with zeros.
    Shape: (batch, in_channels, ..., frames) -> (batch, widths[-1], ..., ceil(frames / stride)) with a stride
    of 2 for each width but the first.
    Raises: ValueError when the stride does not divide the size.
    Source: LeCun, "Generalization and network design strategies", 1989, networks 3 and 4. Differs: it has
    rectifiers, norms and pooling.

    Args:
        widths: channels of each layer, whose kernels are 3x3.
        size: of a window: a number for all axes, or one for each.
        drop: probability that a value before the classifier is missing in training.
    """

    def __init__(
        self,
        *,
        dims: int = 2,
        in_channels: int = 1,
        widths: tuple[int, ...] = (8, 16, 32),
        size: Size = 16,
        norm: str = "batch",
        act: str = "relu",
        pool: str = "max",
        drop: float = 0.0,
    ) -> None:
        super().__init__(dims, in_channels)
        self.drop = drop
        self.window = per_axis(size, dims, "size")
        self.time_stride = 2 ** (len(widths) - 1)
        if any(cells % self.time_stride for cells in self.window):
            raise ValueError(f"size is {size}, expected a multiple of the stride {self.time_stride}")
        stages = []
        for i, (before, width) in enumerate(zip((in_channels, *widths), widths, strict=False)):
            cells = tuple(n >> i for n in self.window)
            stage = nn.Sequential(pool_layer(pool, 2, dims=dims)) if i else nn.Sequential()
            stage.append(LocallyConnected(before, width, 3, cells, dims=dims, bias=norm == "none"))
            stages.append(stage.extend([norm_layer(norm, width, dims=dims), act_layer(act)]))
        self.stages = nn.ModuleList(stages)
        self.stage_channels = tuple(widths)

    @property
    def time_grid(self) -> int:
        return self.window[-1]

    def features(self, x: Tensor) -> list[Tensor]:
        sizes = x.shape[2:]
        counts = [-(-size // cells) for size, cells in zip(sizes, self.window, strict=True)]
        windows = self._cut(x, counts)
        maps = []
        for i, of_windows in enumerate(super().features(windows)):
            whole = self._join(of_windows, counts)
            maps.append(whole[(..., *(slice(-(-size // 2**i)) for size in sizes))])
        return maps

    def _cut(self, x: Tensor, counts: list[int]) -> Tensor:
        """Shape: (batch, channels, ..., frames) -> (batch * windows, channels, *size)."""
        axes = list(zip(counts, self.window, x.shape[2:], strict=True))
        x = functional.pad(x, [side for n, cells, size in reversed(axes) for side in (0, n * cells - size)])
        x = x.reshape(*x.shape[:2], *(length for n, cells, _ in axes for length in (n, cells)))
        return x.movedim(self._window_axes(), self._first_axes()).flatten(0, self.dims)

    def _join(self, x: Tensor, counts: list[int]) -> Tensor:
        """Shape: (batch * windows, channels, *size) -> (batch, channels, ..., frames)."""
        channels, *cells = x.shape[1:]
        x = x.unflatten(0, (-1, *counts)).movedim(self._first_axes(), self._window_axes())
        return x.reshape(-1, channels, *(n * size for n, size in zip(counts, cells, strict=True)))

    def _first_axes(self) -> tuple[int, ...]:
        """Where windows are counted in (batch, *counts, channels, *size)."""
        return tuple(range(1, 1 + self.dims))

    def _window_axes(self) -> tuple[int, ...]:
        """Where they are counted in a map whose axes are cut: (batch, channels, count, size, ...)."""
        return tuple(range(2, 2 + 2 * self.dims, 2))

    def classifier(self, n_classes: int) -> nn.Module:
        cells = tuple(n // self.time_stride for n in self.window)
        head = fully_connected(self.out_channels, cells, (), n_classes, dims=self.dims)
        head.insert(len(head) - 1, nn.Dropout(self.drop))
        return head
