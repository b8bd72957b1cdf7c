"""MIDI files -> a cache of rendered 16 kHz recordings with their exact notes.

Rate: 16 kHz mono, from the program FluidSynth (`fluidsynth`) and recordings of single notes (`sampler`).
Count: excerpts of at most `EXCERPT_S`, as many as would fill the hours asked for.
Split rule: by song, one in `VALIDATION_SHARE` by a checksum of its name is validation. Validation is
rendered with soundfonts of its own where some are given, and then never with recordings of notes. Seed, split
and index decide everything about a recording: it comes out the same in any order and number of processes.
Labels: onset as in the MIDI, slow attacks too; offset where key and pedal are up, at the next onset of the
same pitch, or where a sound other than a piano's has died away before.
Licence: that of the songs and sounds used: POP909 MIT, Nottingham GPLv3, FluidR3 and MuseScore General
MIT, TimGM6mb GPL, Salamander CC BY 3.0, Discord SFZ GM Bank CC0 and CC BY.
"""

import errno
import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Literal

import numpy as np
from rich.progress import track

from audiocnn import files, midi
from audiocnn.datasets import preparing
from audiocnn.datasets.notes import cache
from audiocnn.ranges import COUNT, ArgumentError
from audiocnn.synthesis import fluidsynth, recipes, sampler

EXCERPT_S = 70.0
VALIDATION_SHARE = 20  # one song in so many
SKIPPED_FOLDERS = ("versions", "melody", "chords")  # POP909's other versions, Nottingham's single parts
DISK_FULL = os.strerror(errno.ENOSPC)
PEAK_DB = (-12.0, -1.0)  # of a recording, drawn evenly


@dataclass(frozen=True)
class Job:
    """One recording to be rendered: its path, its song, and the instruments that may be drawn for it."""

    stem: Path
    song: Path
    seed: tuple[int, ...]
    programs: Literal["piano", "any"]
    soundfonts: tuple[Path, ...]
    banks: tuple[Path, ...]

    def run(self) -> None:
        """Render the recording and write it to the cache."""
        rng = np.random.default_rng(self.seed)
        choices = self.programs, self.soundfonts, self.banks
        recipe = recipes.draw_recipe(midi.read_parts(self.song), rng, *choices, EXCERPT_S)
        waveform, notes = render_recipe(recipe)
        cache.write_recording(self.stem, randomise_level(waveform, rng), notes)


def prepare_render(
    midi_folder: Path,
    out: Path,
    programs: Literal["piano", "any"] = "piano",
    soundfonts: Sequence[Path] = (),
    validation_soundfonts: Sequence[Path] = (),
    banks: Sequence[Path] = (),
    hours: float = 8.0,
    validation_hours: float = 1 / 3,
    seed: int = 0,
    workers: int = 2,
) -> int:
    """Render recordings to OUT/{train,validation}, without those already there.

    Args:
        midi_folder: songs, found recursively.
        out: the cache.
        programs: "piano" plays every part on one piano, "any" each part on a pitched instrument of its own.
        soundfonts: General MIDI soundfonts (.sf2, .sf3).
        validation_soundfonts: kept for validation; without them validation uses the others.
        banks: of recorded notes, see `sampler`; with "any" the names of .sfz banks begin with their General
            MIDI program, counted from 1, as in `025-Acoustic Guitar.sfz`.
        hours: of train.
        validation_hours: of validation.
        seed: random seed.
        workers: processes.

    Returns:
        The number of recordings rendered.

    Raises:
        ArgumentError: there are no soundfonts, or a number is out of its range.
        files.FileError: FluidSynth is missing; there are no songs; out holds recordings made otherwise; or
            recordings failed, which the message names.
    """
    check_soundfonts([*soundfonts, *validation_soundfonts])
    fonts = {"soundfonts": soundfonts, "validation_soundfonts": validation_soundfonts, "banks": banks}
    preparing.check_recipe(out, {"midi_folder": midi_folder, "programs": programs, "seed": seed, **fonts})
    train = tuple(soundfonts), tuple(banks)
    held_out = (tuple(validation_soundfonts), ()) if validation_soundfonts else train
    split = split_by_song(find_songs(Path(midi_folder)))
    jobs = _jobs(Path(out, "validation"), split["validation"], validation_hours, seed, programs, *held_out)
    jobs += _jobs(Path(out, "train"), split["train"], hours, seed, programs, *train)
    todo = [job for job in jobs if not cache.recording_exists(job.stem)]
    preparing.raise_failures(out, run_jobs([job.run for job in todo], workers), len(todo))
    return len(todo)


def run_jobs(jobs: Sequence[Callable[[], None]], workers: int) -> list[str]:
    """Run jobs in processes and show the progress; a job that fails does not stop the others.

    Args:
        jobs: that can be pickled.
        workers: processes.

    Returns:
        Why jobs failed; once the disk is full, the rest are not run and fail too.

    Raises:
        ArgumentError: workers is below 1.
    """
    COUNT.check("workers", workers)
    reasons: list[str] = []
    n_done = 0
    with ProcessPoolExecutor(workers, get_context("spawn"), _end_with_parent) as pool:
        futures = [pool.submit(job) for job in jobs]
        for future in track(as_completed(futures), "rendering", total=len(jobs), disable=not jobs):
            n_done += 1
            if error := future.exception():
                reasons.append(_describe(error))
                if DISK_FULL in reasons[-1]:
                    pool.shutdown(wait=False, cancel_futures=True)
                    break
    return reasons + [f"not rendered: {DISK_FULL}"] * (len(jobs) - n_done)


def _end_with_parent() -> None:
    """End this process when the one that started it was killed: it would wait for jobs for ever."""
    parent = parent_process()
    assert parent is not None
    Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def _describe(error: BaseException) -> str:
    return str(error) if isinstance(error, files.FileError) else f"{type(error).__name__}: {error}"


def check_soundfonts(soundfonts: Sequence[Path]) -> None:
    """Check that FluidSynth is installed, and that soundfonts are given and are some.

    Args:
        soundfonts: that were given.

    Raises:
        files.FileError: FluidSynth is not installed, or some are no soundfonts; the message names them.
        ArgumentError: there are none.
    """
    if not shutil.which("fluidsynth"):
        raise files.FileError("fluidsynth", "not installed (Debian: apt install fluidsynth)")
    if not soundfonts:
        raise ArgumentError("soundfonts is empty, expected one or more")
    if faults := [fault for path in soundfonts if (fault := _find_fault(Path(path)))]:
        raise files.FileError(faults[0].path, "; ".join([faults[0].reason, *map(str, faults[1:])]))


def _find_fault(soundfont: Path) -> files.FileError | None:
    """What is wrong with a soundfont."""
    try:
        with open(soundfont, "rb") as file:
            head = file.read(12)
    except OSError as error:
        return files.FileError(soundfont, files.describe_error(error))
    is_whole = head[:4] == b"RIFF" and head[8:] == b"sfbk"
    is_cut = is_whole and int.from_bytes(head[4:8], "little") + 8 > soundfont.stat().st_size + 1
    reason = "cut off" if is_cut else "" if is_whole else "is no soundfont (.sf2, .sf3)"
    return files.FileError(soundfont, reason) if reason else None


def _jobs(folder: Path, paths: list[Path], hours: float, seed: int, *choices) -> list[Job]:
    """Return the jobs of one split."""
    seeds = (seed, zlib.crc32(folder.name.encode()))
    chosen = draw_songs(folder, paths, round(hours * 3600 / EXCERPT_S), seeds)
    stems = [folder / f"{index:05d}_{song.stem}" for index, song in enumerate(chosen)]
    jobs = enumerate(zip(stems, chosen, strict=True))
    return [Job(stem, song, (*seeds, index), *choices) for index, (stem, song) in jobs]


def draw_songs(folder: Path, songs: Sequence[Path], count: int, seeds: Sequence[int]) -> list[Path]:
    """Draw the songs of a part of the split: in a drawn order, again and again until there are enough.

    Args:
        folder: of the part, for the message.
        songs: of the part.
        count: how many to draw.
        seeds: of the order.

    Returns:
        The songs, `count` of them.

    Raises:
        files.FileError: there are none to draw from.
    """
    if count and not songs:
        raise files.FileError(folder, "no songs for it: with few songs one part may have none")
    order = np.random.default_rng(seeds).permutation(len(songs))
    return [songs[order[index % len(songs)]] for index in range(count)]


def find_songs(folder: Path) -> list[Path]:
    """Find the MIDI files under a folder, without other versions and single parts of the same song.

    Args:
        folder: searched recursively.

    Returns:
        The files, sorted.

    Raises:
        files.FileError: there are none.
    """
    found = [path for path in folder.rglob("*") if path.suffix.lower() in (".mid", ".midi")]
    found = [path for path in found if not set(path.relative_to(folder).parts) & set(SKIPPED_FOLDERS)]
    if not found:
        raise files.FileError(folder, "no MIDI files")
    return sorted(found)


def split_by_song(paths: list[Path]) -> dict[str, list[Path]]:
    """Split songs by a checksum of their names.

    Args:
        paths: of songs.

    Returns:
        The songs of "train" and of "validation".
    """
    held_out = [zlib.crc32(os.fsencode(path.stem)) % VALIDATION_SHARE == 0 for path in paths]
    return {
        "train": [path for path, held in zip(paths, held_out, strict=True) if not held],
        "validation": [path for path, held in zip(paths, held_out, strict=True) if held],
    }


def render_recipe(recipe: recipes.Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Render a recipe.

    Args:
        recipe: parts and sounds.

    Returns:
        The sound at 16 kHz (samples,), and its notes as they sound (notes, 4).
    """
    layers, tables = [], []
    if recipe.parts:
        layers.append(fluidsynth.synthesise(list(recipe.parts), recipe.soundfont, recipe.reverb))
    for part in recipe.parts:
        if not part.is_drum:
            notes = midi.sustain(part.notes, part.pedal)
            if part.program not in recipes.PIANOS:
                notes = fluidsynth.limit_to_audible(
                    notes, fluidsynth.measure_audible_s(recipe.soundfont, part.program)
                )
            tables.append(notes)
    for path, part in recipe.sampled:
        waveform, notes = sampler.load_bank(path).play(midi.sustain(part.notes, part.pedal), *recipe.touch)
        layers.append(waveform)
        tables.append(notes)
    return mix_layers(layers), midi.merge_notes(tables)


def randomise_level(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bring a waveform to a random level.

    Args:
        waveform: (samples,).
        rng: random number generator.

    Returns:
        The waveform with its peak drawn from `PEAK_DB`.
    """
    peak = 10 ** (rng.uniform(*PEAK_DB) / 20)
    return waveform * np.float32(peak / max(np.abs(waveform).max(), 1e-9))


def mix_layers(layers: list[np.ndarray]) -> np.ndarray:
    """Mix layers, each brought to the same peak.

    Args:
        layers: each (samples,), of any length.

    Returns:
        Their sum, as long as the longest.
    """
    total = np.zeros(max(map(len, layers)), np.float32)
    for layer in layers:
        total[: len(layer)] += layer / max(np.abs(layer).max(), 1e-9)
    return total
