"""A model of ours and the peer on the same recordings, scored by the same function, side by side.

    PEER_PYTHON=../peer/bin/python python tests/bench/compare.py FOLDER --model notes --count RECORDING ...

FOLDER holds recordings with notes beside them, as for `audiocnn evaluate notes`. Of the recordings that
follow --count, where there is little to hear, and of silence and white noise, the notes heard are counted.
The peer's notes are kept in build/peer_notes and not made again. Without PEER_PYTHON only ours are shown,
with --model '' only the peer's.
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
from audiocnn.notes import Note

BUILD = Path(__file__).parents[2] / "build"
MEASURES = {"onset": "note F1", "onset_offset": "note+offset F1", "frame": "frame F1"}
NOISE_S = 30
WIDTH = 120  # of the tables, in characters

Transcribe = Callable[[Path], list[Note]]


def peer_transcribe(recordings: list[Path]) -> Transcribe:
    """The peer as a function that gives the notes of any of the recordings, heard in one process."""
    missing = [recording for recording in recordings if not _is_kept(recording)]
    if missing:
        pairs = [part for recording in missing for part in (recording, _kept(recording))]
        subprocess.run(peer.command(*pairs), check=True, stdout=subprocess.DEVNULL)
    return lambda recording: formats.read_notes(_kept(recording))


def _kept(recording: Path) -> Path:
    resolved = recording.resolve()
    return BUILD / "peer_notes" / resolved.relative_to(resolved.anchor).with_suffix(".csv")


def _is_kept(recording: Path) -> bool:
    kept = _kept(recording)
    return kept.exists() and kept.stat().st_mtime > recording.stat().st_mtime


def our_transcribe(model: str) -> Transcribe:
    """A model as such a function."""
    task = audiocnn.load(model)
    return lambda recording: audiocnn.transcribe(recording, task).notes


def print_scores(folder: Path, listeners: dict[str, Transcribe]) -> None:
    """Prints the F1 of each recording and their means, in per cent."""
    reports = {name: evaluate.evaluate_notes(folder, transcribe) for name, transcribe in listeners.items()}
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
            f"{100 * score[measure]['f1']:.1f}" if score else "-" for measure in MEASURES for score in scores
        )
        table.add_row(recording, *cells, end_section=recording == list(rows)[-1])
    Console(width=WIDTH).print(table)
    for name, report in reports.items():
        for reason in report.unreadable.values():
            Console(stderr=True).print(f"{name}: {reason}")


def print_counts(recordings: list[Path], listeners: dict[str, Transcribe]) -> None:
    """Prints how many notes are heard where there is little to hear."""
    table = Table("recording", "seconds", title="notes heard")
    for name in listeners:
        table.add_column(name, justify="right")
    for recording in recordings:
        counts = (str(len(transcribe(recording))) for transcribe in listeners.values())
        table.add_row(recording.stem, f"{audio.read_duration_s(recording):.1f}", *counts)
    Console(width=WIDTH).print(table)


def noises() -> list[Path]:
    """Files of silence and of white noise 20 dB below full scale, kept in build/noises."""
    folder = BUILD / "noises"
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).normal(0, 0.1, NOISE_S * 44_100).astype(np.float32)
    sounds = {"silence": np.zeros_like(noise), "white_noise": noise}
    for name, samples in sounds.items():
        if not (folder / f"{name}.flac").exists():
            audio.save(folder / f"{name}.flac", samples, 44_100)
    return [folder / f"{name}.flac" for name in sounds]


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="recordings with notes, or one of them")
    parser.add_argument("--model", default="notes", help="name or file of our model; '' for none")
    parser.add_argument(
        "--count", type=Path, nargs="*", default=[], help="recordings whose notes are counted"
    )
    options = parser.parse_args()
    counted = [*noises(), *(file for path in options.count for file in audio.find_recordings(path))]
    listeners = {"audiocnn": our_transcribe(options.model)} if options.model else {}
    if peer.python():
        scored = [recording for recording, _ in evaluate.find_pairs(options.folder)]
        listeners["basic-pitch"] = peer_transcribe([*scored, *counted])
    print_scores(options.folder, listeners)
    print_counts(counted, listeners)


if __name__ == "__main__":
    main()
