"""A locally connected network: kernels as in a convolution, each position with its own weights."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone
from audiocnn.backbones.plain import create_mlp_head
from audiocnn.blocks.arguments import Size, to_tuple
from audiocnn.blocks.conv import norm_act
from audiocnn.blocks.local import LocallyConnected
from audiocnn.blocks.pool import create_pool


@register({"locally_connected": {}})
class LocallyConnectedNet(Backbone):
    """Locally connected layers with a pooling by 2 between them, over windows of a fixed size.

    An input of that size is one window, and no weight is shared. Larger ones are cut into windows, each of
    which is processed by itself with the same weights; the last is padded with zeros.

    Args:
        widths: channels of each layer, whose kernels are 3x3.
        size: of a window: a number for all axes, or one for each.
        pool: as `create_pool`.
        drop: dropout probability before the classifier.
        common: dims, in_channels, norm and act, as `Backbone`.

    Raises:
        ValueError: the stride does not divide the size.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, widths[-1], ..., ceil(frames / stride)) with a stride of
        2 for each width but the first.

    Source:
        LeCun, "Generalization and network design strategies", 1989, networks 3 and 4.

    Differs:
        It has rectifiers, norms and pooling.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (8, 16, 32),
        size: Size = 16,
        pool: str = "max",
        drop: float = 0.0,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.drop = drop
        self.window = to_tuple(size, self.dims, "size")
        self.time_stride = 2 ** (len(widths) - 1)
        if any(sizes % self.time_stride for sizes in self.window):
            raise ValueError(f"size is {size}, expected a multiple of the stride {self.time_stride}")
        stages = []
        for i, (before, width) in enumerate(zip((self.in_channels, *widths), widths, strict=False)):
            sizes = tuple(n >> i for n in self.window)
            stage = nn.Sequential(create_pool(pool, 2, dims=self.dims)) if i else nn.Sequential()
            stage.append(LocallyConnected(before, width, 3, sizes, dims=self.dims, bias=self.norm == "none"))
            stages.append(stage.extend(norm_act(width, **self.layer_options)))
        self.stages = nn.ModuleList(stages)
        self.stage_channels = tuple(widths)

    @property
    def time_grid(self) -> int:
        return self.window[-1]

    def features(self, x: Tensor) -> list[Tensor]:
        sizes = x.shape[2:]
        counts = [-(-size // sizes) for size, sizes in zip(sizes, self.window, strict=True)]
        windows = self._cut(x, counts)
        feature_maps = []
        for i, of_windows in enumerate(super().features(windows)):
            whole = self._join(of_windows, counts)
            feature_maps.append(whole[(..., *(slice(-(-size // 2**i)) for size in sizes))])
        return feature_maps

    def _cut(self, x: Tensor, counts: list[int]) -> Tensor:
        """Shape: (batch, channels, ..., frames) -> (batch * windows, channels, *size)."""
        axes = list(zip(counts, self.window, x.shape[2:], strict=True))
        x = functional.pad(x, [side for n, sizes, size in reversed(axes) for side in (0, n * sizes - size)])
        x = x.reshape(*x.shape[:2], *(length for n, sizes, _ in axes for length in (n, sizes)))
        return x.movedim(self._window_axes(), self._first_axes()).flatten(0, self.dims)

    def _join(self, x: Tensor, counts: list[int]) -> Tensor:
        """Shape: (batch * windows, channels, *size) -> (batch, channels, ..., frames)."""
        channels, *sizes = x.shape[1:]
        x = x.unflatten(0, (-1, *counts)).movedim(self._first_axes(), self._window_axes())
        return x.reshape(-1, channels, *(n * size for n, size in zip(counts, sizes, strict=True)))

    def _first_axes(self) -> tuple[int, ...]:
        """Where windows are counted in (batch, *counts, channels, *size)."""
        return tuple(range(1, 1 + self.dims))

    def _window_axes(self) -> tuple[int, ...]:
        """Where they are counted in a feature map whose axes are cut: (batch, channels, count, size, ...)."""
        return tuple(range(2, 2 + 2 * self.dims, 2))

    def classifier(self, n_classes: int) -> nn.Module:
        sizes = tuple(n // self.time_stride for n in self.window)
        head = create_mlp_head(self.out_channels, sizes, (), n_classes, dims=self.dims)
        head.insert(len(head) - 1, nn.Dropout(self.drop))
        return head
