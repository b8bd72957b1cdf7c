"""Listening for notes: an audio file, an array or a stream, and a model -> notes; whole, in blocks or live.

The networks see a finite stretch of sound, so a piece of a recording, given with what the network needs on
both sides, has the scores that the whole has. Everything here goes through one class, `StreamingTranscriber`, which takes
samples as they come: a whole file is a stream with one block, a microphone one with many.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from audiocnn import audio, formats
from audiocnn.models.load import fused, load_notes
from audiocnn.models.notes import NotesModel
from audiocnn.notes import NEIGHBOURHOOD, DecodingOptions, Note, NoteDecoder, Scores, sort_notes

BLOCK_S = 20.0  # of audio at once: long enough that the overlap costs little, short enough for 100 MB


class StreamingTranscriber:
    """Scores and notes of samples that arrive in arrays of any size.

    Args:
        task: the model; samples must have its sample rate.
        decoding: how notes are read; the model's own knobs when None.
        block_s: how much new sound is worth a run of the network; None: all of it, at the end.
        look_ahead_s: answer each frame as soon as this much later sound is there, instead of waiting for all
            that the network can use: sooner, less accurate, slower to compute. block_s then has no effect.
        keep_scores: whether `scores` is kept for the caller.
    Raises: ValueError when look_ahead_s is less than the front end's window and the decoder need.
    """

    def __init__(
        self,
        task: NotesModel,
        decoding: DecodingOptions | None = None,
        block_s: float | None = BLOCK_S,
        look_ahead_s: float | None = None,
        keep_scores: bool = False,
    ) -> None:
        self.task = fused(task)
        front_end, field = self.task.front_end, task.backbone.receptive_field
        self.sample_rate, self.hop_length, self.frame_s = task.sample_rate, task.hop_length, task.frame_s
        self._hop, self._stride = front_end.hop_length, task.backbone.time_stride
        self._margin = math.ceil(front_end.reach / self._hop)  # frames at a cut that the front end gets wrong
        # A network that looks at all there is hears whole recordings only, when they have ended.
        self._context = sys.maxsize if field == math.inf else math.ceil((field - 1) / 2)
        self._ahead = self._context
        self._step = sys.maxsize if block_s is None else max(1, round(block_s / self.frame_s))
        if look_ahead_s is not None:
            self._ahead, self._step = min(self._context, self._frames_within(look_ahead_s)), 1
        self._decoder = NoteDecoder(self.frame_s, decoding or task.decoding)
        self._samples = np.zeros(0, np.float32)
        self._origin = 0  # frame of the spectrogram at which _samples begins
        self._n_samples = 0  # pushed so far
        self._n_frames = 0  # of the scores, answered so far
        self._keep_scores = keep_scores
        self._scores: list[Scores] = []

    def _frames_within(self, look_ahead_s: float) -> int:
        least_s = self._latency_s(0)
        if look_ahead_s < least_s - 1e-9:
            raise ValueError(f"look_ahead_s is {look_ahead_s}, expected at least this model's {least_s:.3f}")
        return math.floor((look_ahead_s - least_s) / self.task.front_end.frame_s + 1e-9)

    def _latency_s(self, n_ahead: int) -> float:
        if n_ahead == sys.maxsize:
            return math.inf
        heard = self.task.front_end.reach + n_ahead * self._hop + NEIGHBOURHOOD * self.hop_length
        return heard / self.sample_rate

    @property
    def latency_s(self) -> float:
        """Seconds of sound after an onset that are heard before it can be told: the algorithmic latency.

        A block adds up to its own length, and the computation its time.
        """
        return self._latency_s(self._ahead)

    @property
    def scores(self) -> dict[str, np.ndarray]:
        """The scores so far by name, (pitches, frames) each; empty unless they are kept."""
        names = self._scores[0] if self._scores else ()
        return {name: np.concatenate([piece[name] for piece in self._scores], axis=1) for name in names}

    @property
    def sounding(self) -> list[Note]:
        """The notes that have begun and not ended, as far as they have been heard."""
        return self._decoder.sounding

    def push(self, samples: np.ndarray) -> list[Note]:
        """The notes that have ended, after more samples (samples,)."""
        self._samples = np.concatenate([self._samples, samples.astype(np.float32, copy=False)])
        self._n_samples += len(samples)
        last_whole = (self._n_samples - self.task.front_end.reach) // self._hop - self._ahead
        n_ready = last_whole // self._stride + 1
        notes = []
        while n_ready - self._n_frames >= self._step:
            notes += self._answer(self._n_frames + self._step)
        return notes

    def flush(self) -> list[Note]:
        """The remaining notes: no more samples come."""
        notes = []
        while self._n_samples and self._n_frames < self._total:
            notes += self._answer(min(self._n_frames + self._step, self._total))
        return notes + self._decoder.flush()

    @property
    def _total(self) -> int:
        """Frames of the scores of what has been pushed, if nothing more comes."""
        return 1 + self._n_samples // self.hop_length

    @property
    def _n_spectrogram(self) -> int:
        """Frames of its spectrogram."""
        return 1 + self._n_samples // self._hop

    def _answer(self, end: int) -> list[Note]:
        """The notes that end in the frames from the first unanswered one to `end` (excluded)."""
        first = self._first(self._n_frames)
        last = (end - 1) * self._stride + self._ahead
        spectrogram = self._spectrogram(first, min(last + 1, self._n_spectrogram))
        with torch.inference_mode():
            outputs = self.task.head.scores(self.task.head(self.task.backbone(spectrogram)))
        wanted = slice(self._n_frames - first // self._stride, end - first // self._stride)
        scores = {name: output[0, :, wanted].float().cpu().numpy() for name, output in outputs.items()}
        if self._keep_scores:
            self._scores.append(scores)
        self._forget(end)
        return self._decoder.push(scores)

    def _first(self, frame: int) -> int:
        """The first frame of the spectrogram that the network needs to answer a frame of the scores."""
        first = max(frame * self._stride - self._context, 0)
        return first - first % self.task.backbone.time_grid

    def _spectrogram(self, first: int, last: int) -> torch.Tensor:
        """Frames first to last (excluded) of the whole spectrogram: (1, 1, bins, frames)."""
        start, stop = max(first - self._margin, 0), last + self._margin
        samples = self._samples[(start - self._origin) * self._hop :]
        if stop < self._n_spectrogram:
            samples = samples[: (stop - 1 - start) * self._hop + 1]
        with torch.inference_mode():
            spectrogram = self.task.spectrogram(torch.tensor(samples, device=self.task.device)[None])
        return spectrogram[..., first - start : last - start]

    def _forget(self, end: int) -> None:
        """Moves on to frame `end`, and drops the samples that no later frame needs."""
        self._n_frames = end
        origin = max(self._first(end) - self._margin, 0)
        self._samples = self._samples[(origin - self._origin) * self._hop :]
        self._origin = origin


@dataclass(frozen=True)
class Transcription:
    """The notes of a recording, in the order of their onsets, with what is needed to write them down.

    Attributes:
        source: the audio file, where there is one.
        duration_s: length of the recording.
        frame_s: seconds from one frame of the scores to the next.
        scores: (pitches, frames) by name, when they were asked for.
    """

    notes: list[Note]
    source: Path | None
    duration_s: float
    frame_s: float
    scores: dict[str, np.ndarray] = field(default_factory=dict)

    def to_midi(
        self,
        path: str | Path,
        tempo: float | None = None,
        quantise: bool = False,
        pitch_bend: bool = False,
    ) -> None:
        """Writes a MIDI file at a tempo in quarters a minute, found from the notes when None.

        Args:
            quantise: move the notes to sixteenths of the tempo.
        """
        tempo = tempo or formats.estimate_tempo(self.notes)
        notes = formats.quantise(self.notes, tempo) if quantise else self.notes
        formats.write_midi(notes, path, tempo, pitch_bend)

    def to_csv(self, path: str | Path) -> None:
        """Writes a table, a note a line."""
        formats.WRITERS["csv"](self, path)

    def to_json(self, path: str | Path) -> None:
        """Writes all that is known of each note."""
        formats.WRITERS["json"](self, path)

    def to_jams(self, path: str | Path) -> None:
        """Writes a JAMS annotation."""
        formats.WRITERS["jams"](self, path)

    def to_npz(self, path: str | Path) -> None:
        """Writes the raw scores, for which the recording must be transcribed with keep_scores."""
        formats.WRITERS["npz"](self, path)

    def to_png(self, path: str | Path) -> None:
        """Draws the notes over the spectrogram."""
        formats.WRITERS["png"](self, path)

    def to_wav(self, path: str | Path) -> None:
        """Writes the recording with the notes played along."""
        formats.WRITERS["wav"](self, path)


def transcribe(
    audio_file: str | Path | tuple[np.ndarray, int],
    model: str | Path | NotesModel = "notes-piano",
    *,
    decoding: DecodingOptions | None = None,
    whole: bool = False,
    batch_size: int = 1,
    device: str = "cpu",
    keep_scores: bool = False,
    progress: Callable[[float], object] | None = None,
    **options: float,
) -> Transcription:
    """The notes of an audio file, or of samples (samples,) or (channels, samples) with their rate in Hz.

    Args:
        model: name or file of a model, or one that `load` gave.
        decoding: how notes are read; the model's own when None.
        whole: run the network once over everything, instead of in blocks in bounded memory: the same notes.
        batch_size: blocks of BLOCK_S seconds in one run of the network.
        keep_scores: whether the raw scores are kept.
        progress: told the seconds heard so far, now and then.
        options: single fields of `DecodingOptions` that differ: onset_threshold=0.3.
    Raises: AudioError when the file cannot be read; ModelError when the model cannot; TypeError for an
        unknown knob.
    """
    task = model if isinstance(model, NotesModel) else load_notes(model, device)
    listener = StreamingTranscriber(
        task.to(device),
        replace(decoding or task.decoding, **options),
        block_s=None if whole else BLOCK_S * batch_size,
        keep_scores=keep_scores,
    )
    notes, n_samples = [], 0
    for samples in audio.stream(audio_file, task.sample_rate, round(BLOCK_S * task.sample_rate)):
        notes += listener.push(samples)
        n_samples += len(samples)
        if progress:
            progress(n_samples / task.sample_rate)
    notes += listener.flush()
    return Transcription(
        notes=sort_notes(notes),
        source=None if isinstance(audio_file, tuple) else Path(audio_file),
        duration_s=n_samples / task.sample_rate,
        frame_s=listener.frame_s,
        scores=listener.scores,
    )
