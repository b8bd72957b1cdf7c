"""What a training logs: metrics in a table; plots and sounds, in its folder and by loggers that take them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import lightning
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers.csv_logs import CSVLogger, ExperimentWriter
from matplotlib.figure import Figure

from audiocnn import files, plots


class _Table(ExperimentWriter):
    """Lightning's writer of metrics.csv, which keeps the rows that are there."""

    def _check_log_dir_exists(self) -> None:
        self.metrics_keys = self.read()[0]

    def read(self) -> tuple[list[str], list[dict[str, str]]]:
        """The columns and rows of the file; without a last row that a kill has cut off."""
        path = Path(self.metrics_file_path)
        if not path.is_file():
            return [], []
        whole, newline, _ = path.read_text(encoding="utf-8").rpartition("\n")
        rows = csv.DictReader((whole + newline).splitlines())
        return list(rows.fieldnames or []), [*rows]

    def write(self, columns: list[str], rows: list[dict[str, str]]) -> None:
        """Replace the file."""
        with (
            files.write_atomically(self.metrics_file_path) as partial,
            open(partial, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        self.write(fieldnames, self.read()[1])


class MetricsLogger(CSVLogger):
    """Write metrics.csv, a row for each step that is logged; a training that resumes goes on with its rows.

    Args:
        save_dir: folder of the file; in a config relative to that of the run.
    """

    def __init__(self, save_dir: str = ".") -> None:
        super().__init__(save_dir, name="", version="", flush_logs_every_n_steps=1)
        self._experiment: _Table | None = None

    @property
    def experiment(self) -> _Table:
        """The writer of the table."""
        if self._experiment is None:
            self._experiment = _Table(self.log_dir)
        return self._experiment

    @rank_zero_only
    def log_hyperparams(self, params: Any = None) -> None:
        """Write nothing: config.yaml is beside the table."""

    @rank_zero_only
    def drop_rows(self, step: int) -> None:
        """Drop the rows of a step and of later ones, which a training that resumes there writes again.

        Args:
            step: the first that is dropped.
        """
        columns, rows = self.experiment.read()
        if columns:
            self.experiment.write(columns, [row for row in rows if int(row["step"]) < step])


def get_log_folder(trainer: lightning.Trainer) -> Path:
    """Return the folder of the run.

    Args:
        trainer: of the training.
    """
    return Path(trainer.default_root_dir)


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
