"""The verbs that make outputs of inputs, each with a command that takes moments, for the tests of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import nn

from audiocnn import images
from audiocnn.models.file import read_model, write_model

RATE = 16_000
TONES = Path(__file__).parent / "golden" / "tones.safetensors"


@dataclass(frozen=True)
class Case:
    """A verb that makes outputs of inputs.

    Attributes:
        verb: of the command line.
        suffix: of its inputs.
        other_suffix: of inputs of the same kind.
        output: of the input "song".
        network: its model or, for stylize, its style.
        option: that names the network.
        options: others that it is called with.
        changed: the same with another value, which gives another output.
    """

    verb: str
    suffix: str
    other_suffix: str
    output: str
    network: str
    option: str
    options: Sequence[object]
    changed: Sequence[object]

    def write(self, path: Path, seed: int = 0) -> Path:
        """Write an input; another one for each seed."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.verb == "stylize":
            pixels = np.random.default_rng(seed).uniform(size=(3, 32, 32)).astype(np.float32)
            images.write_image(images.Image(pixels), path)
        else:
            time_s = np.arange(RATE // 2) / RATE
            tone = 0.3 * np.sin(2 * np.pi * 440 * 2 ** (seed / 12) * time_s) * np.exp(-time_s)
            soundfile.write(path, tone, RATE)
        return path

    def write_network(self, path: Path, one_tone: Path, seed: int = 0) -> None:
        """Write the model or style, other ones for each seed."""
        if self.verb == "stylize":
            self.write(path, 100 + seed)
            return
        model = read_model(TONES if self.verb == "transcribe" else one_tone, nn.Module)
        with torch.no_grad():
            next(model.parameters()).view(-1)[0] += 1e-6 * seed
        write_model(model, path)


SOUND = (".wav", ".flac")
IMAGE = (".png", ".webp")
MODEL = ("m.safetensors", "--model")
FAST = ("--size", 32, "--iterations", 1, "--coarsest", 32)
PITCH = ("--lowest-pitch", 30)
CASES = {
    "transcribe": Case("transcribe", *SOUND, "song.mid", *MODEL, (), PITCH),
    "transcribe to sound": Case(
        "transcribe", *SOUND, "song.notes.wav", *MODEL, ("--formats", "wav"), ("--formats", "wav", *PITCH)
    ),
    "classify": Case("classify", *SOUND, "song.m.json", *MODEL, ("--formats", "json"), ()),
    "explain": Case("explain", *SOUND, "song.m.explained/index.html", *MODEL, ("--top", 1), ("--top", 2)),
    "stylize": Case(
        "stylize", *IMAGE, "song.night.png", "night.png", "--style", FAST, (*FAST, "--strength", 0.5)
    ),
}
