"""Speech -> a cache of 16 kHz recordings without notes, as negative examples.

Rate: 16 kHz mono, from the program `espeak-ng`. Count: as many voices as minutes asked for, each speaking
made-up words for about `RECORDING_S`.
Split rule: all of it is train. Seed and index decide everything about a recording.
Licence: the words are drawn here; espeak-ng itself is GPLv3.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from rich.progress import track

from audiocnn import audio, files
from audiocnn.datasets import preparing
from audiocnn.datasets.notes import cache

LANGUAGES = ("en-us", "en-gb", "de", "fr-fr", "es", "it", "sv", "ru", "pl", "hu", "tr", "fi")
SPEAKERS = ("m1", "m2", "m3", "m5", "m7", "f1", "f2", "f3", "f4", "f5", "klatt", "klatt4", "croak", "whisper")
ONSETS = ("", "b", "br", "d", "f", "fl", "g", "h", "k", "l", "m", "n", "p", "r", "s", "sh", "t", "tr", "v")
VOWELS = ("a", "e", "i", "o", "u", "ai", "au", "ee", "oo")
CODAS = ("", "", "l", "m", "n", "r", "s", "t", "nd")
N_WORDS = 120  # in a recording
RECORDING_S = 60.0  # approximate duration of N_WORDS


def prepare_speech(out: Path, minutes: int = 30, seed: int = 0) -> int:
    """Speak recordings to OUT/train, without those already there.

    Args:
        out: the cache.
        minutes: recordings to be spoken, of about a minute each.
        seed: random seed.

    Returns:
        The number of recordings spoken.

    Raises:
        files.FileError: espeak-ng is missing or failed, or out holds recordings of another seed.
        ArgumentError: minutes is below 1.
    """
    if not shutil.which("espeak-ng"):
        raise files.FileError("espeak-ng", "not installed (Debian: apt install espeak-ng)")
    preparing.check_recipe(out, {"seed": seed})
    stems = [Path(out, "train", f"{index:05d}_speech") for index in range(minutes)]
    todo = [(index, stem) for index, stem in enumerate(stems) if not cache.recording_exists(stem)]
    for index, stem in track(todo, "speaking", disable=not todo):
        waveform = speak(np.random.default_rng((seed, index)))
        cache.write_recording(stem, waveform, np.zeros((0, 4)))
    return len(todo)


def speak(rng: np.random.Generator) -> np.ndarray:
    """Speak made-up words in a drawn voice.

    Args:
        rng: random number generator.

    Returns:
        The voice at 16 kHz (samples,).

    Raises:
        files.FileError: espeak-ng failed.
    """
    voice = f"{rng.choice(LANGUAGES)}+{rng.choice(SPEAKERS)}"
    pitch, pace = rng.integers(10, 90), rng.integers(110, 230)  # of 0..99; words a minute
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        command = ["espeak-ng", "-v", voice, f"-p{pitch}", f"-s{pace}", "-w", f"{path}", draw_text(rng)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not path.exists():
            raise files.FileError("espeak-ng", f"failed: {done.stderr or done.returncode}")
        return audio.load(path, cache.SAMPLE_RATE)


def draw_text(rng: np.random.Generator) -> str:
    """Draw sentences of words that no language has, so that none is favoured.

    Args:
        rng: random number generator.

    Returns:
        The text.
    """
    words = [
        "".join(
            str(rng.choice(sounds)) for _ in range(rng.integers(1, 4)) for sounds in (ONSETS, VOWELS, CODAS)
        )
        for _ in range(N_WORDS)
    ]
    marks = rng.choice(["", ",", ".", "?"], N_WORDS, p=[0.8, 0.08, 0.08, 0.04])
    return " ".join(word + mark for word, mark in zip(words, marks, strict=True))
