"""Who may import whom: the design's table, held over the source itself."""

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import audiocnn

PACKAGE = Path(audiocnn.__file__).parent
EVERYONE_MAY = {"files", "registry", "units"}
MAY_IMPORT = {
    "__init__": {"backbones", "explain", "inference", "models", "style"},
    "units": set(),
    "files": set(),
    "registry": set(),
    "blocks": set(),
    "audio": set(),
    "images": {"plots"},
    "plots": set(),
    "frontends": set(),
    "augment": set(),
    "labels": set(),
    "notes": set(),
    "midi": {"notes"},
    "backbones": {"blocks"},
    "models": {"frontends", "backbones", "blocks", "notes", "labels"},
    "formats": {"notes", "labels", "audio", "midi", "plots"},
    "inference": {"audio", "images", "blocks", "models", "formats", "notes", "labels"},
    "style": {"audio", "images", "frontends", "backbones", "blocks", "models"},
    "synthesis": {"audio", "midi", "notes", "augment", "datasets"},
    "datasets": {"audio", "images", "midi", "notes", "labels", "augment"},
    "training": {
        "models",
        "frontends",
        "backbones",
        "blocks",
        "augment",
        "audio",
        "images",
        "notes",
        "labels",
        "plots",
        "style",
        "inference",
        "evaluate",
    },
    "evaluate": {"inference", "models", "datasets", "audio", "midi", "notes", "labels", "formats", "plots"},
    "explain": {
        "audio",
        "images",
        "models",
        "inference",
        "frontends",
        "backbones",
        "blocks",
        "labels",
        "notes",
        "plots",
    },
}
MAY_IMPORT["cli"] = set(MAY_IMPORT)

SOURCES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"torch", "torchaudio", "lightning", "librosa", "matplotlib"}


def part_of(source: Path) -> str:
    """The row of the table that a file belongs to: "training" for audiocnn/training/notes.py."""
    return source.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_parts(code: str) -> set[str]:
    """The parts of audiocnn that some code imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    paths = [name.split(".") for name in found]
    return {path[1] for path in paths if path[0] == "audiocnn" and len(path) > 1} - {"__version__"}


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("import audiocnn.training.notes", {"training"}),
        ("import audiocnn", set()),
        ("from audiocnn import audio, files as f, __version__", {"audio", "files"}),
        ("from audiocnn.training.notes import NotesTask", {"training"}),
        ("def f():\n    from audiocnn.datasets import maps", {"datasets"}),
        ("if TYPE_CHECKING:\n    from audiocnn.models.load import load", {"models"}),
        ("import torch\nfrom audiocnnish.training import x", set()),
    ],
)
def test_imports_are_found(code: str, parts: set[str]) -> None:
    assert imported_parts(code) == parts


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(PACKAGE)))
def test_table(source: Path) -> None:
    part = part_of(source)
    assert part in MAY_IMPORT, f"{part} has no row in the table"
    assert imported_parts(source.read_text()) <= MAY_IMPORT[part] | EVERYONE_MAY | {part}


@pytest.mark.parametrize(("start", "other"), [("datasets", "training")])
def test_training_and_datasets_never_reach_each_other(start: str, other: str) -> None:
    graph: dict[str, set[str]] = {}
    for source in SOURCES:
        graph.setdefault(part_of(source), set()).update(imported_parts(source.read_text()))
    reached, todo = set(), {start}
    while todo:
        part = todo.pop()
        reached.add(part)
        todo |= graph.get(part, set()) - reached
    assert other not in reached


@pytest.mark.parametrize(
    "code",
    [
        "import audiocnn",
        "import audiocnn.cli",
        "import audiocnn.cli; sys.argv = ['audiocnn', '--help']; audiocnn.cli.main()",
    ],
)
def test_starts_without_heavy_libraries(code: str) -> None:
    if "cli" in code and find_spec("audiocnn.cli") is None:
        pytest.skip("the command line is not written yet")
    program = f"import atexit, sys; atexit.register(lambda: print('loaded', *sys.modules)); {code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.rpartition("loaded")[2].split()
    assert "audiocnn" in loaded
    assert HEAVY.isdisjoint(loaded)


def test_public_names() -> None:
    assert set(audiocnn.__all__) <= set(dir(audiocnn))
    for name in audiocnn.__all__:
        assert callable(getattr(audiocnn, name)) or name == "explain"
    assert callable(audiocnn.explain.grad_cam)
    with pytest.raises(AttributeError, match="module 'audiocnn' has no attribute 'transkribe'"):
        audiocnn.transkribe  # noqa: B018
