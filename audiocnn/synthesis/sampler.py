"""Notes -> sound, from recordings of single notes.

Place in the flow: beside `fluidsynth`, for instruments that come as recordings. A bank is an .sfz file
(regions with keys, velocities and volume; all else in it is ignored), a .pat file (see `gus_patches`) or a
folder of files named by note as `A0.ogg`, `Ds4.mp3`, `C#5.wav`. Each note takes the recording of the nearest
key, resampled to its own pitch. Files of a folder with other names, of trills or phrases, are in
`Bank.draw_recordings` only.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import librosa
import numpy as np
import scipy.signal
import soxr

from audiocnn import audio, files
from audiocnn.midi import MIDI, OFFSET, ONSET, VELOCITY
from audiocnn.synthesis import gus_patches

SAMPLE_RATE = 16_000
SUFFIXES = (".flac", ".mp3", ".ogg", ".wav")
MAX_RECORDING_S = 12.0  # of a recording that is kept
MAX_REST_S = 0.8  # between recordings
ATTACK_DB = -40.0  # below the peak: where a recording begins
SILENT_DB = -50.0  # below the peak: where a recording has died away
# Softly played strings are duller: a one-pole low-pass for each quarter of the velocities, in Hz.
SOFTNESS_HZ = (1000.0, 2000.0, 4500.0, None)
FADE_S = 0.05  # at the end of a recording, which may have been cut while it sounded


@dataclass(frozen=True)
class Region:
    """A recording of one note (pitch is its MIDI number), and the keys and velocities it is meant for.

    The path is that of a file of sound, or of a patch, whose wave is numbered.
    """

    path: Path
    pitch: float
    keys: tuple[int, int] = (0, 127)
    velocities: tuple[int, int] = (0, 127)
    gain_db: float = 0.0
    wave: int | None = None

    def distance(self, midi: float, velocity: float) -> float:
        """Measure how far a region is from a note.

        Args:
            midi: of the note, may be fractional.
            velocity: 1 to 127.

        Returns:
            Near 0 when the region is made for the note, else the semitones to its keys.
        """
        low, high = self.keys
        soft, loud = self.velocities
        away = max(low - midi, midi - high, 0)
        return away + max(soft - velocity, velocity - loud, 0) / 1000 + abs(self.pitch - midi) / 10_000


def note_to_midi(name: str) -> int:
    """Return the MIDI number of a note name, C4 = 60: "A4" and "a4" are 69, "Ds4", "D#4" and "Eb4" are 63.

    Args:
        name: letter, accidental and octave.

    Returns:
        The MIDI number.

    Raises:
        ValueError: not a note name.
    """
    if not re.fullmatch(r"[A-Ga-g][s#b]?-?\d", name):
        raise ValueError(f"not a note name such as A4, Ds4 or Eb4: {name!r}")
    return int(librosa.note_to_midi(name.replace("s", "#")))


def read_regions(path: Path) -> list[Region]:
    """Read the regions of a bank whose recordings are there.

    Args:
        path: an .sfz file, a .pat file or a folder.

    Returns:
        The regions.

    Raises:
        files.FileError: there are none.
    """
    kinds = {".sfz": _regions_of_sfz, ".pat": _regions_of_patch}
    regions = kinds.get(path.suffix, _regions_of_folder)(path)
    if not regions:
        raise files.FileError(path, "no recordings of notes")
    return regions


def _regions_of_patch(path: Path) -> list[Region]:
    return [Region(path, wave.pitch, wave.keys, wave=i) for i, wave in enumerate(_waves(path))]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)


def _regions_of_folder(folder: Path) -> list[Region]:
    regions = []
    for path in _files(folder):
        try:
            regions.append(Region(path, note_to_midi(path.stem)))
        except ValueError:
            continue
    return regions


def _regions_of_sfz(path: Path) -> list[Region]:
    text = re.sub(r"//.*", "", path.read_text(encoding="utf-8", errors="replace"))
    shared: dict[str, dict[str, str]] = {}
    regions = []
    for header, body in re.findall(r"<(\w+)>([^<]*)", text):
        # A value runs to the next name, so that a file name may hold spaces.
        opcodes = dict(re.findall(r"(\w+)=(.*?)(?=\s+\w+=|\s*$)", body.strip(), re.M))
        if header != "region":
            shared[header] = opcodes
            if header in ("global", "master"):
                shared.pop("group", None)
            continue
        merged = {key: value for group in shared.values() for key, value in group.items()} | opcodes
        region = _region_of_opcodes(merged, path.parent)
        if region is not None and region.path.exists():
            regions.append(region)
    return regions


def _region_of_opcodes(opcodes: dict[str, str], folder: Path) -> Region | None:
    if "sample" not in opcodes or opcodes.get("trigger", "attack") != "attack":
        return None
    key = _key(opcodes.get("key", "60"))
    lowest = _key(opcodes.get("lokey", str(key if "key" in opcodes else 0)))
    pitch = _key(opcodes.get("pitch_keycenter", str(key))) - int(opcodes.get("transpose", 0))
    cents = float(opcodes.get("tune", 0))
    highest = _key(opcodes.get("hikey", str(key if "key" in opcodes else 127)))
    velocities = int(opcodes.get("lovel", 0)), int(opcodes.get("hivel", 127))
    path = folder / (opcodes.get("default_path", "") + opcodes["sample"]).strip().replace("\\", "/")
    return Region(path, pitch - cents / 100, (lowest, highest), velocities, float(opcodes.get("volume", 0)))


def _key(value: str) -> int:
    return int(value) if value.strip().lstrip("-").isdigit() else note_to_midi(value.strip())


class Bank:
    """Recordings of one instrument's notes, to be played."""

    def __init__(self, path: Path):
        path = Path(path)
        self.regions = read_regions(path)
        recordings = {(region.path, region.wave) for region in self.regions}
        if path.is_dir():
            recordings |= {(file, None) for file in _files(path)}
        self.recordings = sorted(recordings)
        self._keys: dict[tuple[Region, float], np.ndarray] = {}

    def play(
        self, notes: np.ndarray, release_s: float = 0.15, dynamics: float = 1.5
    ) -> tuple[np.ndarray, np.ndarray]:
        """Play notes.

        Args:
            notes: (notes, 4) as in `midi.Part`, offsets with the pedal.
            release_s: time that a note takes to fall by 60 dB after its offset.
            dynamics: power of velocity / 127 that gives the amplitude.

        Returns:
            The sound at 16 kHz, and the notes, which end where their recordings do if that is earlier.
        """
        notes = notes.copy()
        n_samples = round((notes[:, OFFSET].max() + release_s + MAX_RECORDING_S) * SAMPLE_RATE)
        layers = np.zeros((len(SOFTNESS_HZ), n_samples), np.float32)
        end = 0
        for row in notes:
            sound = self._key(row[MIDI], row[VELOCITY])
            begin = round(row[ONSET] * SAMPLE_RATE)
            row[OFFSET] = min(row[OFFSET], row[ONSET] + len(sound) / SAMPLE_RATE)
            sound = release(sound, row[OFFSET] - row[ONSET], release_s)
            layer = layers[int(row[VELOCITY]) * len(SOFTNESS_HZ) // 128]
            layer[begin : begin + len(sound)] += sound * np.float32((row[VELOCITY] / 127) ** dynamics)
            end = max(end, begin + len(sound))
        return _softened(layers[:, :end]), notes

    def draw_recordings(
        self, length_s: float, rng: np.random.Generator, max_rest_s: float = MAX_REST_S
    ) -> np.ndarray:
        """Draw recordings as they were made, with rests between.

        Args:
            length_s: of all.
            rng: random number generator.
            max_rest_s: the longest rest.

        Returns:
            The sound at 16 kHz (samples,).
        """
        n_samples, sounds = round(length_s * SAMPLE_RATE), []
        while sum(map(len, sounds)) < n_samples:
            sounds.append(_recording(*self.recordings[rng.integers(len(self.recordings))]))
            sounds.append(np.zeros(round(rng.uniform(0.01, max_rest_s) * SAMPLE_RATE), np.float32))
        return np.concatenate(sounds)[:n_samples]

    def _key(self, midi: float, velocity: float) -> np.ndarray:
        """Return the recording for a note, at its pitch."""
        region = min(self.regions, key=lambda region: region.distance(midi, velocity))
        if (region, midi) not in self._keys:
            ratio = 2 ** ((midi - region.pitch) / 12)
            recording = _recording(region.path, region.wave) * np.float32(10 ** (region.gain_db / 20))
            self._keys[region, midi] = recording if ratio == 1 else soxr.resample(recording, ratio, 1.0)
        return self._keys[region, midi]


def release(sound: np.ndarray, held_s: float, release_s: float) -> np.ndarray:
    """Let a note go: from there it falls by 60 dB and ends.

    Args:
        sound: of the note, held.
        held_s: time until the release.
        release_s: time that it takes to fall by 60 dB.

    Returns:
        The sound, a copy.
    """
    held, release = round(held_s * SAMPLE_RATE), round(release_s * SAMPLE_RATE)
    sound = sound[: held + release].copy()
    tail = sound[held:]
    tail *= 10 ** (-3 * np.arange(len(tail), dtype=np.float32) / release)
    return sound


def _softened(layers: np.ndarray) -> np.ndarray:
    """Return the sum of the layers, each low-passed as `SOFTNESS_HZ` says."""
    total = np.zeros(layers.shape[1], np.float32)
    for layer, cutoff_hz in zip(layers, SOFTNESS_HZ, strict=True):
        if cutoff_hz is not None and layer.any():
            layer = scipy.signal.sosfilt(
                scipy.signal.butter(1, cutoff_hz, fs=SAMPLE_RATE, output="sos"), layer
            )
        total += layer
    return total


@lru_cache(maxsize=512)
def _recording(path: Path, wave: int | None) -> np.ndarray:
    """Return a recording at 16 kHz from its attack to where it has died away."""
    return trim(audio.load(path, SAMPLE_RATE) if wave is None else _waves(path)[wave].waveform)


@lru_cache(maxsize=64)
def _waves(path: Path) -> list[gus_patches.Wave]:
    """Return the waves of a patch, decoded once for all its notes."""
    return gus_patches.read_patch(path)


def trim(sound: np.ndarray) -> np.ndarray:
    """Trim the silence before the attack of a recording and after it has died away, and fade it out.

    Args:
        sound: (samples,) at 16 kHz.

    Returns:
        A copy, `MAX_RECORDING_S` long at most.
    """
    level = np.abs(sound)
    loud = np.flatnonzero(level > level.max() * 10 ** (ATTACK_DB / 20))
    audible = np.flatnonzero(level > level.max() * 10 ** (SILENT_DB / 20))
    if not len(loud):
        return sound[:0]
    sound = sound[loud[0] : min(audible[-1] + 1, loud[0] + round(MAX_RECORDING_S * SAMPLE_RATE))].copy()
    fade = min(round(FADE_S * SAMPLE_RATE), len(sound))
    sound[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return sound


@lru_cache(maxsize=16)
def load_bank(path: Path) -> Bank:
    """Load a bank, and keep it for the next call.

    Args:
        path: an .sfz file, a .pat file or a folder.

    Returns:
        The bank.
    """
    return Bank(path)
