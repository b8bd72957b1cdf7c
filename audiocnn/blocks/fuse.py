"""Fusion of batch normalisations into the convolutions before them, for inference."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d)
CONVOLUTIONS, BATCH_NORMS = (nn.Conv1d, nn.Conv2d, *TRANSPOSED), (nn.BatchNorm1d, nn.BatchNorm2d)


def find_fusible_layers(network: nn.Module) -> list[tuple[nn.Sequential, int, Any, Any]]:
    """Find the convolutions that stand directly before a batch normalisation.

    Args:
        network: to look through.

    Returns:
        Of each the module that holds it, its index there, the convolution and the normalisation.
    """
    return [
        (module, i, first, second)
        for module in network.modules()
        if isinstance(module, nn.Sequential)
        for i, (first, second) in enumerate(pairwise(module))
        if isinstance(first, CONVOLUTIONS) and isinstance(second, BATCH_NORMS)
    ]


def fuse_batch_norms(network: nn.Module) -> None:
    """Make each batch normalisation, in evaluation mode, part of the convolution before it.

    Args:
        network: changed in place; its outputs stay the same but for rounding.
    """
    for module, i, first, second in find_fusible_layers(network):
        both = fuse_conv_bn_eval(first, second, transpose=isinstance(first, TRANSPOSED))
        module[i], module[i + 1] = both, nn.Identity()
