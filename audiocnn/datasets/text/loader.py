"""Batches of sentences.

Place in the flow: the tables and the vocabulary of `sentiment` -> tokens and classes, for `TextTask`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from audiocnn import files
from audiocnn.datasets.defaults import default_of_model
from audiocnn.datasets.text.sentiment import (
    FOLDER,
    PARTS,
    SUFFIXES,
    UNKNOWN,
    VOCABULARY,
    encode,
    read_lines,
)
from audiocnn.ranges import Range


class Sentences(Dataset):
    """Sentences and their classes, indexed by lists of sentences of one length.

    Args:
        path: table of a class and a sentence a line.
        tokens: of each word.

    Raises:
        files.FileError: the table cannot be read, or a line is no class and sentence.
    """

    def __init__(self, path: Path, tokens: dict[str, int]) -> None:
        rows = [line.partition("\t") for line in read_lines(path)]
        wrong = next((i for i, (number, _, _) in enumerate(rows, start=1) if number not in ("0", "1")), None)
        if wrong is not None or not rows:
            at = f"line {wrong} is {''.join(rows[wrong - 1])[:40]!r}" if wrong else "no line"
            raise files.FileError(path, f"{at}, expected 0 or 1, a tab and a sentence")
        self.sentences = [torch.tensor(encode(sentence, tokens)) for _, _, sentence in rows]
        self.classes = torch.tensor([int(number) for number, _, _ in rows])

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, where: list[int]) -> tuple[Tensor, Tensor]:
        return torch.stack([self.sentences[i] for i in where]), self.classes[where]


class SameLength(Sampler):
    """Batches of sentences of the same length, so that no sentence is padded to that of another.

    Args:
        lengths: of the sentences.
        batch_size: sentences of a batch, fewer where no more have its length.
        shuffle: draw another order of sentences and batches each time.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, shuffle: bool) -> None:
        self.lengths, self.batch_size, self.shuffle = lengths, batch_size, shuffle

    def __len__(self) -> int:
        return sum(-(-n // self.batch_size) for n in Counter(self.lengths).values())

    def __iter__(self) -> Iterator[list[int]]:
        n = len(self.lengths)
        by_length: dict[int, list[int]] = {}
        for i in torch.randperm(n).tolist() if self.shuffle else range(n):
            by_length.setdefault(self.lengths[i], []).append(i)
        batches = [
            alike[start : start + self.batch_size]
            for alike in by_length.values()
            for start in range(0, len(alike), self.batch_size)
        ]
        order = torch.randperm(len(batches)).tolist() if self.shuffle else range(len(batches))
        yield from (batches[i] for i in order)


class SentimentDataModule(lightning.LightningDataModule):
    """Film reviews' sentences as batches of tokens (batch, words) and classes (batch,).

    Args:
        path: folder that `audiocnn data prepare sentiment` wrote.
        n_tokens: size of the vocabulary, with one token for padding and one for all rarer words; the model's
            when None.
        batch_size: sentences of a batch; those of a batch have the same number of words.

    Attributes:
        n_classes: negative and positive.
        sets: the sentences of the parts train, validation and test, from `setup` on.

    Raises:
        ValueError: a number is out of its range.
        files.FileError: in `setup`, a file of the folder is missing or damaged.
    """

    n_classes = len(SUFFIXES)

    def __init__(self, path: str = str(FOLDER), n_tokens: int | None = None, batch_size: int = 50) -> None:
        super().__init__()
        if n_tokens is not None:
            Range(3, 1 << 24, whole=True).check("n_tokens", n_tokens)
        Range(1, 1 << 20, whole=True).check("batch_size", batch_size)
        self.path, self._n_tokens, self.batch_size = Path(path), n_tokens, batch_size
        self.sets: dict[str, Sentences] = {}

    @property
    def n_tokens(self) -> int:
        """Size of the vocabulary."""
        return default_of_model(self, "n_tokens", self._n_tokens)

    def setup(self, stage: str | None = None) -> None:
        """Read the sentences and number the most frequent words of the training sentences."""
        words = read_lines(self.path / VOCABULARY)[: self.n_tokens - UNKNOWN - 1]
        tokens = {word: i for i, word in enumerate(words, start=UNKNOWN + 1)}
        self.sets = {part: Sentences(self.path / f"{part}.tsv", tokens) for part in PARTS}

    def train_dataloader(self) -> DataLoader:
        """Return batches of all training sentences, in another order each epoch."""
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader:
        """Return batches of the validation sentences, in order of length."""
        return self._loader("validation")

    def test_dataloader(self) -> DataLoader:
        """Return batches of the test sentences, in order of length."""
        return self._loader("test")

    def predict_dataloader(self) -> DataLoader:
        """Return batches of the test sentences, in order of length."""
        return self.test_dataloader()

    def _loader(self, part: str, shuffle: bool = False) -> DataLoader:
        sentences = self.sets[part]
        lengths = [len(sentence) for sentence in sentences.sentences]
        return DataLoader(sentences, sampler=SameLength(lengths, self.batch_size, shuffle), batch_size=None)
