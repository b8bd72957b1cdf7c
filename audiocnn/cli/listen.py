"""`audiocnn listen`: raw sound in as it comes, notes out as they begin and end."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from audiocnn import audio, units
from audiocnn.cli import interrupts
from audiocnn.cli.arguments import DecodingArguments, UsageError, checked, task_of
from audiocnn.notes import Note

if TYPE_CHECKING:
    from audiocnn.inference.transcribe import StreamingTranscriber

BLOCK_S = 0.25  # of new sound for one run of the network: half a run's cost is what it has heard before
LOW_LATENCY_S = 0.1
N_READ = 8192  # bytes, at most; what is there is taken, and Ctrl-C waits until it is heard

Key = tuple[float, int]


def listen(
    model: str = "notes-piano",
    sample_rate: int = 44_100,
    channels: int = 1,
    look_ahead_s: float | None = None,
    low_latency: bool = False,
    device: str = "cpu",
    **options: DecodingArguments,
) -> int:
    """Tells the notes in raw 16-bit little-endian samples from the standard input, as they come.

    The first line tells the latency; then each note has a line when it begins and one when it ends: time in
    seconds, on or off, pitch and velocity. It ends with the input, or with Ctrl-C. For example:

      arecord -q -t raw -f S16_LE -r 44100 -c 1 | audiocnn listen
      ffmpeg -loglevel error -i song.mp3 -f s16le -ac 1 -ar 16000 - | audiocnn listen --sample_rate 16000

    Args:
        model: a model's name (see `audiocnn models`) or file.
        sample_rate: of the input, in Hz.
        channels: of the input, interleaved; their mean is heard.
        look_ahead_s: seconds of sound after an onset that are heard before it is told; without it, all that
            the network can use: later, and more accurate.
        low_latency: the same as --look_ahead_s 0.1.
        device: what the network runs on, such as cpu or cuda.
    """
    _check(sample_rate, channels)
    if low_latency:
        look_ahead_s = LOW_LATENCY_S
    with interrupts.held():
        from audiocnn.inference.transcribe import StreamingTranscriber

        task, decoding = task_of(model, device, options)
        with checked():
            listener = StreamingTranscriber(task, decoding, block_s=BLOCK_S, look_ahead_s=look_ahead_s)
    block_s = BLOCK_S if look_ahead_s is None else listener.frame_s
    print(f"latency {listener.latency_s:.3f} s, and up to {block_s:.3f} s until a block is full", flush=True)
    told: dict[Key, Note] = {}
    for ended in _pushed(listener, sys.stdin.buffer, sample_rate, channels):
        sounding = [n for n in listener.sounding if decoding.lowest_pitch <= n.midi <= decoding.highest_pitch]
        for line in news(ended, sounding, told):
            print(line, flush=True)
    return 0


def _check(sample_rate: int, channels: int) -> None:
    if sample_rate not in audio.RATES:
        raise UsageError(f"sample_rate is {sample_rate}, expected {audio.RATES[0]} to {audio.RATES[-1]}")
    if channels < 1:
        raise UsageError(f"channels is {channels}, expected 1 or more")
    if sys.stdin.isatty():
        raise UsageError("the standard input is a terminal, expected a pipe of raw samples")


def _pushed(
    listener: "StreamingTranscriber", stream: BinaryIO, sample_rate: int, channels: int
) -> Iterator[list[Note]]:
    """The notes that have ended, after each piece of the stream and after its end.

    Ctrl-C is held, also while the caller tells of them, but not while more sound is waited for.
    """
    resampler = audio.Resampler(sample_rate, listener.sample_rate)
    for samples in pcm(stream, channels):
        with interrupts.held():
            yield listener.push(resampler.push(samples))
    with interrupts.held():
        yield listener.push(resampler.flush()) + listener.flush()


def pcm(stream: BinaryIO, channels: int) -> Iterator[np.ndarray]:
    """Samples of a raw 16-bit stream as they come, float32 (channels, samples)."""
    left = b""
    while data := stream.read1(N_READ):  # pyright: ignore[reportAttributeAccessIssue], buffered streams have it
        left += data
        n_bytes = len(left) // (2 * channels) * 2 * channels
        frames = np.frombuffer(left[:n_bytes], "<i2").reshape(-1, channels)
        yield frames.T.astype(np.float32) / 32_768
        left = left[n_bytes:]


def news(ended: list[Note], sounding: list[Note], told: dict[Key, Note]) -> list[str]:
    """Lines for the notes that began and ended since the last call, in the order of time.

    Args:
        told: the notes whose beginning has been told and whose end has not; kept up to date here.
    """
    events = [(note.onset_s, True, note) for note in (*ended, *sounding) if _key(note) not in told]
    begun = {**told, **{_key(note): note for note in ended}}
    still = {_key(note): note for note in sounding}
    # A note that has gone without an end was dropped, as too short: it ends where it was last heard.
    events += [(note.offset_s, False, note) for key, note in begun.items() if key not in still]
    told.clear()
    told.update(still)
    return [_line(*event) for event in sorted(events, key=lambda event: (event[0], event[1], event[2].midi))]


def _key(note: Note) -> Key:
    return note.onset_s, note.midi


def _line(time_s: float, begins: bool, note: Note) -> str:
    line = f"{time_s:9.3f}  {'on' if begins else 'off':3}  {units.midi_to_note(note.midi):4}"
    return f"{line}  {note.velocity:3}" if begins else line.rstrip()
