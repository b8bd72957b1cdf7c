"""Sentences of film reviews, each positive or negative.

Place in the flow: the data set's two files -> three tables and a vocabulary, which `loader` reads.

Data card:
    Content: one sentence or phrase of an English film review a line, in lower case, its words and punctuation
        marks separated by spaces; half of them positive, half negative.
    Count: 10,662 sentences of 21 words on average, 5,331 of each class: 8,530 to train on, 1,066 to validate,
        1,066 to test.
    Source: Pang and Lee, "Seeing stars: exploiting class relationships for sentiment categorization with
        respect to rating scales", 2005: sentence polarity dataset v1.0, rt-polarity.pos and rt-polarity.neg,
        as the repository yoonkim/CNN_sentence holds them, too.
    Licence: none stated; the authors ask to be cited. The sentences are those of reviews on Rotten Tomatoes.
    Split rule: each class is shuffled with the seed SPLIT_SEED and cut at 8/10 and 9/10. No sentence is there
        twice. Which sentences are of one review is not published: some reviews are on both sides.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from audiocnn import files

FOLDER = Path("data/cache/sentiment")
SUFFIXES = ("neg", "pos")  # of rt-polarity's files: class 0 and 1
ENCODING = "latin-1"  # of rt-polarity's files
MAX_BYTES = 1 << 24  # of a file; rt-polarity's have 0.6 MB
PARTS = ("train", "validation", "test")
CUTS = (8 / 10, 9 / 10)  # of each class, where training ends and where validation does
SPLIT_SEED = 0
VOCABULARY = "vocabulary.txt"
PADDING, UNKNOWN = 0, 1  # tokens; those of words begin after them
MIN_WORDS = 5  # of a sentence, shorter ones end in padding: the longest kernel of `TextCNN`
WORDS = re.compile(r"[^\W_]+(?:['-][^\W_]+)*|[^\w\s]")  # words, and punctuation marks one by one


def prepare_sentiment(source: Path, out: Path = FOLDER) -> int:
    """Split the sentences of rt-polarity and count their words.

    Args:
        source: folder with rt-polarity.pos and rt-polarity.neg in it, or in a folder of its own.
        out: folder for train.tsv, validation.tsv and test.tsv, of a class (0 negative, 1 positive) and a
            sentence a line; and for vocabulary.txt, the words of the training sentences, the most frequent
            first.

    Returns:
        The number of sentences.

    Raises:
        files.FileError: a file is missing, cannot be read or holds no sentences; or one of the tables is
            there with other lines, or cannot be written.
    """
    classes = [read_sentences(find_file(source, f"rt-polarity.{suffix}")) for suffix in SUFFIXES]
    parts: dict[str, list[tuple[int, str]]] = {part: [] for part in PARTS}
    rng = np.random.RandomState(SPLIT_SEED)  # whose streams numpy promises never to change
    for number, sentences in enumerate(classes):
        shuffled = [sentences[i] for i in rng.permutation(len(sentences))]
        ends = [0, *(round(cut * len(shuffled)) for cut in CUTS), len(shuffled)]
        for part, start, end in zip(PARTS, ends, ends[1:], strict=False):
            parts[part] += [(number, sentence) for sentence in shuffled[start:end]]
    for part, rows in parts.items():
        _write(out / f"{part}.tsv", (f"{number}\t{sentence}" for number, sentence in rows))
    counts = Counter(word for _, sentence in parts["train"] for word in split_words(sentence))
    _write(out / VOCABULARY, sorted(counts, key=lambda word: (-counts[word], word)))
    return sum(map(len, parts.values()))


def find_file(folder: Path, name: str) -> Path:
    """Find a file in a folder or below it.

    Args:
        folder: where to look.
        name: of the file.

    Returns:
        Its path.

    Raises:
        files.FileError: there is none, or more than one.
    """
    found = sorted(Path(folder).rglob(name))
    if len(found) != 1:
        there = f"holds {', '.join(map(str, found))}" if found else "not found there"
        raise files.FileError(Path(folder), f"{there}, expected one {name}")
    return found[0]


def read_sentences(path: Path) -> list[str]:
    """Read the sentences of a file, one a line.

    Args:
        path: of the file.

    Returns:
        The sentences, each once, in their order; how many were there twice is told.

    Raises:
        files.FileError: the file cannot be read, or holds no sentence.
    """
    lines = files.read_bytes(path, MAX_BYTES).decode(ENCODING).split("\n")
    sentences = [" ".join(line.split()) for line in lines if line.strip()]
    once = list(dict.fromkeys(sentences))
    if not once:
        raise files.FileError(path, "holds no sentence, expected one a line")
    if len(once) < len(sentences):
        files.warn(path, [f"{len(sentences) - len(once)} sentences are there twice and count once"])
    return once


def split_words(sentence: str) -> list[str]:
    """Split a sentence into its words and punctuation marks.

    Args:
        sentence: as it is written.

    Returns:
        The words, in lower case.
    """
    return WORDS.findall(sentence.lower())


def encode(sentence: str, tokens: dict[str, int]) -> list[int]:
    """Encode a sentence.

    Args:
        sentence: as it is written.
        tokens: of each word.

    Returns:
        A token for each word, UNKNOWN for those that have none, and PADDING up to MIN_WORDS.
    """
    encoded = [tokens.get(word, UNKNOWN) for word in split_words(sentence)]
    return encoded + [PADDING] * (MIN_WORDS - len(encoded))


def read_lines(path: Path) -> list[str]:
    """Read the lines of a table or of the vocabulary.

    Args:
        path: of the file.

    Returns:
        The lines, without their ends.

    Raises:
        files.FileError: the file cannot be read, is longer than `MAX_BYTES` or is not UTF-8.
    """
    try:
        return files.read_bytes(path, MAX_BYTES).decode("utf-8").split("\n")[:-1]
    except UnicodeDecodeError as error:
        raise files.FileError(path, f"not UTF-8: {error}") from error


def _write(path: Path, lines: Iterator[str] | Sequence[str]) -> None:
    """Write lines, unless the file is there: with these lines already, or with others, which stay."""
    content = "".join(f"{line}\n" for line in lines).encode()
    if not path.exists():
        with files.write_atomically(path) as partial:
            partial.write_bytes(content)
    elif files.read_bytes(path, MAX_BYTES) != content:
        raise files.FileError(path, "is there with other lines, expected another folder")
