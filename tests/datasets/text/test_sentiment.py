"""Sentences of film reviews, made up: their split, vocabulary and batches, and a network that learns them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import lightning
import pytest
import torch

from audiocnn import create_backbone, files
from audiocnn.backbones.text import TextCNN
from audiocnn.datasets.text.loader import SameLength, SentimentDataModule
from audiocnn.datasets.text.sentiment import (
    PADDING,
    PARTS,
    UNKNOWN,
    encode,
    prepare_sentiment,
    read_sentences,
    split_words,
)
from audiocnn.models.file import read_model, write_model
from audiocnn.models.text import TextModel
from audiocnn.training.text import TextTask
from tests.training_warnings import FEW_WORKERS, OLD_NAMES, ignore

pytestmark = ignore(*OLD_NAMES, FEW_WORKERS)

N = 40  # sentences of each class


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty sentences of each class, of four to nine words; one word tells the class."""
    folder = tmp_path_factory.mktemp("reviews") / "rt-polaritydata"
    folder.mkdir()
    for suffix, word in (("pos", "charming"), ("neg", "dull")):
        lines = [f"a {word} film " + "and more " * (i % 3) + f"n{i}" for i in range(N)]
        (folder / f"rt-polarity.{suffix}").write_bytes("\n".join([*lines, ""]).encode("latin-1"))
    return folder.parent


@pytest.fixture(scope="module")
def prepared(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cache") / "sentiment"
    assert prepare_sentiment(reviews, out) == 2 * N
    return out


def rows_of(folder: Path, part: str) -> list[list[str]]:
    return [line.split("\t") for line in (folder / f"{part}.tsv").read_text().splitlines()]


def test_parts_share_no_sentence_and_have_half_of_each_class(prepared: Path) -> None:
    parts = {part: rows_of(prepared, part) for part in PARTS}
    assert {part: Counter(number for number, _ in rows) for part, rows in parts.items()} == {
        "train": {"0": 32, "1": 32},
        "validation": {"0": 4, "1": 4},
        "test": {"0": 4, "1": 4},
    }
    assert len({sentence for rows in parts.values() for _, sentence in rows}) == 2 * N


def test_vocabulary_is_of_the_training_sentences_by_frequency(prepared: Path) -> None:
    words = (prepared / "vocabulary.txt").read_text().splitlines()
    counts = Counter(word for _, sentence in rows_of(prepared, "train") for word in sentence.split())
    assert words[:2] == ["a", "film"]
    assert dict(counts) == {word: counts[word] for word in words}
    assert [counts[word] for word in words] == sorted(counts.values(), reverse=True)


def test_preparing_again_writes_the_same_and_replaces_nothing(
    reviews: Path, prepared: Path, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in prepared.iterdir()}
    assert prepare_sentiment(reviews, prepared) == 2 * N
    assert {path.name: path.read_bytes() for path in prepared.iterdir()} == before
    (tmp_path / "train.tsv").write_text("mine\n")
    with pytest.raises(files.FileError, match=r"train\.tsv: is there with other lines, expected another"):
        prepare_sentiment(reviews, tmp_path)
    assert (tmp_path / "train.tsv").read_text() == "mine\n"


def test_what_is_there_twice_counts_once_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "rt-polarity.pos"
    path.write_bytes("caf\xe9 au  lait\nno\x85break\n\ncaf\xe9 au lait \n".encode("latin-1"))
    with pytest.warns(files.FileWarning, match="1 sentences are there twice and count once"):
        assert read_sentences(path) == ["café au lait", "no break"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "not found there, expected one rt-polarity.neg"),
        (
            lambda folder: (folder / "rt-polarity.neg").write_text("\n \n"),
            "holds no sentence, expected one a",
        ),
    ],
)
def test_no_data(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    make(tmp_path)
    with pytest.raises(files.FileError, match=message):
        prepare_sentiment(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_words() -> None:
    words = ["it", "isn't", "a", "too-clever", "film", ",", "is", "it", "?", "café", "21st"]
    assert split_words("It isn't a too-clever film, is it? café 21st") == words
    assert encode("a dull film", {"a": 2, "film": 7}) == [2, UNKNOWN, 7, PADDING, PADDING]


def test_batches_have_one_length_and_hold_each_sentence_once() -> None:
    torch.manual_seed(0)
    lengths = [5, 7, 5, 5, 9, 7, 5, 5]
    in_order, shuffled = SameLength(lengths, 2, shuffle=False), SameLength(lengths, 2, shuffle=True)
    assert list(in_order) == [[0, 2], [3, 6], [7], [1, 5], [4]]
    for sampler in (in_order, shuffled):
        batches = list(sampler)
        assert len(batches) == len(sampler) == 5
        assert sorted(i for batch in batches for i in batch) == list(range(8))
        assert all(len({lengths[i] for i in batch}) == 1 for batch in batches)
    assert list(shuffled) != list(shuffled)


def test_numbers_of_words(prepared: Path) -> None:
    """The most frequent words have the first numbers after those for padding and for all rarer ones."""
    data = SentimentDataModule(str(prepared), n_tokens=5, batch_size=3)
    data.setup()
    words = (prepared / "vocabulary.txt").read_text().splitlines()[:3]
    number, sentence = rows_of(prepared, "test")[0]
    tokens, classes = data.sets["test"][[0]]
    numbers = [2 + words.index(word) if word in words else UNKNOWN for word in sentence.split()]
    assert tokens[0].tolist() == numbers + [PADDING] * (5 - len(numbers))
    assert classes.tolist() == [int(number)]


@pytest.mark.parametrize("line", ["2\tgood", "good", "\tgood", "1 good"])
def test_damaged_tables(prepared: Path, tmp_path: Path, line: str) -> None:
    for path in prepared.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "test.tsv").write_text(f"0\tfine\n{line}\n")
    with pytest.raises(files.FileError, match=r"test\.tsv: line 2 is .*, expected 0 or 1, a tab and a sent"):
        SentimentDataModule(str(tmp_path), n_tokens=5).setup()


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="batch_size is 0, expected a whole number from 1"):
        SentimentDataModule(batch_size=0)
    with pytest.raises(ValueError, match="n_tokens is 2, expected a whole number from 3"):
        SentimentDataModule(n_tokens=2)
    with pytest.raises(files.FileError, match=r"vocabulary\.txt: "):
        SentimentDataModule(str(tmp_path), n_tokens=9).setup()


def test_a_network_learns_the_word_that_tells_the_class(prepared: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    backbone = create_backbone("textcnn_small", in_channels=50, channels=8)
    task, data = TextTask(backbone, learning_rate=1e-2), SentimentDataModule(str(prepared), batch_size=8)
    trainer = lightning.Trainer(
        max_epochs=6,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(task, data)
    assert data.n_tokens == 50
    (scores,) = trainer.test(task, data, verbose=False)
    assert scores["test/accuracy"] == 1
    write_model(task, tmp_path / "words.safetensors")
    model, tokens = read_model(tmp_path / "words.safetensors", TextModel), data.sets["test"][[0]][0]
    assert type(model) is TextModel and isinstance(model.backbone, TextCNN)
    torch.testing.assert_close(model.eval()(tokens), task.eval()(tokens))


def test_tokens_of_another_form(prepared: Path) -> None:
    task = TextTask(create_backbone("textcnn_small", in_channels=50))
    with pytest.raises(ValueError, match=r"a batch is .*, expected tokens \(batch, words\) of whole numbers"):
        task.check_batch((torch.rand(2, 50, 9), torch.zeros(2)))
