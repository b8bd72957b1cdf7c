"""Parts -> sound, by the program `fluidsynth` and a General MIDI soundfont.

Place in the flow: used by `render`, beside `sampler`. Programs are General MIDI's, counted from 0. Sound is
16 kHz mono; a note rises 2 to 5 ms after its label, as in MAPS (5 to 8 ms).
"""

import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audiocnn import files, midi
from audiocnn.midi import MIDI, OFFSET, ONSET, Part
from audiocnn.synthesis import performance

SAMPLE_RATE = 16_000
SYNTHESIS_RATE = 44_100
AUDIBLE_DB = -45.0  # of a note's loudest moment; at -30 plucked strings ended while they were audible
PROBE_STEP = 3  # semitones between the keys that are tried
PROBE_S = 3.0  # a key is held this long, followed by a rest of PROBE_REST_S
PROBE_REST_S = 1.0
WINDOW_S = 0.05  # of the envelope


@dataclass(frozen=True)
class Reverb:
    """FluidSynth's settings, each 0..1."""

    room_size: float
    level: float
    damp: float


def synthesise(parts: list[Part], soundfont: Path, reverb: Reverb | None = None) -> np.ndarray:
    """Synthesise parts with FluidSynth.

    Args:
        parts: at most 15 that are not drums.
        soundfont: a General MIDI soundfont (.sf2, .sf3).
        reverb: None leaves the sound dry.

    Returns:
        The sound at 16 kHz (samples,), time 0 at time 0.

    Raises:
        files.FileError: the soundfont is missing or fluidsynth failed.
    """
    if not Path(soundfont).is_file():
        raise files.FileError(soundfont, "no such soundfont")
    with tempfile.TemporaryDirectory() as folder:
        song, rendered = Path(folder, "song.mid"), Path(folder, "song.wav")
        midi.write_parts(parts, song)
        command = ["fluidsynth", "-niq", f"-r{SYNTHESIS_RATE}", "-Twav", "-Ofloat", f"-F{rendered}"]
        command += [f"-osynth.{name}={value}" for name, value in _settings(reverb).items()]
        command += [f"{soundfont}", f"{song}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # Without its soundfont fluidsynth renders silence, and ends well.
        if done.returncode or not rendered.exists() or "error: " in done.stderr:
            raise files.FileError(soundfont, f"fluidsynth failed: {done.stderr or done.returncode}")
        stereo, _ = soundfile.read(rendered, dtype="float32", always_2d=True)
    return soxr.resample(stereo.mean(axis=1), SYNTHESIS_RATE, SAMPLE_RATE)


def _settings(reverb: Reverb | None) -> dict[str, float]:
    settings: dict[str, float] = {
        "gain": 0.3,
        "polyphony": 512,
        "dynamic-sample-loading": 1,
        "chorus.active": 0,
    }
    if reverb is None:
        return settings | {"reverb.active": 0}
    values = {"reverb.room-size": reverb.room_size, "reverb.level": reverb.level, "reverb.damp": reverb.damp}
    return settings | {"reverb.active": 1} | values


@cache
def measure_audible_s(soundfont: Path, program: int) -> np.ndarray:
    """Measure how long each key of a program sounds while it is held.

    Plucked and struck sounds decay; the time of one that still sounds after `PROBE_S` is inf.

    Args:
        soundfont: a General MIDI soundfont.
        program: counted from 0.

    Returns:
        (128 keys,) in seconds, 0 where the program has no sound.
    """
    keys = np.arange(performance.LOWEST, performance.HIGHEST + 1, PROBE_STEP)
    onsets = np.arange(len(keys)) * (PROBE_S + PROBE_REST_S)
    notes = np.column_stack([onsets, onsets + PROBE_S, keys, np.full(len(keys), 100)])
    sound = synthesise([Part(notes, program=program)], soundfont)
    floor = np.abs(sound).max() * 10 ** (-60 / 20)
    limits = [measure_decay_s(sound[round(onset_s * SAMPLE_RATE) :], floor) for onset_s in onsets]
    nearest = np.abs(np.arange(128)[:, None] - keys).argmin(axis=1)
    return np.array(limits)[nearest]


def measure_decay_s(sound: np.ndarray, floor: float) -> float:
    """Measure how long a note that is held for `PROBE_S` sounds.

    Args:
        sound: from its onset on, at 16 kHz.
        floor: level that it must exceed to sound at all.

    Returns:
        Seconds: 0 if it is never above the floor, inf if it sounds to the end of `PROBE_S`.
    """
    window, n_held = round(WINDOW_S * SAMPLE_RATE), round(PROBE_S * SAMPLE_RATE)
    held = np.zeros(n_held // window * window, np.float32)
    held[: len(sound[: len(held)])] = np.abs(sound[: len(held)])
    envelope = held.reshape(-1, window).max(axis=1)
    if envelope.max() <= floor:
        return 0.0
    last = np.flatnonzero(envelope > envelope.max() * 10 ** (AUDIBLE_DB / 20))[-1]
    return float("inf") if last == len(envelope) - 1 else (last + 1) * WINDOW_S


def limit_to_audible(notes: np.ndarray, limits_s: np.ndarray) -> np.ndarray:
    """Limit notes to the time that their keys sound.

    Args:
        notes: (notes, 4), left as they are.
        limits_s: of each key (128,), as of `measure_audible_s`.

    Returns:
        The notes that sound at all, no longer than their keys do.
    """
    limit = limits_s[notes[:, MIDI].astype(int)]
    notes = notes.copy()
    notes[:, OFFSET] = np.minimum(notes[:, OFFSET], notes[:, ONSET] + limit)
    return notes[limit > 0]
