"""One thing, one word, the field's: identifiers and phrases that went do not come back."""

import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IDENTIFIERS = {  # gone -> what is said instead
    "picture": "spectrogram, image, plot or piano roll",
    "pictures": "spectrograms, images or plots",
    "several": "multi_label",
    "distract": "negative_example",
    "distract_p": "negative_p",
    "distraction": "negative_example",
    "MaskPicture": "SpecAugment",
    "RollPicture": "RandomShift",
    "Knobs": "StyleOptions, DecodingOptions",
    "knobs": "options",
    "Decoding": "DecodingOptions",
    "Together": "PitchContext",
    "Sums": "Moments",
    "swell": "onsetless",
    "swell_threshold": "onsetless_threshold",
    "n_least": "min_samples",
    "least": "min_size",
    "least_sizes": "min_sizes",
    "Answers": "Predictions",
    "answers": "predictions",
    "heard": "predicted",
    "hears": "predicts",
    "told": "reported",
    "modelfile": "models.file",
    "onnxfile": "models.onnx",
    "restyle": "style.images",
    "resound": "style.sounds",
    "listener": "transcriber",
    "Listener": "StreamingTranscriber",
    "ClipListener": "StreamingClassifier",
}
GONE_PARTS = {"heard", "told", "picture", "pictures"}  # of an identifier, between underscores
GONE_STARTS = ("LEAST_", "MOST_", "least_", "most_", "n_least", "n_most")
PHRASES = (
    "is heard",
    "was heard",
    "what it saw",
    "what it heard",
    "turned upside down",
    "what is taken for what",
    "how far it can be trusted",
    "wrong and sure of it",
    "not heard",
    "what is left of the style",
    "sees pictures",
    "a network of another shape",
    "what is heard of the future",
    "probability that a value is missing",
    "family right",
    "knobs",
    "picture",
    "swell",
)


def identifiers(code: str) -> set[str]:
    """The names in Python code."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


def pages() -> Iterator[Path]:
    """What a user reads: README, data/README, docs and model cards."""
    yield ROOT / "README.md"
    yield ROOT / "CONTRIBUTING.md"
    yield ROOT / "data" / "README.md"
    yield from (ROOT / "docs").rglob("*.md")
    yield from (ROOT / "audiocnn").rglob("*.md")


def words_of(notebook: Path) -> str:
    """A notebook's text and code, without what its cells printed."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


SOURCES = sorted((ROOT / "audiocnn").rglob("*.py"))
TEXTS = [
    *SOURCES,
    *sorted(pages()),
    *sorted((ROOT / "configs").rglob("*.yaml")),
    *(ROOT / "notebooks").glob("*.ipynb"),
]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("source", SOURCES, ids=named)
def test_identifiers_that_went(source: Path) -> None:
    names = identifiers(source.read_text(encoding="utf-8"))
    found = {name: IDENTIFIERS[name] for name in names & IDENTIFIERS.keys()}
    found |= {name: "min_, max_" for name in names if name.startswith(GONE_STARTS)}
    found |= {name: "another word" for name in names if GONE_PARTS & {*name.split("_")}}
    assert not found


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_phrases_that_went(path: Path) -> None:
    text = words_of(path) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", text).lower()
    assert [phrase for phrase in PHRASES if phrase in text] == []


def test_code_is_searched_by_whole_names() -> None:
    assert identifiers("x = heard_s  # heard\ny = 'told'") == {"x", "heard_s", "y"}
