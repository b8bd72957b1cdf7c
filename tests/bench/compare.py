"""A model of ours and the peer on the same recordings, scored by the same function, side by side.

    PEER_PYTHON=../peer/bin/python python tests/bench/compare.py FOLDER --model notes --count RECORDING ...

FOLDER holds recordings with notes beside them, as for `audiocnn evaluate notes`. In the recordings that
follow --count, which have few notes or none, and in silence and white noise, the transcribed notes are
counted. The peer's notes are kept in build/peer_notes and used again. Without PEER_PYTHON only our model is
evaluated, with --model '' only the peer.
"""

import argparse
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import peer
from rich.console import Console
from rich.table import Table

import audiocnn
from audiocnn import audio, evaluate, formats
from audiocnn.models.load import load
from audiocnn.models.notes import NotesModel
from audiocnn.notes import Note

BUILD = Path(__file__).parents[2] / "build"
MEASURES = {"note": "note F1", "note_offset": "note+offset F1", "frame": "frame F1"}
NOISE_S = 30  # seconds of silence and of noise
NOISE_RATE = 44_100  # Hz
WIDTH = 120  # characters of the tables

Transcribe = Callable[[Path], list[Note]]


def transcribe_by_peer(recordings: list[Path]) -> Transcribe:
    """Transcribe recordings by the peer, in one process; return a function from a recording to its notes.

    Args:
        recordings: audio files.
    """
    missing = [recording for recording in recordings if not _is_cached(recording)]
    if missing:
        pairs = [part for recording in missing for part in (recording, _cache_path(recording))]
        subprocess.run(peer.command(*pairs), check=True, stdout=subprocess.DEVNULL)
    return lambda recording: formats.read_notes(_cache_path(recording))


def _cache_path(recording: Path) -> Path:
    resolved = recording.resolve()
    return BUILD / "peer_notes" / resolved.relative_to(resolved.anchor).with_suffix(".csv")


def _is_cached(recording: Path) -> bool:
    cached = _cache_path(recording)
    return cached.exists() and cached.stat().st_mtime > recording.stat().st_mtime


def transcribe_by_model(name: str) -> Transcribe:
    """Return a function that transcribes a recording by a model.

    Args:
        name: name or file of the model.
    """
    model = load(name, kind=NotesModel)
    return lambda recording: audiocnn.transcribe(recording, model).notes


def print_scores(folder: Path, systems: dict[str, Transcribe]) -> None:
    """Print the F1 of each recording and their means, in percent.

    Args:
        folder: recordings with notes.
        systems: functions from a recording to its notes, by name.
    """
    reports = {name: evaluate.evaluate_notes(folder, transcribe) for name, transcribe in systems.items()}
    table = Table("recording", title=f"F1 in %: {folder}")
    for title in MEASURES.values():
        for name in reports:
            table.add_column(f"{title}\n{name}", justify="right")
    rows = {recording: None for report in reports.values() for recording in report.scores}
    for recording in [*rows, "mean"]:
        scores = [
            report.mean if recording == "mean" else report.scores.get(recording)
            for report in reports.values()
        ]
        cells = (
            f"{100 * score[measure]['f1']:.1f}" if score and score[measure] else "-"
            for measure in MEASURES
            for score in scores
        )
        table.add_row(recording, *cells, end_section=recording == list(rows)[-1])
    Console(width=WIDTH).print(table)
    for name, report in reports.items():
        for reason in report.unreadable.values():
            Console(stderr=True).print(f"{name}: {reason}")


def print_counts(recordings: list[Path], systems: dict[str, Transcribe]) -> None:
    """Print how many notes are transcribed.

    Args:
        recordings: audio files with few notes or none.
        systems: functions from a recording to its notes, by name.
    """
    table = Table("recording", "seconds", title="transcribed notes")
    for name in systems:
        table.add_column(name, justify="right")
    for recording in recordings:
        counts = (str(len(transcribe(recording))) for transcribe in systems.values())
        table.add_row(recording.stem, f"{audio.read_duration_s(recording):.1f}", *counts)
    Console(width=WIDTH).print(table)


def write_noises() -> list[Path]:
    """Write silence and white noise 20 dB below full scale to build/noises, where they are missing.

    Returns:
        Paths of the files.
    """
    folder = BUILD / "noises"
    noise = np.random.default_rng(0).normal(0, 0.1, NOISE_S * NOISE_RATE).astype(np.float32)
    sounds = {"silence": np.zeros_like(noise), "white_noise": noise}
    for name, samples in sounds.items():
        if not (folder / f"{name}.flac").exists():
            audio.save(folder / f"{name}.flac", samples, NOISE_RATE)
    return [folder / f"{name}.flac" for name in sounds]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="recordings with notes, or one of them")
    parser.add_argument("--model", default="notes", help="name or file of our model; '' for none")
    parser.add_argument(
        "--count", type=Path, nargs="*", default=[], help="recordings whose notes are counted"
    )
    options = parser.parse_args()
    counted = [*write_noises(), *(file for path in options.count for file in audio.find_recordings(path))]
    systems = {"audiocnn": transcribe_by_model(options.model)} if options.model else {}
    if peer.python():
        scored = list(evaluate.find_pairs(options.folder).references)
        systems["basic-pitch"] = transcribe_by_peer([*scored, *counted])
    print_scores(options.folder, systems)
    print_counts(counted, systems)


if __name__ == "__main__":
    main()
