"""Parts -> sound, by the program `fluidsynth` and a General MIDI soundfont.

Place in the flow: used by `render`, beside `samples`. Programs are General MIDI's, counted from 0. Sound is
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

from audiocnn import midi
from audiocnn.midi import MIDI, OFFSET, ONSET, Part
from audiocnn.synthesis import performance

SAMPLE_RATE = 16_000
SYNTHESIS_RATE = 44_100
AUDIBLE_DB = (
    -45.0
)  # below a note's loudest moment; at -30 plucked strings were taken to end while still heard
PROBE_STEP = 3  # semitones between the keys that are tried
PROBE_S = 3.0  # a key is held so long, then PROBE_REST_S go by
PROBE_REST_S = 1.0
WINDOW_S = 0.05  # of the envelope


class RenderError(RuntimeError):
    """FluidSynth or its soundfont is missing, or it failed."""


@dataclass(frozen=True)
class Reverb:
    """FluidSynth's settings, each 0..1."""

    room_size: float
    level: float
    damp: float


def synthesise(parts: list[Part], soundfont: Path, reverb: Reverb | None = None) -> np.ndarray:
    """Returns the sound of the parts, time 0 at time 0; without reverb they are dry.

    Raises:
        RenderError: the soundfont is missing or fluidsynth failed.
    """
    if not Path(soundfont).is_file():
        raise RenderError(f"{soundfont}: no such soundfont")
    with tempfile.TemporaryDirectory() as folder:
        song, rendered = Path(folder, "song.mid"), Path(folder, "song.wav")
        midi.write_parts(parts, song)
        command = ["fluidsynth", "-niq", f"-r{SYNTHESIS_RATE}", "-Twav", "-Ofloat", f"-F{rendered}"]
        command += [f"-osynth.{name}={value}" for name, value in _settings(reverb).items()]
        command += [f"{soundfont}", f"{song}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not rendered.exists():
            raise RenderError(f"{soundfont}: fluidsynth failed: {done.stderr.strip() or done.returncode}")
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
    room = {"reverb.room-size": reverb.room_size, "reverb.level": reverb.level, "reverb.damp": reverb.damp}
    return settings | {"reverb.active": 1} | room


@cache
def audible_s(soundfont: Path, program: int) -> np.ndarray:
    """Returns how long each key sounds while held: (128 keys,) in seconds, 0 where the program has no sound.

    Plucked and struck sounds die away in their time; what still sounds after `PROBE_S` has no limit (inf).
    """
    keys = np.arange(performance.LOWEST, performance.HIGHEST + 1, PROBE_STEP)
    onsets = np.arange(len(keys)) * (PROBE_S + PROBE_REST_S)
    notes = np.column_stack([onsets, onsets + PROBE_S, keys, np.full(len(keys), 100)])
    sound = synthesise([Part(notes, program=program)], soundfont)
    floor = np.abs(sound).max() * 10 ** (-60 / 20)
    limits = [sounding_s(sound[round(onset_s * SAMPLE_RATE) :], floor) for onset_s in onsets]
    nearest = np.abs(np.arange(128)[:, None] - keys).argmin(axis=1)
    return np.array(limits)[nearest]


def sounding_s(sound: np.ndarray, floor: float) -> float:
    """Returns how long a note held for `PROBE_S` is heard: 0 if never above the floor, inf if to its end."""
    window, n_held = round(WINDOW_S * SAMPLE_RATE), round(PROBE_S * SAMPLE_RATE)
    held = np.zeros(n_held // window * window, np.float32)
    held[: len(sound[: len(held)])] = np.abs(sound[: len(held)])
    envelope = held.reshape(-1, window).max(axis=1)
    if envelope.max() <= floor:
        return 0.0
    last = np.flatnonzero(envelope > envelope.max() * 10 ** (AUDIBLE_DB / 20))[-1]
    return float("inf") if last == len(envelope) - 1 else (last + 1) * WINDOW_S


def heard(notes: np.ndarray, limits_s: np.ndarray) -> np.ndarray:
    """Returns the notes (notes, 4) that sound at all, no longer than their keys (128,) do."""
    limit = limits_s[notes[:, MIDI].astype(int)]
    notes = notes.copy()
    notes[:, OFFSET] = np.minimum(notes[:, OFFSET], notes[:, ONSET] + limit)
    return notes[limit > 0]
