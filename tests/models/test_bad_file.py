"""Model files that are wrong on purpose: one line each, in no time, and in little memory."""

import json
import os
import random
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save

import audiocnn
from audiocnn.backbones.dilated import DilatedNet
from audiocnn.frontends import LogMel
from audiocnn.models.clips import ClipModel
from audiocnn.models.file import ModelError, read_model, write_model

Header = dict[str, Any]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    front_end = LogMel(8000, 512, 256, n_mels=20)
    backbone = DilatedNet(in_channels=20, channels=4, dilations=(1,))
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    write_model(ClipModel(front_end, backbone, ["jazz", "rock"]), path)
    return path


def split(content: bytes) -> tuple[Header, bytes]:
    (n_header,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + n_header]), content[8 + n_header :]


def join(header: object, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def with_description(content: bytes, change: Callable[[Header], object]) -> bytes:
    """The file with another description of its model."""
    header, data = split(content)
    inner = json.loads(header["__metadata__"]["audiocnn"])
    change(inner["model"]["init_args"])
    header["__metadata__"]["audiocnn"] = json.dumps(inner)
    return join(header, data)


def refuse(path: Path, content: bytes, message: str) -> None:
    """The file is refused in one line, and in little memory."""
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(ModelError, match=message) as error:
        read_model(path)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert "\n" not in str(error.value) and len(str(error.value)) < 600


NUMBERS = [
    ("front_end", "hop_length", 0),
    ("front_end", "hop_length", -1),
    ("front_end", "hop_length", "512"),
    ("front_end", "hop_length", 1 << 60),
    ("front_end", "n_fft", 1 << 40),
    ("front_end", "n_mels", 1 << 30),
    ("front_end", "n_mels", True),
    ("front_end", "sample_rate", 0),
    ("front_end", "sample_rate", 8000.5),
    ("front_end", "floor", -1),
    ("front_end", "fmax", 0),
    ("backbone", "channels", 1 << 40),
    ("backbone", "channels", 0),
    ("backbone", "in_channels", "many"),
    ("backbone", "dilations", [1] * 100_000),
    (None, "window_s", 1e9),
    (None, "window_s", 0),
    (None, "threshold", 1.5),
    (None, "drop", -0.1),
    (None, "multi_label", "yes"),
    (None, "labels", []),
    (None, "labels", "jazz"),
    (None, "labels", ["jazz", "jazz"]),
    (None, "labels", ["jazz", 3]),
    (None, "labels", ["jazz", ["rock"]]),
    (None, "labels", ["jazz", "unknown"]),
    (None, "labels", [f"label {i}" for i in range(50_000)]),
    (None, "backbone", 7),
    (None, "front_end", None),
    (None, "more", 1),
]


@pytest.mark.parametrize(("part", "name", "value"), NUMBERS)
def test_wrong_arguments_in_the_header(
    small: Path, tmp_path: Path, part: str | None, name: str, value: object
) -> None:
    def change(arguments: Header) -> None:
        (arguments if part is None else arguments[part]["init_args"])[name] = value

    refuse(tmp_path / "x.safetensors", with_description(small.read_bytes(), change), "damaged")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none(small: Path, tmp_path: Path, value: str) -> None:
    content = small.read_bytes()
    changed = content.replace(b'\\"window_s\\": 3.0', b'\\"window_s\\": ' + value.encode())
    (n_header,) = struct.unpack("<Q", content[:8])
    n_header += len(changed) - len(content)
    assert changed != content
    refuse(tmp_path / "x.safetensors", struct.pack("<Q", n_header) + changed[8:], "damaged")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors["head.project.bias"].fill_(torch.nan), "head.project.bias has values"),
        (lambda tensors: tensors["head.project.weight"].view(-1)[3:4].fill_(-torch.inf), "not finite"),
        (lambda tensors: tensors["backbone.stages.0.1.running_var"].neg_(), "running_var has negative"),
        (lambda tensors: tensors["temperature"].zero_(), "temperature is 0, expected more than 0"),
        (lambda tensors: tensors["temperature"].fill_(-1), "temperature is -1, expected more than 0"),
        (lambda tensors: tensors["temperature"].fill_(torch.nan), "temperature has values"),
        (lambda tensors: tensors.pop("temperature"), "temperature is missing"),
        (lambda tensors: tensors.update(more=torch.zeros(1)), r"more is torch.float32 \(1,\), expected none"),
        (lambda tensors: tensors.update(temperature=torch.ones(1)), r"\(1,\), expected torch.float32 \(\)"),
        (
            lambda tensors: tensors.update(temperature=torch.ones((), dtype=torch.float16)),
            r"temperature is F16 \(\), expected torch.float32 \(\)",
        ),
        (
            lambda tensors: tensors.update(temperature=torch.ones((), dtype=torch.int64)),
            r"temperature is torch.int64 \(\), expected torch.float32 \(\)",
        ),
    ],
)
def test_tensors_that_cannot_be(
    small: Path, tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], object], message: str
) -> None:
    tensors = load_file(small)
    change(tensors)
    metadata = split(small.read_bytes())[0]["__metadata__"]
    refuse(tmp_path / "x.safetensors", save(tensors, metadata), message)


def deep(n: int) -> str:
    return "[" * n + "]" * n


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (join({"x": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}, b""), "damaged"),
        (struct.pack("<Q", 1 << 40) + b'{"x":' + bytes(31), "damaged, or no safetensors file"),
        (
            join(b"{" + b" " * (40 << 20) + b"}", b""),
            r"has a header of 41,943,\d+ bytes, expected at most 33,5",
        ),
        (join(b'{"\xff": 1}', b""), "damaged.*utf-8"),
        (join(deep(100_000).encode(), b""), "damaged"),
        (join(b'{"x": ' + deep(100_000).encode() + b"}", b""), "damaged"),
        (join({"__metadata__": {"audiocnn": deep(100_000)}}, b""), "damaged"),
        (
            join(b'{"__metadata__": {"audiocnn": "{}"}, "__metadata__": {"audiocnn": "1"}}', b""),
            "stands twice",
        ),
        (join({"__metadata__": {"audiocnn": '{"version": 2, "version": 2}'}}, b""), "'version' stands twice"),
        (join({"__metadata__": {"audiocnn": "[]"}}, b""), "has no audiocnn header"),
        (join({"__metadata__": {"audiocnn": '{"version": true}'}}, b""), "is of version True"),
        (join([], b""), "damaged"),
        (b"", "is empty"),
        (b"12345678", "damaged"),
    ],
)
def test_headers_that_cannot_be(tmp_path: Path, content: bytes, message: str) -> None:
    refuse(tmp_path / "x.safetensors", content, message)


def test_descriptions_nested_without_end(small: Path, tmp_path: Path) -> None:
    """Each a front end of a front end: JSON can be as deep as Python's own limit lets it be read."""
    inner: Header = {"class": "Waveform", "init_args": {"sample_rate": 8000}}
    for _ in range(200):
        inner = {"class": "Waveform", "init_args": {"sample_rate": inner}}
    content = with_description(small.read_bytes(), lambda arguments: arguments.update(front_end=inner))
    refuse(tmp_path / "x.safetensors", content, "damaged")


def _link(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Path.mkdir, "is a folder, expected a file"),
        (os.mkfifo, "is a pipe, expected a file"),
        (Path.touch, "is empty"),
        (_link, "no such model|Too many levels of symbolic links"),
    ],
)
@pytest.mark.parametrize("read", [read_model, audiocnn.load])
def test_what_is_no_file(
    tmp_path: Path, make: Callable[[Path], object], message: str, read: Callable[[Path], object]
) -> None:
    make(tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match=message) as error:
        read(tmp_path / "x.safetensors")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "", "../labels/genre", "*"])
def test_names_of_no_model(name: str) -> None:
    with pytest.raises(ModelError):
        audiocnn.load(name)


VALUES = [0, -1, 1 << 62, 10**400, 0.5, 1e308, "x", "", None, True, [], [[]], {}, {"class": "Cqt"}]


def _mutate(content: bytes, draw: random.Random) -> bytes:
    """A byte changed, bytes lost, or a value of the description replaced by one of another type or range."""
    kind = draw.randrange(4)
    if kind == 0:
        i = draw.randrange(len(content))
        return content[:i] + bytes([draw.randrange(256)]) + content[i + 1 :]
    if kind == 1:
        return content[: draw.randrange(len(content))]
    if kind == 2:
        i = draw.randrange(len(content))
        return content[:i] + content[i + draw.randrange(20) :]

    def change(arguments: Header) -> None:
        place: Any = arguments
        while isinstance(value := place[key := draw.choice([*place])], dict) and draw.random() < 0.8:
            place = value
        place[key] = draw.choice(VALUES)

    return with_description(content, change)


def test_mutated_files_are_refused_or_read(small: Path, tmp_path: Path) -> None:
    draw, content, n_refused = random.Random(0), small.read_bytes(), 0
    path = tmp_path / "x.safetensors"
    with path.open("wb", buffering=0) as file:
        for _ in range(2000):
            file.seek(0)
            file.write(_mutate(content, draw))
            file.truncate()
            try:
                model = read_model(path)
            except ModelError as error:
                n_refused += 1
                assert "\n" not in str(error)
            else:
                assert isinstance(model, ClipModel)
    assert 1000 < n_refused < 2000
