"""FindLearningRate: a training that first looks for how fast it can learn."""

from __future__ import annotations

from pathlib import Path

import lightning
from lightning.pytorch.callbacks import LearningRateFinder
from matplotlib.figure import Figure

from audiocnn import files
from audiocnn.training.base import Task

UNSETTLED = 10  # first steps, whose smoothed losses are too low; Lightning does not judge by them either


class FindLearningRate(LearningRateFinder):
    """Tries rates from low to high for a step each before a training, which then has the best as its highest.

    The best is where the smoothed loss falls most steeply. A image of the losses goes to every logger that
    takes images and, as learning_rate.png, to the log folder. A training that goes on from a checkpoint keeps
    the rates it had.
    Source: Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3. Differs: the
    highest rate is where the loss falls most steeply, not where it stops falling.

    Args:
        lowest: rate tried first.
        highest: rate tried last; the search ends before where the loss is four times its lowest.
        n_steps: number of rates.
    """

    def __init__(self, lowest: float = 1e-6, highest: float = 1.0, n_steps: int = 100) -> None:
        super().__init__(min_lr=lowest, max_lr=highest, num_training_steps=n_steps)

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.ckpt_path or not isinstance(pl_module, Task):
            return
        max_epochs, trainer.fit_loop.max_epochs = trainer.fit_loop.max_epochs, -1  # as many as n_steps take
        super().on_fit_start(trainer, pl_module)
        trainer.fit_loop.max_epochs = max_epochs
        trainer.strategy.setup_optimizers(trainer)  # with the schedule up to the rate that was found
        found = self.optimal_lr
        if found is None:
            return
        rates, losses = (found.results[name][UNSETTLED:] for name in ("lr", "loss"))
        figure = draw(rates, losses, pl_module.learning_rate)
        for logger in trainer.loggers:
            if log_image := getattr(logger, "log_image", None):
                log_image("learning_rate", [figure], step=0)
        folder = Path(trainer.log_dir or trainer.default_root_dir)
        with files.write_atomically(folder / "learning_rate.png") as partial:
            figure.savefig(partial, dpi=100)


def draw(rates: list[float], losses: list[float], best: float) -> Figure:
    """The loss at each rate, and the rate that is taken."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.semilogx(rates, losses)
    axes.axvline(best, color="tab:orange", label=f"{best:.2g}")
    axes.set(xlabel="learning rate", ylabel="smoothed loss")
    axes.legend()
    return figure
