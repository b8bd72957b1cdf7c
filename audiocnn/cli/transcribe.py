"""`audiocnn transcribe`: recordings -> notes, in files beside them or in a folder of the same structure."""

from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import audiocnn
from audiocnn.cli import jobs
from audiocnn.cli.loading import DecodingArguments, load_model_and_decoding
from audiocnn.cli.parser import UsageError, usage_errors
from audiocnn.cli.staging import Output, Work, describe_making
from audiocnn.formats import DEFAULT_TEMPO, NOTE_FORMATS, find_tempo, write_notes

if TYPE_CHECKING:
    from audiocnn.inference.transcribe import Transcription

    Format = str
else:  # the words that the command line takes
    Format = Literal[tuple(NOTE_FORMATS)]
SUFFIXES = {"wav": ".notes.wav"}  # in place of the format's name: song.wav would overwrite the recording


def transcribe(
    paths: Sequence[Path],
    *,
    model: str = "notes-piano",
    formats: Sequence[Format] = ("mid",),
    output: Path | None = None,
    tempo: float | None = None,
    quantise: bool = False,
    pitch_bend: bool = False,
    tuning: float | Literal["auto"] = "auto",
    block_s: float | None = 20.0,
    device: str = "cpu",
    overwrite: bool = False,
    **options: DecodingArguments,
) -> int:
    """Transcribe audio files, and all audio files in folders, to notes.

    song.mp3 gives song.mid, song.csv and so on; where one folder has song.wav and song.mp3, they give
    song.wav.mid and song.mp3.mid. The format wav gives song.notes.wav, with the recording on the left and its
    notes on the right. A file made from the same recording by the same model with the same options is not
    made again, as the hidden folder .audiocnn beside it records; files that audiocnn did not write, or that
    were changed since, are kept. A file that cannot be read or written is reported in one line and the others
    go on; the exit status is then 1.

    Args:
        paths: audio files, and folders to search for them.
        model: a model's name (see `audiocnn models`) or file.
        formats: formats of the files to write; npz holds the raw scores, png a piano roll over the
            spectrogram.
        output: folder to write to, with the subfolders of the folders searched; by default the files stand
            beside the recordings.
        tempo: tempo of the MIDI file in BPM, quarter notes per minute; by default estimated from the notes,
            or 120 where they leave it in doubt.
        quantise: quantise the notes of the MIDI file to sixteenth notes.
        pitch_bend: write pitch bends to the MIDI file, relative to the tuning of the recording.
        tuning: how far the instruments are tuned above A = 440 Hz, in cents (hundredths of a semitone), -200
            to 200; auto estimates it. The notes are those that are played, whatever the tuning.
        block_s: seconds of a recording in one forward pass; None for all of it at once, which gives the same
            notes and takes more memory.
        device: device that the network runs on, such as cpu or cuda.
        overwrite: transcribe again, and overwrite existing files.
        **options: the fields of `DecodingOptions`, in place of the model's own.

    Returns:
        The exit status.
    """
    _check(tempo, block_s, tuning)
    network, decoding = load_model_and_decoding(model, device, options)
    how = {"decoding": decoding, "block_s": block_s, "device": device, "tuning": tuning}
    midi = {"tempo": tempo, "quantise": quantise, "pitch_bend": pitch_bend}

    def process(work: Work) -> str:
        keep_scores = "npz" in work.targets
        result = audiocnn.transcribe(
            work.source, network, keep_scores=keep_scores, progress=work.update, **how
        )
        for name, target in work.targets.items():
            write_notes(result, target, name, **midi)
        return _summarise(result, tempo, "mid" in work.targets)

    if "mid" not in formats and (given := [name for name, value in midi.items() if value]):
        raise UsageError(f"{given[0]} is given, expected none without the format mid")
    made_by = describe_making("transcribe", [model], decoding=decoding, tuning=tuning)
    outputs = {name: Output(SUFFIXES.get(name, f".{name}"), made_by) for name in formats}
    if "mid" in outputs:
        outputs["mid"] = Output(".mid", {**made_by, "midi": midi})
    batch = jobs.Batch(
        outputs=outputs, process=process, output=output, overwrite=overwrite, others=[Path(model)]
    )
    return jobs.process_files(paths, batch)


def _check(tempo: float | None, block_s: float | None, tuning: float | str) -> None:
    from audiocnn.inference.tuning import check_tuning
    from audiocnn.midi import check_tempo

    if block_s is not None and not 0 < block_s < inf:
        raise UsageError(f"block_s is {block_s}, expected a finite number above 0, or null")
    if tempo is not None:
        with usage_errors():
            check_tempo(tempo)
    if tuning != "auto":
        with usage_errors():
            check_tuning(float(tuning))


def _summarise(result: "Transcription", tempo: float | None, is_midi: bool) -> str:
    """Say how many notes there are, and what was estimated to write them."""
    parts = [f"{len(result.notes)} notes"]
    if is_midi and tempo is None:
        parts.append(_describe_tempo(result))
    if cents := result.tuning_cents:
        parts.append(f"tuned {abs(cents):g} cents {'high' if cents > 0 else 'low'}")
    return "; ".join(parts)


def _describe_tempo(result: "Transcription") -> str:
    found = find_tempo(result.notes)
    return f"tempo: {found:.1f}" if found else f"tempo: {DEFAULT_TEMPO:g}, in doubt (--tempo sets it)"
