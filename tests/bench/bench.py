"""Speed, memory and start of `audiocnn transcribe`, measured in one run, beside a peer where there is one.

    make bench
    PEER_PYTHON=../peer/bin/python make bench

PEER_PYTHON names the python of an environment with basic-pitch (peer_notes.py tells how to make one). Every
run is a fresh process on a FLAC file, 44.1 kHz stereo, and counts everything: interpreter, imports, model,
audio, network, notes, MIDI file. Ours and the peer's runs alternate; a figure is the median of its runs. This
process imports neither torch nor librosa: a process is told the peak memory of the one that started it where
that is higher.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import peer
from rich.console import Console
from rich.table import Table

from audiocnn import audio, files

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("audiocnn")
SAMPLE_RATE = 44_100
BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss
LIVE_MINUTES = 0.25
WIDTH = 120  # of the table, in characters


@dataclass(frozen=True)
class Run:
    """A process that has ended: its wall time, its processor time on all cores, the most memory it held."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str = ""


def run(command: Iterable[str | os.PathLike]) -> Run:
    """Raises: SystemExit when the command fails."""
    command = [str(part) for part in command]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began_s = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began_s
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            reason = errors.read()[-2000:].decode(errors="replace")
            raise SystemExit(f"{' '.join(command)} failed with {process.returncode}:\n{reason}")
        output.seek(0)
        text = output.read().decode(errors="replace")
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * BYTES / 1e6, text)


def medians(runs: list[Run]) -> Run:
    """The median of each figure."""
    return Run(*(median(getattr(one, name) for one in runs) for name in ("wall_s", "cpu_s", "peak_mb")))


def make_music(path: Path, minutes: float) -> None:
    """Writes the example recordings again and again, with other gains each time and in each channel."""
    pieces = [audio.load(file, SAMPLE_RATE) for file in audio.find_recordings(ROOT / "data" / "examples")]
    gains = np.random.default_rng(0)
    n_left, number = round(minutes * 60 * SAMPLE_RATE), 0
    with audio.create(path, SAMPLE_RATE, 2) as file:
        while n_left:
            frames = pieces[number % len(pieces)][:n_left, None] * gains.uniform(0.3, 0.9, 2).astype(
                np.float32
            )
            for start in range(0, len(frames), audio.N_READ):
                file.write(frames[start : start + audio.N_READ])
            n_left, number = n_left - len(frames), number + 1


@dataclass(frozen=True)
class Figure:
    """A line of the table: ours, the other's where there is one, and the bar for ours or for their ratio."""

    what: str
    unit: str
    ours: float
    other: float | None = None
    bar: float | None = None
    bar_on_ratio: bool = False
    ratio_of_pairs: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours over the other's, of runs one after the other where that is known."""
        if self.ratio_of_pairs is not None:
            return self.ratio_of_pairs
        return None if self.other is None else self.ours / self.other

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None where there is none, or nothing to compare with."""
        value = self.ratio if self.bar_on_ratio else self.ours
        return None if self.bar is None or value is None else value <= self.bar


def transcribing(folder: Path, minutes: float, long_minutes: float, repeats: int, model: str) -> list[Figure]:
    """Wall time, processor time and memory of the short and the long recording."""
    short, long = folder / "short.flac", folder / "long.flac"
    make_music(short, minutes)
    make_music(long, long_minutes)
    ours, other = [], []
    for number in range(repeats):
        ours.append(run(_ours(short, folder / f"ours_{number}", model)))
        if peer.python():
            other.append(run(peer.command(short, folder / f"peer_{number}.mid")))
    mine, longer = medians(ours), run(_ours(long, folder / "ours_long", model))
    theirs = medians(other) if other else None
    return [*_beside(mine, theirs, minutes), *_longer(longer, mine, minutes, long_minutes)]


def _beside(ours: Run, other: Run | None, minutes: float) -> list[Figure]:
    what, unit, percent = f"{minutes:g} min of audio", "% of real time", 100 / (60 * minutes)
    wall, cpu, peak = (other.wall_s * percent, other.cpu_s * percent, other.peak_mb) if other else (None,) * 3
    return [
        Figure(f"{what}: wall time", unit, ours.wall_s * percent, wall, bar=1.0, bar_on_ratio=True),
        Figure(f"{what}: processor time", unit, ours.cpu_s * percent, cpu),
        Figure(f"{what}: peak memory", "MB", ours.peak_mb, peak, bar=700.0),
    ]


def _longer(longer: Run, shorter: Run, minutes: float, long_minutes: float) -> list[Figure]:
    what, growth_mb = f"{long_minutes:g} min", longer.peak_mb - shorter.peak_mb
    return [
        Figure(f"{what}: wall time", "% of real time", longer.wall_s * 100 / (60 * long_minutes)),
        Figure(f"{what}: peak memory", "MB", longer.peak_mb, bar=700.0),
        Figure(f"{what}: memory beyond that of {minutes:g} min", "MB", growth_mb, bar=50.0),
    ]


def _ours(recording: Path, output: Path, model: str) -> list[str | os.PathLike]:
    return [COMMAND, "transcribe", recording, "--model", model, "--formats", "mid", "--output", output]


def starting(repeats: int) -> Figure:
    """Time of `audiocnn --help`, beside a python that does nothing."""
    ours, bare = [], []
    for _ in range(repeats):
        ours.append(run([COMMAND, "--help"]))
        bare.append(run([sys.executable, "-c", "pass"]))
    return Figure(
        "audiocnn --help (beside: python -c pass)", "s", medians(ours).wall_s, medians(bare).wall_s, bar=0.5
    )


def network(folder: Path, minutes: float, model: str) -> list[Figure]:
    """Listening frame by frame, and the network's multiplications."""
    recording = folder / "live.flac"
    make_music(recording, minutes)
    costs = json.loads(run([sys.executable, Path(__file__).with_name("network.py"), model, recording]).output)
    return [
        Figure(
            f"live, {1000 * costs['live_latency_s']:.0f} ms latency: computing",
            "s per s of audio",
            costs["live_s_per_s"],
            bar=1.0,
        ),
        Figure("latency without the low-latency setting", "s", costs["latency_s"]),
        Figure("network", "GMAC per s of audio", costs["network_macs_per_s"] / 1e9),
        Figure(
            "front end, without Fourier transforms",
            "GMAC per s of audio",
            costs["front_end_macs_per_s"] / 1e9,
        ),
        Figure("parameters", "millions", costs["parameters"] / 1e6),
    ]


def print_table(figures: list[Figure]) -> None:
    """Prints a line a figure."""
    table = Table("what", "unit", title=f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end")
    for name in ("audiocnn", "beside", "ratio", "bar"):
        table.add_column(name, justify="right")
    table.add_column("met")
    for figure in figures:
        bar = "" if figure.bar is None else f"≤ {figure.bar:g}{' as ratio' if figure.bar_on_ratio else ''}"
        numbers = (
            "" if value is None else f"{value:.3g}" for value in (figure.ours, figure.other, figure.ratio)
        )
        table.add_row(
            figure.what, figure.unit, *numbers, bar, {None: "", True: "yes", False: "NO"}[figure.met]
        )
    Console(width=WIDTH).print(table)


def write_json(figures: list[Figure], path: Path) -> None:
    """Writes what the table shows and the machine it was measured on."""
    document = {
        "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0], "platform": platform.platform()},
        "figures": [{**asdict(figure), "ratio": figure.ratio, "met": figure.met} for figure in figures],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.write_atomically(path) as partial:
        partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="notes-piano", help="name or file of the model")
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="of the recording that speed is measured on"
    )
    parser.add_argument("--long-minutes", type=float, default=60.0, help="of the recording for memory")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each")
    parser.add_argument("--quick", action="store_true", help="try it out: 0.5 and 1 minute, one run")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench.json")
    options = parser.parse_args()
    if options.quick:
        options.minutes, options.long_minutes, options.repeats = 0.5, 1.0, 1
    with tempfile.TemporaryDirectory() as name:
        figures = [
            *transcribing(Path(name), options.minutes, options.long_minutes, options.repeats, options.model),
            starting(options.repeats),
            *network(Path(name), min(LIVE_MINUTES, options.minutes), options.model),
        ]
    print_table(figures)
    write_json(figures, options.output)


if __name__ == "__main__":
    main()
