"""Speed, memory and start-up time of `audiocnn transcribe`, beside a peer where there is one.

    make bench
    PEER_PYTHON=../peer/bin/python make bench

PEER_PYTHON names the Python of an environment with basic-pitch (see peer_notes.py for how to make one). Every
run is a fresh process on a FLAC file, 44.1 kHz stereo, and counts everything: interpreter, imports, model,
audio, network, notes, MIDI file. Our runs and the peer's alternate; a measurement is the median of its runs.
This process imports neither torch nor librosa: a process inherits the peak memory of the one that started it
where that is higher.
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
SAMPLE_RATE = 44_100  # Hz
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss
LIVE_MINUTES = 0.25  # of the recording that is transcribed frame by frame
MAX_PEAK_MB = 700.0
MAX_GROWTH_MB = 50.0  # of peak memory, from the short to the long recording
MAX_START_S = 0.5  # of `audiocnn --help`
WIDTH = 120  # characters of the table


@dataclass(frozen=True)
class Run:
    """A finished process: wall time, processor time on all cores, peak memory, and standard output."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str = ""


def run_process(command: Iterable[str | os.PathLike]) -> Run:
    """Run a command and measure its process.

    Args:
        command: program and arguments.

    Raises:
        SystemExit: the command fails.
    """
    command = [str(part) for part in command]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start_s = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start_s
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            reason = errors.read()[-2000:].decode(errors="replace")
            raise SystemExit(f"{' '.join(command)} failed with {process.returncode}:\n{reason}")
        output.seek(0)
        text = output.read().decode(errors="replace")
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * MAXRSS_BYTES / 1e6, text)


def take_medians(runs: list[Run]) -> Run:
    """Take the median of each measurement of runs.

    Args:
        runs: at least one.
    """
    return Run(*(median(getattr(one, name) for one in runs) for name in ("wall_s", "cpu_s", "peak_mb")))


def write_music(path: Path, minutes: float) -> None:
    """Write the example recordings over and over, with random gains for each repetition and channel.

    Args:
        path: audio file to write.
        minutes: duration.
    """
    recordings = [audio.load(file, SAMPLE_RATE) for file in audio.find_recordings(ROOT / "data" / "examples")]
    gains = np.random.default_rng(0)
    n_left, number = round(minutes * 60 * SAMPLE_RATE), 0
    with audio.create(path, SAMPLE_RATE, 2) as file:
        while n_left:
            gain = gains.uniform(0.3, 0.9, 2).astype(np.float32)
            samples = recordings[number % len(recordings)][:n_left, None] * gain
            for start in range(0, len(samples), audio.N_READ):
                file.write(samples[start : start + audio.N_READ])
            n_left, number = n_left - len(samples), number + 1


@dataclass(frozen=True)
class Measurement:
    """A row of the table.

    Args:
        name: of what is measured.
        unit: of `ours` and `reference`.
        ours: the measurement of audiocnn.
        reference: that of the peer or the reference implementation, where there is one.
        limit: highest value of `ours`, or of the ratio, that is accepted.
        limits_ratio: whether the limit is one of the ratio.
        ratio_of_pairs: median ratio of alternating runs, where known; a machine that slows down between two
            pairs does not change it.
    """

    name: str
    unit: str
    ours: float
    reference: float | None = None
    limit: float | None = None
    limits_ratio: bool = False
    ratio_of_pairs: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours over the reference's."""
        if self.ratio_of_pairs is not None:
            return self.ratio_of_pairs
        return None if self.reference is None else self.ours / self.reference

    @property
    def within_limit(self) -> bool | None:
        """Whether the limit is kept; None where there is none, or nothing to compare with."""
        value = self.ratio if self.limits_ratio else self.ours
        return None if self.limit is None or value is None else value <= self.limit


def measure_transcription(
    folder: Path, minutes: float, long_minutes: float, repeats: int, model: str
) -> list[Measurement]:
    """Measure time and memory of transcribing a short and a long recording.

    Args:
        folder: for recordings and transcriptions.
        minutes: duration of the short recording, which the peer transcribes too.
        long_minutes: duration of the long recording.
        repeats: runs on the short recording.
        model: name or file of the model.
    """
    short, long = folder / "short.flac", folder / "long.flac"
    write_music(short, minutes)
    write_music(long, long_minutes)
    ours, peers = [], []
    for number in range(repeats):
        ours.append(run_process(_transcribe(short, folder / f"ours_{number}", model)))
        if peer.python():
            peers.append(run_process(peer.command(short, folder / f"peer_{number}.mid")))
    on_short, on_long = take_medians(ours), run_process(_transcribe(long, folder / "ours_long", model))
    reference = take_medians(peers) if peers else None
    return [*_compare(on_short, reference, minutes), *_extend(on_long, on_short, minutes, long_minutes)]


def _compare(ours: Run, peers: Run | None, minutes: float) -> list[Measurement]:
    name, unit, percent = f"{minutes:g} min of audio", "% of real time", 100 / (60 * minutes)
    wall, cpu, peak = (peers.wall_s * percent, peers.cpu_s * percent, peers.peak_mb) if peers else (None,) * 3
    return [
        Measurement(f"{name}: wall time", unit, ours.wall_s * percent, wall, limit=1.0, limits_ratio=True),
        Measurement(f"{name}: processor time", unit, ours.cpu_s * percent, cpu),
        Measurement(f"{name}: peak memory", "MB", ours.peak_mb, peak, limit=MAX_PEAK_MB),
    ]


def _extend(long: Run, short: Run, minutes: float, long_minutes: float) -> list[Measurement]:
    name, growth_mb = f"{long_minutes:g} min", long.peak_mb - short.peak_mb
    return [
        Measurement(f"{name}: wall time", "% of real time", long.wall_s * 100 / (60 * long_minutes)),
        Measurement(f"{name}: peak memory", "MB", long.peak_mb, limit=MAX_PEAK_MB),
        Measurement(f"{name}: memory beyond that of {minutes:g} min", "MB", growth_mb, limit=MAX_GROWTH_MB),
    ]


def _transcribe(recording: Path, output: Path, model: str) -> list[str | os.PathLike]:
    return [COMMAND, "transcribe", recording, "--model", model, "--formats", "mid", "--output", output]


def measure_start(repeats: int) -> Measurement:
    """Measure the time of `audiocnn --help`, beside a Python that does nothing.

    Args:
        repeats: runs of each.
    """
    ours, bare = [], []
    for _ in range(repeats):
        ours.append(run_process([COMMAND, "--help"]))
        bare.append(run_process([sys.executable, "-c", "pass"]))
    name = "audiocnn --help (reference: python -c pass)"
    return Measurement(name, "s", take_medians(ours).wall_s, take_medians(bare).wall_s, limit=MAX_START_S)


def measure_network(folder: Path, minutes: float, model: str) -> list[Measurement]:
    """Measure streaming transcription frame by frame, and count the network's multiply-accumulates.

    Args:
        folder: for the recording.
        minutes: duration of the recording.
        model: name or file of the model.
    """
    recording = folder / "live.flac"
    write_music(recording, minutes)
    script = Path(__file__).with_name("network.py")
    costs = json.loads(run_process([sys.executable, script, model, recording]).output)
    latency_ms, per_second = 1000 * costs["live_latency_s"], "GMAC per s of audio"
    computing = f"streaming, {latency_ms:.0f} ms latency: computing time"
    front_end = costs["front_end_macs_per_s"] / 1e9
    return [
        Measurement(computing, "s per s of audio", costs["live_s_per_s"], limit=1.0),
        Measurement("latency with the default look-ahead", "s", costs["latency_s"]),
        Measurement("network", per_second, costs["network_macs_per_s"] / 1e9),
        Measurement("front end, without Fourier transforms", per_second, front_end),
        Measurement("parameters", "millions", costs["parameters"] / 1e6),
    ]


def print_table(measurements: list[Measurement]) -> None:
    """Print a table with a row for each measurement.

    Args:
        measurements: rows of the table.
    """
    load = os.getloadavg()[0]
    table = Table("measurement", "unit", title=f"{os.cpu_count()} cores, load {load:.1f} at the end")
    for name in ("audiocnn", "reference", "ratio", "limit"):
        table.add_column(name, justify="right")
    table.add_column("within")
    for one in measurements:
        limit = "" if one.limit is None else f"≤ {one.limit:g}{' as ratio' if one.limits_ratio else ''}"
        values = ("" if value is None else f"{value:.3g}" for value in (one.ours, one.reference, one.ratio))
        within = {None: "", True: "yes", False: "NO"}[one.within_limit]
        table.add_row(one.name, one.unit, *values, limit, within)
    Console(width=WIDTH).print(table)


def write_json(measurements: list[Measurement], path: Path) -> None:
    """Write measurements, and the machine that they were made on.

    Args:
        measurements: rows of the table.
        path: JSON file to write.
    """
    rows = [{**asdict(one), "ratio": one.ratio, "within_limit": one.within_limit} for one in measurements]
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "platform": platform.platform()}
    with files.write_atomically(path) as partial:
        document = {"machine": machine, "measurements": rows}
        partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measure, print and write."""
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
        folder = Path(name)
        measurements = [
            *measure_transcription(
                folder, options.minutes, options.long_minutes, options.repeats, options.model
            ),
            measure_start(options.repeats),
            *measure_network(folder, min(LIVE_MINUTES, options.minutes), options.model),
        ]
    print_table(measurements)
    write_json(measurements, options.output)


if __name__ == "__main__":
    main()
