"""Plots and sounds of a training: to the log folder, and to the loggers that take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
from matplotlib.figure import Figure

from audiocnn import plots


def get_log_folder(trainer: lightning.Trainer) -> Path:
    """Return the folder of the first logger, or that of the training where it has none.

    Args:
        trainer: of the training.
    """
    return Path(trainer.log_dir or trainer.default_root_dir)


def log_media(trainer: lightning.Trainer, method: str, name: str, item: Any, **settings: Any) -> None:
    """Give an image or a sound to each logger that takes it, as Weights & Biases does.

    Args:
        trainer: of the training.
        method: of the loggers: log_image or log_audio.
        name: log key, such as val/notes_0.
        item: a figure, or the path of an image or sound file.
        settings: further arguments of the method.
    """
    for logger in trainer.loggers:
        if log := getattr(logger, method, None):
            log(name, [item], step=trainer.global_step, **settings)


def log_figure(trainer: lightning.Trainer, name: str, file_name: str, figure: Figure) -> None:
    """Write a figure to the log folder, and give it to each logger that takes images.

    Args:
        trainer: of the training.
        name: log key, such as val/notes_0.
        file_name: in the log folder, such as notes_0.png.
        figure: a matplotlib figure.
    """
    log_media(trainer, "log_image", name, figure)
    plots.save_figure(figure, get_log_folder(trainer) / file_name)
