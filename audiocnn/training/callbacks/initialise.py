"""Weight initialisations other than torch's defaults: callbacks for any task with a backbone.

In a config they stand among the trainer's callbacks, as
audiocnn.training.callbacks.initialise.InitialiseFilters. They act after `start_from`, and before a checkpoint
is restored: a training that resumes is not initialised anew. docs/digits.md compares them.
"""

from __future__ import annotations

import math
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from audiocnn.blocks.arguments import choose
from audiocnn.blocks.fixed import KERNELS, create_kernel, set_kernels
from audiocnn.ranges import ArgumentError
from audiocnn.training.base import get_backbone
from audiocnn.training.filters import METHODS, learn_filters

FANS = ("fan_in", "fan_out")


def init_kaiming_normal(network: nn.Module, mode: str = "fan_in") -> None:
    """Draw the weights of all convolutions and linear layers so that rectified features keep their variance.

    Each weight has the variance 2 / fan: the inputs of an output (fan_in: features keep their variance), or
    the outputs of an input where the stride is 1 (fan_out: gradients do). Biases are 0.

    Args:
        network: changed in place.
        mode: fan_in or fan_out.

    Raises:
        ArgumentError: the mode is neither.

    Source:
        He et al., "Delving deep into rectifiers", 2015, equations 10 and 14.

    Differs:
        From torch.nn.init.kaiming_normal_: in a grouped convolution an input counts its own group's outputs.
    """
    _check_mode(mode)
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            fan_in = layer.weight[0].numel()
            groups = getattr(layer, "groups", 1)
            fan_out = len(layer.weight) // groups * layer.weight[0, 0].numel()
            nn.init.normal_(layer.weight, std=math.sqrt(2 / (fan_in if mode == "fan_in" else fan_out)))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class InitialiseKaiming(lightning.Callback):
    """Initialise the backbone by `init_kaiming_normal`.

    Args:
        mode: fan_in or fan_out.

    Raises:
        ArgumentError: the mode is neither.
    """

    def __init__(self, mode: str = "fan_in") -> None:
        _check_mode(mode)
        self.mode = mode

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if stage == "fit":
            init_kaiming_normal(get_backbone(pl_module), self.mode)


class InitialiseKernels(lightning.Callback):
    """Initialise the backbone's first convolution with hand-crafted kernels, by `blocks.fixed.set_kernels`.

    Args:
        kernels: the arguments of `blocks.fixed.create_kernel` for each, such as
            [{name: sobel_x}, {name: gabor, size: 5}].

    Raises:
        ArgumentError: there is no kernel, or none of such a name.
    """

    def __init__(self, kernels: list[dict[str, Any]]) -> None:
        if not kernels:
            raise ArgumentError("kernels are [], expected at least one")
        for arguments in kernels:
            choose(KERNELS, arguments.get("name"), "name")
        self.kernels = kernels

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        backbone = get_backbone(pl_module)
        layers = [part for part in backbone.modules() if isinstance(part, nn.Conv1d | nn.Conv2d)]
        if not layers:
            raise ArgumentError(f"backbone is {type(backbone).__name__}, expected one with a convolution")
        set_kernels(
            layers[0], [create_kernel(**{"dims": backbone.dims, **arguments}) for arguments in self.kernels]
        )


class InitialiseFilters(lightning.Callback):
    """Initialise the backbone's convolutions with filters learned from its inputs: `filters.learn_filters`.

    Args:
        method: pca or kmeans.
        n_inputs: number of images or waveforms that are used.
        data: data module they come from; that of the training when None. Labels are not used, so it may hold
            unlabelled data.
        n_patches: maximum number of patches drawn for each layer.
        seed: random seed of the patches and of k-means.

    Raises:
        ArgumentError: there is no such method, n_inputs is below 1 or, when training, there are no data.
    """

    def __init__(
        self,
        method: str = "pca",
        n_inputs: int = 500,
        data: lightning.LightningDataModule | None = None,
        n_patches: int = 10_000,
        seed: int = 0,
    ) -> None:
        choose(METHODS, method, "method")
        if n_inputs < 1:
            raise ArgumentError(f"n_inputs is {n_inputs}, expected at least 1")
        self.method, self.n_inputs, self.data = method, n_inputs, data
        self.n_patches, self.seed = n_patches, seed

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        data = self.data or getattr(trainer, "datamodule", None)
        if data is None:
            raise ArgumentError("data is None, expected a data module here or of the training")
        data.setup("fit")
        inputs = _collect_inputs(data, pl_module, self.n_inputs)
        learn_filters(get_backbone(pl_module), inputs, self.method, self.n_patches, self.seed)


def _collect_inputs(data: lightning.LightningDataModule, task: nn.Module, n: int) -> Tensor:
    """The inputs of a task's backbone for the first n examples of a training."""
    spectrogram = getattr(task, "spectrogram", nn.Identity())  # tasks on sound have a front end
    found: list[Tensor] = []
    for inputs, _ in data.train_dataloader():
        found.append(spectrogram(inputs))
        if sum(map(len, found)) >= n:
            break
    return torch.cat(found)[:n]


def _check_mode(mode: str) -> None:
    if mode not in FANS:
        raise ArgumentError(f"mode is {mode!r}, expected one of {', '.join(FANS)}")
