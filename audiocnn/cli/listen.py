"""`audiocnn listen`: a stream of raw samples -> notes in real time, as they begin and end."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from audiocnn import audio, files, units
from audiocnn.cli.loading import DecodingArguments, load_model_and_decoding
from audiocnn.cli.parser import UsageError, usage_errors
from audiocnn.notes import Note
from audiocnn.ranges import Range

if TYPE_CHECKING:
    from audiocnn.inference.transcribe import StreamingTranscriber

BLOCK_S = 0.25  # new sound in one run of the network, whose context is half of its cost
LOW_LATENCY_S = 0.1
N_READ = 8192  # bytes, at most; what is available is read

CHANNELS = Range(1, 1024, whole=True)  # as in libsndfile
INPUT = "standard input"

Key = tuple[float, int]  # onset and pitch of a note


def listen(
    *,
    model: str = "notes-piano",
    sample_rate: int = 44_100,
    channels: int = 1,
    look_ahead_s: float | None = None,
    low_latency: bool = False,
    tuning: float = 0.0,
    device: str = "cpu",
    **options: DecodingArguments,
) -> int:
    """Transcribe raw 16-bit little-endian samples from the standard input, in real time.

    The first line is the latency; then a line is printed when a note begins and another when it ends: time in
    seconds, on or off, pitch and velocity. It ends with the input, or with Ctrl-C. For example, from a file:

      ffmpeg -loglevel error -i song.mp3 -f s16le -ac 1 -ar 16000 - | audiocnn listen --sample-rate 16000

    Args:
        model: a model's name (see `audiocnn models`) or file.
        sample_rate: sample rate of the input, in Hz.
        channels: number of interleaved channels of the input; their mean is transcribed, without those that
            cancel others.
        look_ahead_s: look-ahead, the seconds of sound after an onset that the model may use before the note
            is printed; by default as many as it can use, which is later and more accurate.
        low_latency: the same as --look-ahead-s 0.1.
        tuning: how far the instruments are tuned above A = 440 Hz, in cents (hundredths of a semitone), -200
            to 200: of a stream it is not estimated.
        device: device that the network runs on, such as cpu or cuda.
        **options: the fields of `DecodingOptions`, in place of the model's own.

    Returns:
        The exit status.
    """
    _check(sample_rate, channels)
    if low_latency and look_ahead_s is not None:
        raise UsageError(f"look_ahead_s is {look_ahead_s}, expected none with a low latency")
    if low_latency:
        look_ahead_s = LOW_LATENCY_S
    from audiocnn.inference.transcribe import StreamingTranscriber

    network, decoding = load_model_and_decoding(model, device, options)
    with usage_errors():
        transcriber = StreamingTranscriber(
            network, decoding, block_s=BLOCK_S, look_ahead_s=look_ahead_s, tuning_cents=tuning
        )
    block_s = BLOCK_S if look_ahead_s is None else transcriber.frame_s
    print(
        f"latency {transcriber.latency_s:.3f} s, and up to {block_s:.3f} s until a block is full", flush=True
    )
    pitches = range(decoding.lowest_pitch, decoding.highest_pitch + 1)
    printed: dict[Key, Note] = {}
    for ended in _transcribe_stream(transcriber, sys.stdin.buffer, sample_rate, channels):
        active = [note for note in transcriber.active_notes if note.midi in pitches]
        for line in format_events(ended, active, printed):
            print(line, flush=True)
    return 0


def _check(sample_rate: int, channels: int) -> None:
    if sample_rate not in audio.SAMPLE_RATES:
        low, high = audio.SAMPLE_RATES[0], audio.SAMPLE_RATES[-1]
        raise UsageError(f"sample_rate is {sample_rate}, expected {low} to {high}")
    with usage_errors():
        CHANNELS.check("channels", channels)
    if sys.stdin.isatty():
        raise UsageError("the standard input is a terminal, expected a pipe of raw samples")


def _transcribe_stream(
    transcriber: "StreamingTranscriber", stream: BinaryIO, sample_rate: int, channels: int
) -> Iterator[list[Note]]:
    """Yield the notes that have ended, after each read of the stream and after its end."""
    resampler = audio.Resampler(sample_rate, transcriber.sample_rate, INPUT)
    for samples in read_pcm(stream, channels):
        yield transcriber.push(resampler.push(samples))
    yield transcriber.push(resampler.flush()) + transcriber.flush()


def read_pcm(stream: BinaryIO, channels: int) -> Iterator[np.ndarray]:
    """Yield the samples of a raw 16-bit stream as they arrive, float32.

    Raises:
        FileError: there are none, or the stream cannot be read.

    Shape:
        (channels, samples).
    """
    left, n_frames = b"", 0
    while data := _read(stream):
        left += data
        n_bytes = len(left) // (2 * channels) * 2 * channels
        frames = np.frombuffer(left[:n_bytes], "<i2").reshape(-1, channels)
        n_frames += len(frames)
        yield frames.T.astype(np.float32) / 32_768
        left = left[n_bytes:]
    if not n_frames:
        raise files.FileError(INPUT, "holds no samples, expected raw 16-bit ones")
    if left:
        files.warn(INPUT, [f"ends within a frame of {2 * channels} bytes, of which {len(left)} are dropped"])


def _read(stream: BinaryIO) -> bytes:
    try:
        return stream.read1(N_READ)  # pyright: ignore[reportAttributeAccessIssue], buffered streams have it
    except OSError as error:
        raise files.FileError(INPUT, files.describe_error(error)) from error


def format_events(ended: list[Note], active: list[Note], printed: dict[Key, Note]) -> list[str]:
    """Return lines for the notes that began and ended since the last call, in the order of time.

    Args:
        ended: notes that ended since.
        active: notes that have begun and not ended.
        printed: the notes whose onset has been printed and whose offset has not; updated in place.
    """
    events = [(note.onset_s, True, note) for note in (*ended, *active) if _key(note) not in printed]
    begun = {**printed, **{_key(note): note for note in ended}}
    still = {_key(note): note for note in active}
    # A note that vanished without an offset was dropped, as too short: it ends where it last sounded.
    events += [(note.offset_s, False, note) for key, note in begun.items() if key not in still]
    printed.clear()
    printed.update(still)
    return [_line(*event) for event in sorted(events, key=lambda event: (event[0], event[1], event[2].midi))]


def _key(note: Note) -> Key:
    return note.onset_s, note.midi


def _line(time_s: float, begins: bool, note: Note) -> str:
    line = f"{time_s:9.3f}  {'on' if begins else 'off':3}  {units.midi_to_note(note.midi):4}"
    return f"{line}  {note.velocity:3}" if begins else line.rstrip()
