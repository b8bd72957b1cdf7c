"""Command lines that write files, of every verb that does, and the folder that they run in."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import yaml

from audiocnn.datasets.images.cifar10 import BATCHES, RECORD_BYTES
from audiocnn.datasets.images.idx import write_idx
from audiocnn.datasets.images.mnist import NAMES
from tests.fuzz import golden

ROOT = Path(__file__).parents[2]
SOUNDFONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")  # of Debian's package timgm6mb-soundfont
SYNTHESIS = ("fluidsynth", str(SOUNDFONT))
IMAGE_SET = (np.zeros((4, 28, 28), np.uint8), np.arange(4, dtype=np.uint8))  # images and their classes


class Command(NamedTuple):
    """A command line.

    Attributes:
        words: of it, after the program's name.
        last: words that a run after a kill has in addition, to go on.
        needs: programs and files of the system that it reads.
    """

    words: str
    last: str = ""
    needs: tuple[str, ...] = ()


FIT = (
    "fit --config digits --trainer.max_epochs 2 --trainer.limit_train_batches 4 --trainer.limit_val_batches 2"
)
# Verb -> what is killed; those that write nothing are in `READERS`.
COMMANDS: Mapping[str, Command] = {
    "transcribe": Command(
        "transcribe a.wav b.wav --model notes.safetensors --formats mid csv json wav npz png"
    ),
    "classify": Command("classify a.wav b.wav --model clips.safetensors --formats json csv"),
    "explain": Command("explain a.wav --model clips.safetensors --top 1"),
    "stylize": Command("stylize cat.png --style waves.png --size 24 --iterations 8"),
    "evaluate notes": Command("evaluate notes a.wav --model notes.safetensors --output scores.json"),
    "evaluate genre": Command("evaluate genre clips.csv --model clips.safetensors --output report"),
    "evaluate instrument": Command("evaluate instrument clips.csv --model clips.safetensors --output report"),
    "data shard": Command("data shard clips.csv shards --sample-rate 8000"),
    "data prepare clips": Command("data prepare clips clips.csv --out cache --sample-rate 16000 --workers 0"),
    "data prepare maps": Command("data prepare maps maps cache"),
    "data prepare render": Command(
        "data prepare render midi cache --soundfonts font.sf2 --hours 0.02 --validation-hours 0",
        needs=SYNTHESIS,
    ),
    "data prepare instruments": Command(
        "data prepare instruments midi cache --soundfonts font.sf2 --hours 0.005 --validation-hours 0",
        needs=SYNTHESIS,
    ),
    "data prepare mnist": Command("data prepare mnist mnist --out cache"),
    "data prepare cifar10": Command("data prepare cifar10 cifar --out cache"),
    "data prepare speech": Command("data prepare speech cache --minutes 2", needs=("espeak-ng",)),
    "data prepare sentiment": Command("data prepare sentiment reviews --out cache"),
    "fit": Command(FIT, last="--ckpt_path last"),
    "search": Command("search --config search.yaml"),
    "export": Command("export copy.safetensors --model notes.safetensors"),
}
READERS = (
    "evaluate images",
    "listen",
    "data list",
    "data info",
    "data check",
    "validate",
    "test",
    "configs",
    "models",
)


def prepare_folder(folder: Path) -> None:
    """Make a folder of what the command lines read."""
    folder.mkdir()
    sound = golden.sound("WAV")
    for name in ("a.wav", "b.wav"):
        (folder / name).write_bytes(sound)
    (folder / "a.tsv").write_text("onset_s\toffset_s\tmidi\n0.0\t0.3\t69\n0.3\t0.6\t72\n")
    (folder / "cat.png").write_bytes(golden.image("PNG"))
    (folder / "waves.png").write_bytes(golden.image("PNG", "L"))
    (folder / "clips.csv").write_bytes(golden.manifest())
    (folder / "notes.safetensors").write_bytes(golden.MODEL.read_bytes())
    (folder / "clips.safetensors").write_bytes(golden.clip_model())
    (folder / "midi").mkdir()
    for lowest in range(48, 68):  # so many that each part of the split has some
        (folder / "midi" / f"{lowest}.mid").write_bytes(golden.midi(lowest))
    _write_maps(folder / "maps" / "AkPnBcht")
    _write_image_sets(folder)
    _write_search(folder / "search.yaml")
    (folder / "reviews").mkdir()
    for suffix in ("pos", "neg"):
        sentences = "".join(f"{suffix} film number {i} .\n" for i in range(10))
        (folder / "reviews" / f"rt-polarity.{suffix}").write_text(sentences)
    if SOUNDFONT.exists():
        (folder / "font.sf2").symlink_to(SOUNDFONT)


def _write_maps(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("tune", "song"):
        soundfile.write(folder / f"MAPS_MUS-{name}_AkPnBcht.wav", [0.25] * 4410, 44_100)
        text = "OnsetTime\tOffsetTime\tMidiPitch\n\n0.01\t0.09\t60\n"
        (folder / f"MAPS_MUS-{name}_AkPnBcht.txt").write_text(text)


def _write_image_sets(folder: Path) -> None:
    (folder / "mnist").mkdir()
    for names in NAMES.values():
        for name, array in zip(names, IMAGE_SET, strict=True):
            write_idx(folder / "mnist" / name, array)
    (folder / "cifar").mkdir()
    for name in (name for part in BATCHES.values() for name in part):
        (folder / "cifar" / name).write_bytes(bytes(4 * RECORD_BYTES))


def _write_search(path: Path) -> None:
    """Write the shipped search with smaller networks, fewer images and less of everything."""
    config = yaml.safe_load((ROOT / "configs" / "search_digits.yaml").read_text())
    config |= {"output": "found", "candidates": 3, "population": 2, "sample": 1, "epochs": 1, "nodes": 1}
    config["fit"]["data"]["init_args"] |= {"per_class": 5}
    config["fit"]["model"]["init_args"]["backbone"]["init_args"] |= {"channels": 4, "stacks": 2}
    path.write_text(yaml.safe_dump(config))
