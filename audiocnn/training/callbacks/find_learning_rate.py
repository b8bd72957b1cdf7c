"""FindLearningRate: a learning rate range test before training."""

from __future__ import annotations

import lightning
from lightning.pytorch.callbacks import LearningRateFinder
from matplotlib.figure import Figure

from audiocnn import plots
from audiocnn.training.base import Task
from audiocnn.training.callbacks.loggers import log_figure

N_UNSETTLED = 10  # first steps, whose smoothed losses are too low; Lightning does not judge by them either


class FindLearningRate(LearningRateFinder):
    """Before training, try rising learning rates for a step each; the best becomes the schedule's maximum.

    The best is where the smoothed loss falls most steeply. A plot of the losses goes to every logger that
    takes images and, as learning_rate.png, to the log folder. A training that resumes from a checkpoint keeps
    the rates it had.

    Args:
        lowest: rate tried first.
        highest: rate tried last; the search stops earlier where the loss exceeds four times its minimum.
        n_steps: number of rates.

    Source:
        Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3.

    Differs:
        The highest rate is where the loss falls most steeply, not where it stops falling.
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
        rates, losses = (found.results[name][N_UNSETTLED:] for name in ("lr", "loss"))
        figure = plot_losses(rates, losses, pl_module.learning_rate)
        log_figure(trainer, "learning_rate", "learning_rate.png", figure)


def plot_losses(rates: list[float], losses: list[float], best: float) -> Figure:
    """Plot the loss at each learning rate, and the rate that is taken.

    Args:
        rates: learning rates, ascending.
        losses: smoothed, one for each rate.
        best: rate that is taken.
    """
    figure, (axes,) = plots.make_figure(7, 4)
    axes.semilogx(rates, losses, color=plots.COLOURS[0])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.axvline(best, color=plots.COLOURS[1], label=f"{best:.2g}")
    axes.set(xlabel="learning rate", ylabel="smoothed loss")
    plots.plot_grid(axes)
    axes.legend()
    return figure
