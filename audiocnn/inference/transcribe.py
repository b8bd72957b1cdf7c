"""Transcription: an audio file, an array or a stream, and a model -> notes; whole, in blocks or live.

A network's receptive field is finite, so an excerpt of a recording, given with the context that the network
needs on both sides, has the scores that it has in the whole. Everything here goes through
`StreamingTranscriber`, which takes chunks of samples as they come: a whole file is one block, a microphone
many.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from audiocnn import audio
from audiocnn.formats import create_writer, write_notes
from audiocnn.inference.tuning import TUNING_S, estimate_tuning, find_sample_rate
from audiocnn.models.load import fuse_model, load
from audiocnn.models.notes import NotesModel
from audiocnn.notes import NEIGHBOURHOOD, DecodingOptions, Note, NoteDecoder, Scores, sort_notes
from audiocnn.ranges import ArgumentError

BLOCK_S = 20.0  # seconds in one run: long enough that the overlap costs little, short enough for 100 MB


class StreamingTranscriber:
    """Scores and notes of samples that arrive in chunks of any size.

    Args:
        model: a model of notes.
        decoding: how scores become notes; the model's own options when None.
        block_s: seconds of new sound in one run of the network; None waits for the end of the stream.
        look_ahead_s: seconds of later sound that a frame waits for, at most. A short one costs accuracy
            and computation, for the network runs at every frame and block_s has no effect. None waits for all
            that the network can use.
        keep_scores: keep the scores for the caller.
        tuning_cents: how far the instruments are tuned above A = 440 Hz, in hundredths of a semitone. Notes
            have the pitches that are played, and bends are relative to these.

    Attributes:
        sample_rate: in Hz, that samples must have: the model's, or a higher one for a higher tuning, by which
            the pitches that the model gets are those at 440 Hz.
        frame_s: seconds from one frame of the scores to the next.

    Raises:
        ArgumentError: block_s or tuning_cents is out of range, or look_ahead_s is less than the front end's
            window and the decoder need.
    """

    def __init__(
        self,
        model: NotesModel,
        decoding: DecodingOptions | None = None,
        block_s: float | None = BLOCK_S,
        look_ahead_s: float | None = None,
        keep_scores: bool = False,
        tuning_cents: float = 0.0,
    ) -> None:
        if block_s is not None and not 0 < block_s < math.inf:
            raise ArgumentError(f"block_s is {block_s}, expected a finite number above 0, or None")
        self.model = fuse_model(model)
        self.sample_rate = find_sample_rate(model.sample_rate, tuning_cents)
        self.hop_length, self.frame_s = model.hop_length, model.hop_length / self.sample_rate
        self._hop, self._stride = model.front_end.hop_length, model.backbone.time_stride
        self._edge_frames = math.ceil(model.front_end.reach / self._hop)  # frames that a cut changes
        # A network that sees everything takes whole recordings only, when they have ended.
        field = model.backbone.receptive_field
        self._context = sys.maxsize if field == math.inf else math.ceil((field - 1) / 2)
        self._look_ahead_frames = self._context
        self._block_frames = sys.maxsize if block_s is None else max(1, round(block_s / self.frame_s))
        if look_ahead_s is not None:
            self._look_ahead_frames = min(self._context, self._frames_within(look_ahead_s))
            self._block_frames = 1
        self._decoder = NoteDecoder(self.frame_s, decoding or model.decoding)
        # Positions count from the silence before the recording, which has been pushed, and whose scores are
        # taken as computed.
        self._n_silent_frames = model.n_silent_frames
        self._silence = np.zeros(self._n_silent_frames * self.hop_length, np.float32)
        self._samples = self._silence
        self._origin = 0  # frame of the spectrogram at which _samples begins
        self._n_samples = len(self._silence)  # pushed so far
        self._n_frames = self._n_silent_frames  # of the scores, computed so far
        self._keep_scores = keep_scores
        self._scores: list[Scores] = []

    def _frames_within(self, look_ahead_s: float) -> int:
        min_s = self._latency_s(0)
        if look_ahead_s < min_s - 1e-9:
            raise ArgumentError(f"look_ahead_s is {look_ahead_s}, expected at least this model's {min_s:.3f}")
        return math.floor((look_ahead_s - min_s) * self.sample_rate / self._hop + 1e-9)

    def _latency_s(self, look_ahead_frames: int) -> float:
        if look_ahead_frames == sys.maxsize:
            return math.inf
        n_input, n_scores = look_ahead_frames * self._hop, NEIGHBOURHOOD * self.hop_length
        return (self.model.front_end.reach + n_input + n_scores) / self.sample_rate

    @property
    def latency_s(self) -> float:
        """The algorithmic latency: seconds of sound after an onset that are needed to detect it.

        A block adds up to its own length, and the computation its time.
        """
        return self._latency_s(self._look_ahead_frames)

    @property
    def scores(self) -> dict[str, np.ndarray]:
        """The scores so far by name, (pitches, frames) each; empty unless they are kept."""
        names = self._scores[0] if self._scores else ()
        return {name: np.concatenate([block[name] for block in self._scores], axis=1) for name in names}

    @property
    def active_notes(self) -> list[Note]:
        """The notes that have begun and not ended in the frames decoded so far."""
        return self._decoder.active_notes

    def push(self, samples: np.ndarray) -> list[Note]:
        """Add samples.

        Args:
            samples: the next ones, (samples,).

        Returns:
            The notes that have ended.
        """
        self._add(samples)
        last_complete = (self._n_samples - self.model.front_end.reach) // self._hop - self._look_ahead_frames
        n_ready = last_complete // self._stride + 1
        notes = []
        while n_ready - self._n_frames >= self._block_frames:
            notes += self._transcribe(self._n_frames + self._block_frames)
        return notes

    def flush(self) -> list[Note]:
        """Return the remaining notes, and end the stream: no samples may be pushed afterwards."""
        notes, n_samples = [], self._n_samples - len(self._silence)
        n_total = self._n_silent_frames + 1 + n_samples // self.hop_length
        self._add(self._silence)
        while n_samples and self._n_frames < n_total:
            notes += self._transcribe(min(self._n_frames + self._block_frames, n_total))
        return self._end_at(n_samples / self.sample_rate, notes + self._decoder.flush())

    def _add(self, samples: np.ndarray) -> None:
        self._samples = np.concatenate([self._samples, samples.astype(np.float32, copy=False)])
        self._n_samples += len(samples)

    def _end_at(self, end_s: float, notes: list[Note]) -> list[Note]:
        """Cut notes where the recording ends; the last frame may lie as far as half a frame beyond."""
        ended = [replace(note, offset_s=min(note.offset_s, end_s)) for note in notes]
        return [note for note in ended if self._decoder.decoding.keeps(note)]

    @property
    def _n_spectrogram(self) -> int:
        """Frames of its spectrogram."""
        return 1 + self._n_samples // self._hop

    def _transcribe(self, stop: int) -> list[Note]:
        """Compute the scores of the next frames, up to `stop` (excluded); return the notes that end."""
        first = self._first_needed(self._n_frames)
        last = (stop - 1) * self._stride + self._look_ahead_frames
        spectrogram = self._spectrogram(first, min(last + 1, self._n_spectrogram))
        with torch.inference_mode():
            outputs = self.model.head.scores(self.model.head(self.model.backbone(spectrogram)))
        wanted = slice(self._n_frames - first // self._stride, stop - first // self._stride)
        scores = {name: output[0, :, wanted].float().cpu().numpy() for name, output in outputs.items()}
        if self._keep_scores:
            self._scores.append(scores)
        self._drop_before(stop)
        return self._decoder.push(scores)

    def _first_needed(self, frame: int) -> int:
        """Return the first frame of the spectrogram that a frame of the scores depends on."""
        first = max(frame * self._stride - self._context, 0)
        return first - first % self.model.backbone.time_grid

    def _spectrogram(self, first: int, stop: int) -> torch.Tensor:
        """Compute frames `first` to `stop` (excluded) of the whole spectrogram: (1, 1, bins, frames)."""
        start, end = max(first - self._edge_frames, 0), stop + self._edge_frames
        samples = self._samples[(start - self._origin) * self._hop :]
        if end < self._n_spectrogram:
            samples = samples[: (end - 1 - start) * self._hop + 1]
        with torch.inference_mode():
            spectrogram = self.model.spectrogram(torch.tensor(samples, device=self.model.device)[None])
        return spectrogram[..., first - start : stop - start]

    def _drop_before(self, frame: int) -> None:
        """Go on to a frame of the scores, and drop the samples that no later one needs."""
        self._n_frames = frame
        origin = max(self._first_needed(frame) - self._edge_frames, 0)
        self._samples = self._samples[(origin - self._origin) * self._hop :]
        self._origin = origin


@dataclass(frozen=True)
class Transcription:
    """The notes of a recording, with what is needed to write them down.

    Args:
        notes: by onset, then pitch.
        source: the audio file; None for an array.
        duration_s: length of the recording in seconds.
        frame_s: seconds from one frame of the scores to the next.
        scores: (pitches, frames) by name; empty unless they were kept.
        tuning_cents: how far the recording is tuned above A = 440 Hz, in hundredths of a semitone: the notes'
            bends are relative to that.
    """

    notes: list[Note]
    source: Path | None
    duration_s: float
    frame_s: float
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    tuning_cents: float = 0.0

    def to_midi(
        self,
        path: str | Path,
        *,
        tempo: float | None = None,
        quantise: bool = False,
        pitch_bend: bool = False,
    ) -> None:
        """Write a MIDI file.

        Args:
            path: file to write.
            tempo: quarters a minute, 4 to 1000; when None, `formats.find_tempo` of the notes, or 120 where
                that leaves it in doubt.
            quantise: move the notes to sixteenths of the tempo.
            pitch_bend: write bends too.

        Raises:
            ArgumentError: the tempo is out of range.
        """
        write_notes(self, path, "mid", tempo=tempo, quantise=quantise, pitch_bend=pitch_bend)

    to_csv = create_writer(write_notes, "csv", "Write a table, a note a line.")
    to_json = create_writer(write_notes, "json", "Write every field of each note.")
    to_jams = create_writer(write_notes, "jams", "Write a JAMS annotation.")
    to_npz = create_writer(write_notes, "npz", "Write the raw scores, if they were kept (`keep_scores`).")
    to_png = create_writer(write_notes, "png", "Plot the notes over the spectrogram of the recording.")
    to_wav = create_writer(write_notes, "wav", "Write the recording, left, and its notes as sound, right.")


def transcribe(
    sound: str | Path | tuple[np.ndarray, int],
    model: str | Path | NotesModel = "notes-piano",
    *,
    decoding: DecodingOptions | None = None,
    block_s: float | None = BLOCK_S,
    device: str = "cpu",
    tuning: float | Literal["auto"] = "auto",
    keep_scores: bool = False,
    progress: Callable[[float], object] | None = None,
    **options: float | None,
) -> Transcription:
    """Transcribe a recording: detect the notes in it.

    Args:
        sound: an audio file; or samples, (samples,) or (channels, samples), and their sample rate in Hz.
        model: name or file of a model, or one that `load` returned.
        decoding: how scores become notes; the model's own options when None.
        block_s: seconds of sound in one run of the network, which bound its memory; None: the whole recording
            at once. The notes are the same.
        device: device to run the network on, such as `cpu` or `cuda`.
        tuning: how far the instruments are tuned above A = 440 Hz, in cents (hundredths of a semitone), -200
            to 200; auto: estimated from the first minute, 0 where that is unclear.
        keep_scores: keep the raw scores.
        progress: called now and then with the seconds read so far.
        options: single fields of `DecodingOptions` that differ, such as onset_threshold=0.3.

    Returns:
        The notes, and methods that write them to files.

    Raises:
        audio.AudioError: the file cannot be read.
        models.file.ModelError: the model cannot be read, or does not transcribe notes.
        TypeError: `DecodingOptions` has no such field.
        ArgumentError: an option is out of its range.

    Example:
        >>> import audiocnn
        >>> result = audiocnn.transcribe("data/examples/menuet_piano.flac", "notes-piano")
        >>> note = result.notes[0]
        >>> print(f"{note.onset_s:.2f} to {note.offset_s:.2f} s: MIDI note {note.midi}")
        0.50 to 1.49 s: MIDI note 62
        >>> result.to_midi("menuet.mid")
    """
    notes_model = model if isinstance(model, NotesModel) else load(model, device, NotesModel)
    tuning_cents, chunks = _open(sound, notes_model.sample_rate, tuning)
    stream = StreamingTranscriber(
        notes_model.to(device),
        replace(decoding or notes_model.decoding, **options),
        block_s=block_s,
        keep_scores=keep_scores,
        tuning_cents=tuning_cents,
    )
    notes, n_samples = [], 0
    for samples in chunks:
        notes += stream.push(samples)
        n_samples += len(samples)
        if progress:
            progress(n_samples / stream.sample_rate)
    notes += stream.flush()
    return Transcription(
        notes=sort_notes(notes),
        source=None if isinstance(sound, tuple) else Path(sound),
        duration_s=n_samples / stream.sample_rate,
        frame_s=stream.frame_s,
        scores=stream.scores,
        tuning_cents=tuning_cents,
    )


def _open(
    sound: str | Path | tuple[np.ndarray, int], sample_rate: int, tuning: float | Literal["auto"]
) -> tuple[float, Iterable[np.ndarray]]:
    """Open a recording; return its tuning in cents, and its samples at the rate that goes with it."""
    if tuning != "auto":
        return tuning, _stream(sound, find_sample_rate(sample_rate, tuning))
    chunks = iter(_stream(sound, sample_rate))
    first_minute = list(islice(chunks, math.ceil(TUNING_S / BLOCK_S)))
    tuning_cents = estimate_tuning(np.concatenate(first_minute)[: round(TUNING_S * sample_rate)], sample_rate)
    if tuning_cents:
        return tuning_cents, _stream(sound, find_sample_rate(sample_rate, tuning_cents))
    return 0.0, chain(first_minute, chunks)


def _stream(sound: str | Path | tuple[np.ndarray, int], sample_rate: int) -> Iterable[np.ndarray]:
    return audio.stream(sound, sample_rate, round(BLOCK_S * sample_rate))
