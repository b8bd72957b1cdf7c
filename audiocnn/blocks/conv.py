"""Convolutions, written once for 1-D and 2-D.

Conventions: maps are (batch, channels, frames) or (batch, channels, bins, frames); `same` padding keeps their
size.
"""

from __future__ import annotations

from torch import Tensor, nn

Size = int | tuple[int, ...]
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}
BATCH_NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}


def conv(
    in_channels: int,
    out_channels: int,
    kernel_size: Size,
    *,
    dims: int,
    dilation: Size = 1,
    groups: int = 1,
    bias: bool = True,
) -> nn.Module:
    """A convolution that keeps the size of its map: zeros around it, stride 1, odd kernel sizes.

    Shape: (batch, in_channels, ..., frames) -> (batch, out_channels, ..., frames).
    """
    kernel, steps = _tuple(kernel_size, dims), _tuple(dilation, dims)
    if any(size % 2 == 0 for size in kernel):
        raise ValueError(f"kernel_size is {kernel_size}, expected odd sizes")
    padding = tuple((size - 1) // 2 * step for size, step in zip(kernel, steps, strict=True))
    return CONVOLUTIONS[dims](
        in_channels, out_channels, kernel, padding=padding, dilation=steps, groups=groups, bias=bias
    )


def _tuple(size: Size, dims: int) -> tuple[int, ...]:
    return (size,) * dims if isinstance(size, int) else size


class ConvNormAct(nn.Sequential):
    """A convolution without bias, batch normalisation and a rectifier, in this order."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        dims: int,
        dilation: Size = 1,
        groups: int = 1,
    ) -> None:
        super().__init__(
            conv(
                in_channels,
                out_channels,
                kernel_size,
                dims=dims,
                dilation=dilation,
                groups=groups,
                bias=False,
            ),
            BATCH_NORMS[dims](out_channels),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """The input plus what `branch` makes of it: the identity where the branch gives 0."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)
