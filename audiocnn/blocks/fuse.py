"""Batch normalisations that become part of the convolutions before them: for networks that learn no more."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d)
CONVOLUTIONS, BATCH_NORMS = (nn.Conv1d, nn.Conv2d, *TRANSPOSED), (nn.BatchNorm1d, nn.BatchNorm2d)


def fusible(network: nn.Module) -> list[tuple[nn.Sequential, int, Any, Any]]:
    """Where in which module a convolution stands before a batch normalisation, and the two."""
    return [
        (module, i, first, second)
        for module in network.modules()
        if isinstance(module, nn.Sequential)
        for i, (first, second) in enumerate(pairwise(module))
        if isinstance(first, CONVOLUTIONS) and isinstance(second, BATCH_NORMS)
    ]


def fuse(network: nn.Module) -> None:
    """Makes each batch normalisation, in evaluation mode, part of the convolution before it."""
    for module, i, first, second in fusible(network):
        both = fuse_conv_bn_eval(first, second, transpose=isinstance(first, TRANSPOSED))
        module[i], module[i + 1] = both, nn.Identity()
