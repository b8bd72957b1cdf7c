"""Transfer learning: callbacks for any task with a backbone, above all one that has learned another before.

In a config they stand among the trainer's callbacks, as audiocnn.training.callbacks.transfer.FreezeBackbone. Tens of
examples suffice for a head, thousands for a backbone whose top moves first, whose bottom moves least.
"""

from __future__ import annotations

from typing import Any

import lightning
from torch import nn

from audiocnn.backbones import Backbone
from audiocnn.training.callbacks.initialise import backbone_of


def stages(backbone: Backbone) -> list[nn.Module]:
    """The parts of a backbone that hold weights, from its input to its output.

    They are its children in the order in which it was given them; those in a list are parts of their own.
    What the backbone holds beside its children counts with the first part.
    """
    children = [list(child) if isinstance(child, nn.ModuleList) else [child] for child in backbone.children()]
    return [part for parts in children for part in parts if part.state_dict()]


def freeze(backbone: Backbone, n_stages: int) -> None:
    """The first stages neither learn nor renew the statistics of their norms; the others do both.

    Raises: ValueError when there are not so many.
    """
    parts = stages(backbone)
    if not 0 <= n_stages <= len(parts):
        raise ValueError(f"n_stages is {n_stages}, expected 0 to {len(parts)}")
    for parameter in backbone.parameters(recurse=False):
        parameter.requires_grad_(not n_stages)
    for i, part in enumerate(parts):
        part.train(i >= n_stages).requires_grad_(i >= n_stages)


def rate_groups(
    groups: list[dict[str, Any]], backbone: Backbone, learning_rate: float, rate_decay: float
) -> list[dict[str, Any]]:
    """An optimizer's groups by learning rate: each stage's is that of what lies above it, over rate_decay.

    The head, above all stages, has `learning_rate`.
    Source: Howard and Ruder, "Universal language model fine-tuning", 2018, section 3.2.
    """
    parts = stages(backbone)
    depth = {id(p): len(parts) for p in backbone.parameters(recurse=False)}
    for i, part in enumerate(reversed(parts), start=1):
        depth |= {id(p): i for p in part.parameters()}
    found: dict[tuple[int, float], dict[str, Any]] = {}
    for i, group in enumerate(groups):
        for p in group["params"]:
            rate = learning_rate / rate_decay ** depth.get(id(p), 0)
            found.setdefault((i, rate), {**group, "params": [], "lr": rate})["params"].append(p)
    return list(found.values())


class FreezeBackbone(lightning.Callback):
    """Trains the head alone, or also what follows the backbone's first stages.

    Args:
        n_stages: how many are frozen; all when None.
    """

    def __init__(self, n_stages: int | None = None) -> None:
        self.n_stages = n_stages

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if stage == "fit":  # before there is an optimizer: it does without what is frozen
            self._freeze(pl_module)
            pl_module.train()  # as Lightning expects it; epochs set their modes themselves

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._freeze(pl_module)

    def _freeze(self, task: lightning.LightningModule) -> None:
        backbone = backbone_of(task)
        freeze(backbone, len(stages(backbone)) if self.n_stages is None else self.n_stages)


class GradualUnfreezing(lightning.Callback):
    """Trains the head alone, then also the backbone's last stage, then one more, until all are trained.

    Several processes need the strategy ddp_find_unused_parameters_true.
    Source: Howard and Ruder, "Universal language model fine-tuning", 2018, section 3.3.

    Args:
        epochs_per_stage: before each next one.
    """

    def __init__(self, epochs_per_stage: int = 1) -> None:
        if epochs_per_stage < 1:
            raise ValueError(f"epochs_per_stage is {epochs_per_stage}, expected at least 1")
        self.epochs_per_stage = epochs_per_stage

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        backbone = backbone_of(pl_module)
        n_thawed = trainer.current_epoch // self.epochs_per_stage
        freeze(backbone, max(len(stages(backbone)) - n_thawed, 0))


class DiscriminativeRates(lightning.Callback):
    """Gives each stage of the backbone a lower learning rate than what lies above it, as `rate_groups` says.

    Args:
        rate_decay: how much lower, as a divisor.
    """

    def __init__(self, rate_decay: float = 2.6) -> None:
        if rate_decay < 1:
            raise ValueError(f"rate_decay is {rate_decay}, expected at least 1")
        self.rate_decay = rate_decay

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        backbone_of(pl_module)
        pl_module.rate_decay = self.rate_decay  # pyright: ignore[reportArgumentType]
