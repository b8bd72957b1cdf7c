"""`audiocnn transcribe`: recordings in, notes out, beside them or in a folder of the same shape."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import audiocnn
from audiocnn.cli import interrupts, recordings
from audiocnn.cli.arguments import DecodingArguments, UsageError, checked, task_of

if TYPE_CHECKING:
    from audiocnn.inference.transcribe import Transcription

Format = Literal["mid", "csv", "json", "jams", "npz", "png", "wav"]


def transcribe(
    paths: Sequence[Path],
    model: str = "notes-piano",
    formats: Sequence[Format] = ("mid",),
    output: Path | None = None,
    tempo: float | None = None,
    quantise: bool = False,
    pitch_bend: bool = False,
    whole: bool = False,
    batch_size: int = 1,
    device: str = "cpu",
    overwrite: bool = False,
    **options: DecodingArguments,
) -> int:
    """Writes the notes of audio files, and of all audio files in folders.

    song.mp3 gives song.mid, song.csv and so on; where one folder has song.wav and song.mp3, they give
    song.wav.mid and song.mp3.mid. The format wav gives song.notes.wav, with the recording on the left and its
    notes on the right; such files are passed over in folders. What is there already stays. A file that cannot
    be read or written is told in one line and the others go on; the exit status is then 1.

    Args:
        paths: audio files, and folders to search for them.
        model: a model's name (see `audiocnn models`) or file.
        formats: what to write, of mid, csv, json, jams, npz (raw scores), png and wav.
        output: folder to write to, with the subfolders of the folders searched; without it, what is written
            stands beside the recordings.
        tempo: quarters a minute of the MIDI file; without it, found from the notes.
        quantise: moves the notes of the MIDI file to sixteenths of the tempo.
        pitch_bend: writes bends to the MIDI file.
        whole: runs the network once over a recording instead of in blocks: the same notes for more memory.
        batch_size: blocks of sound in one run of the network.
        device: what the network runs on, such as cpu or cuda.
        overwrite: writes anew what is there already.
    """
    _check(tempo, batch_size)
    suffixes = {name: recordings.SOUND_SUFFIX if name == "wav" else f".{name}" for name in formats}

    def ready() -> recordings.Hear:
        pass

        task, decoding = task_of(model, device, options)
        how = {"decoding": decoding, "whole": whole, "batch_size": batch_size, "device": device}
        midi = {"tempo": tempo, "quantise": quantise, "pitch_bend": pitch_bend}

        def hear(source: Path, targets: dict[str, Path], progress: recordings.Progress) -> str:
            heard = audiocnn.transcribe(source, task, keep_scores="npz" in targets, progress=progress, **how)
            for name, target in targets.items():
                interrupts.check()
                _write(heard, name, target, midi)
            return f"{len(heard.notes)} notes"

        return hear

    return recordings.hear(paths, output, suffixes, overwrite, ready)


def _check(tempo: float | None, batch_size: int) -> None:
    from audiocnn.midi import check_tempo

    if batch_size < 1:
        raise UsageError(f"batch_size is {batch_size}, expected 1 or more")
    if tempo is not None:
        with checked():
            check_tempo(tempo)


def _write(heard: "Transcription", name: str, target: Path, midi: dict[str, Any]) -> None:
    if name == "mid":
        heard.to_midi(target, **midi)
    else:
        getattr(heard, f"to_{name}")(target)
