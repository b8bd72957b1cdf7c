"""Small whole files of every kind that audiocnn reads, made here: what is mutated."""

import gzip
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

RATE = 8000
GOLDEN = Path(__file__).parents[1] / "golden"
MODEL = GOLDEN / "tones.safetensors"  # of notes, made by hand


def sound(kind: str, subtype: str | None = None, channels: int = 1) -> bytes:
    """Encode 0.6 s of two tones."""
    time_s = np.arange(round(0.6 * RATE)) / RATE
    samples = np.where(time_s < 0.3, np.sin(2 * np.pi * 440 * time_s), np.sin(2 * np.pi * 523.25 * time_s))
    file = io.BytesIO()
    soundfile.write(file, np.stack([0.4 * samples] * channels, axis=1), RATE, format=kind, subtype=subtype)
    return file.getvalue()


def image(kind: str, mode: str = "RGB", **how: object) -> bytes:
    """Encode a gradient of 20 × 16 pixels."""
    rows, columns = np.mgrid[:16, :20]
    pixels = np.stack([12 * columns, 15 * rows, 6 * (rows + columns), 255 - 10 * rows], axis=2).astype(
        np.uint8
    )
    file = io.BytesIO()
    Image.fromarray(pixels, "RGBA").convert(mode).save(file, kind, **how)
    return file.getvalue()


def frames(kind: str) -> bytes:
    """Encode three images as an animation."""
    others = [Image.new("RGB", (20, 16), colour) for colour in ("red", "green")]
    return image(kind, save_all=True, append_images=others)


def midi(lowest: int = 60) -> bytes:
    """Write three notes, one bent, and the pedal."""
    import pretty_midi

    file = pretty_midi.PrettyMIDI(resolution=96, initial_tempo=90)
    part = pretty_midi.Instrument(0)
    part.notes = [pretty_midi.Note(80, lowest + step, 0.1 * step, 0.1 * step + 0.3) for step in (0, 4, 7)]
    part.pitch_bends = [pretty_midi.PitchBend(1000, 0.1)]
    part.control_changes = [pretty_midi.ControlChange(64, 127 * down, 0.3 * down) for down in (1, 0)]
    file.instruments = [part]
    content = io.BytesIO()
    file.write(content)
    return content.getvalue()


def manifest() -> bytes:
    """Name the clips a.wav and b.wav, which `workspace` has beside it."""
    return b"path,labels,start,end,split,group\na.wav,low,0,0.5,train,x\nb.wav,high,,,validation,y\n"


def json_lines() -> bytes:
    """Say the same as `manifest`."""
    rows = [
        {"path": "a.wav", "labels": ["low"], "end": 0.5, "split": "train"},
        {"path": "b.wav", "labels": ["high"], "split": "test"},
    ]
    return "\n".join(map(json.dumps, rows)).encode()


def clip_model() -> bytes:
    """Save an untrained classifier of windows of half a second."""
    import safetensors.torch  # noqa: F401, what writing needs
    import torch

    from audiocnn.backbones import DilatedNet
    from audiocnn.frontends.mel import LogMel
    from audiocnn.models.clips import ClipModel
    from audiocnn.models.file import write_model

    torch.manual_seed(0)
    front_end = LogMel(RATE, n_fft=256, hop_length=128, n_mels=8)
    model = ClipModel(
        front_end, DilatedNet(in_channels=8, channels=4, dilations=()), ["low", "high"], False, 0.5
    )
    return _written(lambda path: write_model(model, path))


def idx() -> bytes:
    """Write six numbers as an IDX file."""
    return b"\0\0\x08\2" + bytes([0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(6))


def _written(write: Callable[[Path], object]) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        write(path)
        return path.read_bytes()


CONFIG = b"paths: [a.wav]\nmodel: tones.safetensors\nformats: [mid, csv]\nonset_threshold: 0.4\noutput: out\n"

# Name of a file -> what makes it. Two files of a kind show different parts of its reader.
SOUNDS: Mapping[str, Callable[[], bytes]] = {
    "pcm.wav": lambda: sound("WAV", "PCM_16"),
    "float.wav": lambda: sound("WAV", "FLOAT", channels=2),
    "a.flac": lambda: sound("FLAC"),
    "a.ogg": lambda: sound("OGG"),
    "a.opus": lambda: sound("OGG", "OPUS"),
    "a.mp3": lambda: sound("MP3"),
    "a.aiff": lambda: sound("AIFF"),
    "a.caf": lambda: sound("CAF"),
    "a.w64": lambda: sound("W64"),
    "a.au": lambda: sound("AU"),
}
IMAGES: Mapping[str, Callable[[], bytes]] = {
    "a.png": lambda: image("PNG", "RGBA"),
    "palette.png": lambda: image("PNG", "P"),
    "grey.png": lambda: image("PNG", "L"),
    "a.jpg": lambda: image("JPEG"),
    "cmyk.jpg": lambda: image("JPEG", "CMYK"),
    "a.gif": lambda: frames("GIF"),
    "a.webp": lambda: image("WEBP", "RGBA", lossless=True),
    "a.tiff": lambda: image("TIFF", "RGBA"),
    "float.tiff": lambda: image("TIFF", "F"),
    "a.bmp": lambda: image("BMP"),
}
TEXT_REFERENCES: Mapping[str, Callable[[], bytes]] = {
    "a.tsv": lambda: (GOLDEN / "reference.tsv").read_bytes(),
    "a.jams": lambda: (GOLDEN / "two_strings.jams").read_bytes(),
}
MANIFESTS: Mapping[str, Callable[[], bytes]] = {"clips.csv": manifest, "clips.jsonl": json_lines}
FILES: Mapping[str, Callable[[], bytes]] = {
    **SOUNDS,
    **IMAGES,
    **TEXT_REFERENCES,
    **MANIFESTS,
    "a.mid": midi,
    "a.idx": idx,
    "idx.gz": lambda: gzip.compress(idx()),
    "notes.safetensors": MODEL.read_bytes,
    "clips.safetensors": clip_model,
    "config.yaml": lambda: CONFIG,
    "digits.yaml": (GOLDEN.parents[1] / "configs" / "digits.yaml").read_bytes,
}
