"""Seeded mutations of files: a damaged copy of some bytes, the same for the same generator."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

# 16- and 32-bit integers at the edges of their types, as sizes and counts in headers are read.
EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
HEADER = 128  # bytes at the start, where formats keep what a reader believes; half of the changes go there
# What people and programs leave in text, in place of a number or a word.
WORDS = (
    *(
        "",
        "0",
        "-1",
        "1e9",
        "1e400",
        "nan",
        "inf",
        "-inf",
        "null",
        "true",
        "[]",
        "{}",
        '"',
        "'",
        ",",
        ";",
        "\t",
    ),
    *(
        "\n",
        "\r",
        "\0",
        "\ufeff",
        "../..",
        "/",
        "é",
        "\U0001f3b5",
        "[red]",
        "<b>",
        "$(false)",
        "|",
        "x" * 5000,
    ),
    *("[" * 5000, "{{ 1 }}", "!!python/object:os.system", "2026-02-30", "1_000", "0x10", "&a *a"),
)


# In place of a value in the description of a model.
VALUES = (
    0,
    -1,
    1,
    2**31,
    2**63,
    1e-9,
    1e300,
    float("nan"),
    float("inf"),
    None,
    True,
    "",
    "x",
    [],
    [[[]]],
    {},
    [1, 2],
)
MAX_DEPTH = 3000  # of lists within lists, more than Python's recursion takes


def mutate(content: bytes, suffix: str, random: np.random.Generator) -> bytes:
    """Damage a file's content, mostly in one place.

    Args:
        content: what the file holds.
        suffix: of its name, by which the ways to damage it are chosen.
        random: decides what and where.

    Returns:
        The damaged content; by chance, it may be the same.
    """
    ways = BYTES + WAYS.get(suffix, ())
    for _ in range(min(random.geometric(0.6), 4)):
        content = ways[random.integers(len(ways))](content, random)
    return content


def _place(content: bytes, random: np.random.Generator) -> int:
    end = min(len(content), HEADER) if random.random() < 0.5 else len(content)
    return int(random.integers(end + 1))


def _put(content: bytes, start: int, new: bytes) -> bytes:
    return content[:start] + new + content[start + len(new) :]


def _flip(content: bytes, random: np.random.Generator) -> bytes:
    place = _place(content, random)
    bits = content[place : place + 1]
    return _put(content, place, bytes(byte ^ (1 << int(random.integers(8))) for byte in bits))


def _overwrite(content: bytes, random: np.random.Generator) -> bytes:
    return _put(content, _place(content, random), random.bytes(int(random.integers(1, 33))))


def _edge(content: bytes, random: np.random.Generator) -> bytes:
    edge, size = EDGES[random.integers(len(EDGES))], (1, 2, 4, 8)[random.integers(4)]
    order = ("little", "big")[random.integers(2)]
    return _put(content, _place(content, random), (edge % 256**size).to_bytes(size, order))


def _truncate(content: bytes, random: np.random.Generator) -> bytes:
    return content[: _place(content, random)]


def _cut(content: bytes, random: np.random.Generator) -> bytes:
    start = _place(content, random)
    return content[:start] + content[start + int(random.integers(1, 257)) :]


def _insert(content: bytes, random: np.random.Generator) -> bytes:
    place = _place(content, random)
    return content[:place] + random.bytes(int(random.integers(1, 257))) + content[place:]


def _repeat(content: bytes, random: np.random.Generator) -> bytes:
    start, end = sorted((_place(content, random), _place(content, random)))
    return content[:end] + content[start:end] + content[end:]


def _zero(content: bytes, random: np.random.Generator) -> bytes:
    place = _place(content, random)
    return _put(content, place, bytes(min(int(random.integers(1, 1025)), len(content) - place)))


def _replace_word(content: bytes, random: np.random.Generator) -> bytes:
    words = content.decode("utf-8", "replace").replace("\n", " \n ").replace("\t", " \t ").split(" ")
    words[random.integers(len(words))] = WORDS[random.integers(len(WORDS))]
    return " ".join(words).replace(" \n ", "\n").replace(" \t ", "\t").encode("utf-8", "surrogatepass")


def _insert_word(content: bytes, random: np.random.Generator) -> bytes:
    place = _place(content, random)
    return content[:place] + WORDS[random.integers(len(WORDS))].encode() + content[place:]


def _swap_lines(content: bytes, random: np.random.Generator) -> bytes:
    lines = content.split(b"\n")
    first, second = random.integers(len(lines), size=2)
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def _recode(content: bytes, random: np.random.Generator) -> bytes:
    encoding = ("utf-16", "utf-8-sig", "latin-1", "utf-32")[random.integers(4)]
    return content.decode("utf-8", "replace").encode(encoding, "replace")


def _change_model(content: bytes, random: np.random.Generator) -> bytes:
    """Change a value in the header of a safetensors file; its length follows, so that it stays readable."""
    size = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + size])
        described = json.loads(header["__metadata__"]["audiocnn"])
        _change_value(described, random)
        header["__metadata__"]["audiocnn"] = json.dumps(described)
        if random.random() < 0.05:
            header["__metadata__"]["audiocnn"] = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # damaged before
        return content
    changed = json.dumps(header).encode()
    return len(changed).to_bytes(8, "little") + changed + content[8 + size :]


def _change_value(tree: Any, random: np.random.Generator) -> None:
    """Change a value somewhere in lists and dictionaries, in place."""
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    if not keys:
        return
    key = keys[random.integers(len(keys))]
    if isinstance(tree[key], dict | list) and tree[key] and random.random() < 0.9:
        return _change_value(tree[key], random)
    if random.random() < 0.1 and isinstance(tree, dict):
        del tree[key]
        return None
    tree[key] = VALUES[random.integers(len(VALUES))]
    return None


Mutation = Callable[[bytes, np.random.Generator], bytes]
BYTES: tuple[Mutation, ...] = (_flip, _overwrite, _edge, _truncate, _cut, _insert, _repeat, _zero)
TEXT: tuple[Mutation, ...] = (_replace_word, _replace_word, _insert_word, _swap_lines, _recode)
MODEL: tuple[Mutation, ...] = 16 * (_change_model,)  # two of three changes
WAYS = {**dict.fromkeys((".csv", ".jams", ".jsonl", ".tsv", ".yaml"), TEXT), ".safetensors": MODEL}
