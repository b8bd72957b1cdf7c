"""Plots among the logs: what a task hears of a validation recording, beside what was played."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from audiocnn import files
from audiocnn.notes import LOWEST_MIDI, N_PITCHES, Note
from audiocnn.training.notes import NotesTask

SPAN_S = 12.0  # seconds in a plot: chords and repeated notes can still be told apart


class LogPianoRolls(lightning.Callback):
    """After each validation, the first recordings' frame scores under the notes played and heard.

    Each plot goes to every logger that takes images (Weights & Biases does) and, as PNG, to the log
    folder.

    Args:
        n_recordings: how many recordings are drawn.
    """

    def __init__(self, n_recordings: int = 2) -> None:
        self.n_recordings = n_recordings

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: tuple[Tensor, Tensor],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx >= self.n_recordings or trainer.sanity_checking or not isinstance(pl_module, NotesTask):
            return
        waveforms = batch[0][:, : int(SPAN_S * pl_module.sample_rate)]
        frame = pl_module.scores(waveforms)["frame"][0].float().cpu().numpy()
        heard = pl_module.predict_step(waveforms)[0]
        figure = draw(frame, pl_module.frame_s, batch[1][0].cpu().numpy(), heard)
        tell_loggers(trainer, "log_image", f"val/notes_{batch_idx}", figure)
        with files.write_atomically(log_folder(trainer) / f"notes_{batch_idx}.png") as partial:
            figure.savefig(partial, dpi=100)


def log_folder(trainer: lightning.Trainer) -> Path:
    """Where the first logger writes, or the training itself where it has none."""
    return Path(trainer.log_dir or trainer.default_root_dir)


def tell_loggers(trainer: lightning.Trainer, method: str, name: str, one: Any, **settings: Any) -> None:
    """Gives a plot or a sound to the loggers that take it, those with a method such as log_image."""
    for logger in trainer.loggers:
        if log := getattr(logger, method, None):
            log(name, [one], step=trainer.global_step, **settings)


def draw(frame: np.ndarray, frame_s: float, played: np.ndarray, heard: list[Note]) -> Figure:
    """Frame scores (pitches, frames) in grey under the notes played (onset_s, offset_s, midi) and heard."""
    end_s = frame.shape[1] * frame_s
    figure = Figure(figsize=(14, 6), layout="constrained")
    axes = figure.subplots()
    extent = (0, end_s, LOWEST_MIDI - 0.5, LOWEST_MIDI + N_PITCHES - 0.5)
    axes.imshow(frame, origin="lower", aspect="auto", cmap="Greys", vmin=0, vmax=1, extent=extent)
    shown = [(onset, min(offset, end_s), midi) for onset, offset, midi, *_ in played if onset < end_s]
    axes.hlines(
        [midi + 0.25 for *_, midi in shown],
        [onset for onset, _, _ in shown],
        [offset for _, offset, _ in shown],
        colors="tab:blue",
        label="played",
    )
    axes.hlines(
        [note.midi - 0.25 for note in heard],
        [note.onset_s for note in heard],
        [note.offset_s for note in heard],
        colors="tab:orange",
        label="heard",
    )
    axes.set(xlim=(0, end_s), xlabel="time in s", ylabel="MIDI pitch")
    axes.legend(loc="upper right")
    return figure
