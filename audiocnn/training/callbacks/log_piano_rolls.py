"""LogPianoRolls: transcriptions of validation recordings during training, beside their reference notes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import lightning
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from audiocnn import plots
from audiocnn.notes import LOWEST_MIDI, N_PITCHES, Note
from audiocnn.ranges import NOT_NEGATIVE
from audiocnn.training.callbacks.loggers import log_figure
from audiocnn.training.notes import NotesTask

SPAN_S = 12.0  # seconds in a plot: short enough to distinguish chords and repeated notes
SHIFT = 0.25  # semitones from the pitch to each of the two lines, so that neither hides the other


class LogPianoRolls(lightning.Callback):
    """After each validation, plot the first recordings' frame scores under the reference and estimated notes.

    Each plot goes to every logger that takes images and, as notes_0.png and so on, to the log folder.

    Args:
        n_recordings: how many recordings are plotted.
    """

    def __init__(self, n_recordings: int = 2) -> None:
        NOT_NEGATIVE.check("n_recordings", n_recordings)
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
        estimate = pl_module.predict_step(waveforms)[0]
        figure = plot_transcription(frame, pl_module.frame_s, batch[1][0].cpu().numpy(), estimate)
        log_figure(trainer, f"val/notes_{batch_idx}", f"notes_{batch_idx}.png", figure)


def plot_transcription(
    frame: np.ndarray, frame_s: float, reference: np.ndarray, estimate: list[Note]
) -> Figure:
    """Plot frame scores in grey under the reference notes and the estimated ones.

    Args:
        frame: scores, (pitches, frames).
        frame_s: seconds from one frame to the next.
        reference: a row for each note that begins with onset_s, offset_s and midi.
        estimate: notes of the same recording.
    """
    figure, (axes,) = plots.make_figure(14, 6)
    end_s = frame.shape[1] * frame_s
    edges = (LOWEST_MIDI - 0.5, LOWEST_MIDI + N_PITCHES - 0.5)
    plots.plot_spectrogram(axes, frame, frame_s, edges=edges, cmap="Greys", vmin=0, vmax=1)
    shown = [
        (onset_s, min(offset_s, end_s), midi) for onset_s, offset_s, midi, *_ in reference if onset_s < end_s
    ]
    _plot_notes(axes, shown, SHIFT, plots.COLOURS[0], "reference")
    found = ((note.onset_s, note.offset_s, note.midi) for note in estimate)
    _plot_notes(axes, found, -SHIFT, plots.COLOURS[1], "estimate")
    axes.set_xlim(0, end_s)
    plots.label_pitches(axes, *edges)
    axes.legend(loc="upper right")
    return figure


def _plot_notes(
    axes: Any, notes: Iterable[tuple[float, float, float]], shift: float, colour: str, label: str
) -> None:
    rows = np.array([*notes]).reshape(-1, 3)
    axes.hlines(rows[:, 2] + shift, rows[:, 0], rows[:, 1], colors=colour, label=label)
