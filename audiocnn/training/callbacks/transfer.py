"""Transfer learning: callbacks for any task with a backbone, above all a pretrained one.

In a config they stand among the trainer's callbacks, as audiocnn.training.callbacks.transfer.FreezeBackbone.
Tens of examples suffice for a head, thousands for a backbone whose last stages train first and fastest.
"""

from __future__ import annotations

import lightning

from audiocnn.ranges import COUNT, NOT_NEGATIVE, check
from audiocnn.training.base import get_backbone
from audiocnn.training.stages import freeze_stages, list_stages


class FreezeBackbone(lightning.Callback):
    """Freeze the first stages of the backbone, or all of it, and train the rest.

    Args:
        n_stages: how many are frozen; all when None.

    Raises:
        ValueError: n_stages is negative.
    """

    def __init__(self, n_stages: int | None = None) -> None:
        check("n_stages", n_stages, NOT_NEGATIVE)
        self.n_stages = n_stages

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if stage == "fit":  # before the optimizer exists, which so gets no frozen parameters
            self._freeze(pl_module)
            pl_module.train()  # as Lightning expects it; epochs set their modes themselves

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._freeze(pl_module)

    def _freeze(self, task: lightning.LightningModule) -> None:
        backbone = get_backbone(task)
        freeze_stages(backbone, len(list_stages(backbone)) if self.n_stages is None else self.n_stages)


class GradualUnfreezing(lightning.Callback):
    """Train the head alone, then also the backbone's last stage, then one more, until all are trained.

    Training in more than one process needs the strategy ddp_find_unused_parameters_true.

    Args:
        epochs_per_stage: epochs before the next stage trains.

    Raises:
        ValueError: epochs_per_stage is below 1.

    Source:
        Howard and Ruder, "Universal language model fine-tuning", 2018, section 3.3.
    """

    def __init__(self, epochs_per_stage: int = 1) -> None:
        COUNT.check("epochs_per_stage", epochs_per_stage)
        self.epochs_per_stage = epochs_per_stage

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        backbone = get_backbone(pl_module)
        n_thawed = trainer.current_epoch // self.epochs_per_stage
        freeze_stages(backbone, max(len(list_stages(backbone)) - n_thawed, 0))


class DiscriminativeRates(lightning.Callback):
    """Give each stage of the backbone a lower learning rate than the stage above it.

    See `training.stages.group_by_learning_rate`.

    Args:
        rate_decay: divisor from each stage to the one below it.

    Raises:
        ValueError: rate_decay is below 1.
    """

    def __init__(self, rate_decay: float = 2.6) -> None:
        COUNT.check("rate_decay", rate_decay)
        self.rate_decay = rate_decay

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        get_backbone(pl_module)
        pl_module.rate_decay = self.rate_decay  # pyright: ignore[reportArgumentType], a Task has it
