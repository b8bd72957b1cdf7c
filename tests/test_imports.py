"""Who may import whom: the design's table, held over the source itself."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import audiocnn

PACKAGE = Path(audiocnn.__file__).parent
EVERYONE_MAY = {"files", "inputs", "ranges", "records", "registry", "units"}
MAY_IMPORT = {
    "__init__": {"backbones", "explain", "inference", "models", "style"},
    "units": set(),
    "files": set(),
    "inputs": set(),
    "ranges": set(),
    "records": set(),
    "registry": set(),
    "blocks": set(),
    "audio": set(),
    "images": {"plots"},
    "plots": set(),
    "frontends": set(),
    "augment": {"images"},
    "labels": set(),
    "notes": set(),
    "midi": {"notes"},
    "backbones": {"blocks"},
    "models": {"frontends", "backbones", "blocks", "notes", "labels"},
    "formats": {"notes", "labels", "audio", "images", "midi", "plots"},
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
    "evaluate": {
        "inference",
        "models",
        "datasets",
        "audio",
        "images",
        "midi",
        "notes",
        "labels",
        "formats",
        "plots",
    },
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
MAY_IMPORT["__main__"] = {"cli"}

SOURCES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"torch", "torchaudio", "lightning", "librosa", "matplotlib"}


def module_of(source: Path) -> str:
    """The dotted name of a source file: "audiocnn.training" for audiocnn/training/__init__.py."""
    parts = source.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(source): source for source in SOURCES}


def part_of(module: str) -> str:
    """The row of the table that a module belongs to: "training" for audiocnn.training.notes."""
    return f"{module}.__init__".split(".")[1]


def imported_modules(code: str) -> set[str]:
    """The modules of audiocnn that some code imports, at its top or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {module for name in names - {"audiocnn.__version__"} if (module := _longest_module(name))}


def _longest_module(name: str) -> str:
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def cycle_in(graph: dict[str, set[str]]) -> list[str]:
    """One circle of a graph of who imports whom; none: []."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        ("import audiocnn.training.notes", {"audiocnn.training.notes"}),
        ("import audiocnn", {"audiocnn"}),
        ("import audiocnn as a, os", {"audiocnn"}),
        ("from audiocnn import audio, files as f, __version__", {"audiocnn.audio", "audiocnn.files"}),
        ("from audiocnn import classify", {"audiocnn"}),
        ("from audiocnn.training.notes import NotesTask", {"audiocnn.training.notes"}),
        ("def f():\n    from audiocnn.datasets import clips", {"audiocnn.datasets.clips"}),
        ("if TYPE_CHECKING:\n    from audiocnn.models.load import load", {"audiocnn.models.load"}),
        ("import torch\nfrom audiocnnish.training import x", set()),
    ],
)
def test_imports_are_found(code: str, modules: set[str]) -> None:
    assert imported_modules(code) == modules


@pytest.mark.parametrize(
    ("module", "part"),
    [
        ("audiocnn.training.notes", "training"),
        ("audiocnn.models", "models"),
        ("audiocnn.audio", "audio"),
        ("audiocnn", "__init__"),
    ],
)
def test_parts(module: str, part: str) -> None:
    assert part_of(module) == part


@pytest.mark.parametrize("module", MODULES)
def test_table(module: str) -> None:
    part = part_of(module)
    assert part in MAY_IMPORT, f"{part} has no row in the table"
    imported = {part_of(other) for other in imported_modules(MODULES[module].read_text())}
    assert imported <= MAY_IMPORT[part] | EVERYONE_MAY | {part}


def test_a_circle_is_found() -> None:
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert set(cycle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}})) == {"b", "c"}


def test_no_circle_between_modules() -> None:
    graph = {module: imported_modules(source.read_text()) - {module} for module, source in MODULES.items()}
    assert cycle_in(graph) == []


def test_no_circle_between_parts() -> None:
    graph: dict[str, set[str]] = {}
    for module, source in MODULES.items():
        imported = {part_of(other) for other in imported_modules(source.read_text())}
        graph.setdefault(part_of(module), set()).update(imported - {part_of(module)})
    assert cycle_in(graph) == []


def loaded_by(code: str) -> set[str]:
    """The modules that a new process has loaded when it has run some code."""
    program = f"import atexit, sys; atexit.register(lambda: print('loaded', *sys.modules)); {code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("loaded")[2].split())


@pytest.mark.parametrize(
    "code",
    [
        "import audiocnn",
        "import audiocnn.cli",
        "import audiocnn.cli; sys.argv = ['audiocnn', '--help']; audiocnn.cli.main()",
    ],
)
def test_starts_without_heavy_libraries(code: str) -> None:
    loaded = loaded_by(code)
    assert "audiocnn" in loaded
    assert HEAVY.isdisjoint(loaded)


NOT_TO_TRANSCRIBE = ("style", "training", "datasets", "synthesis", "evaluate", "explain", "augment", "cli")


@pytest.mark.parametrize(
    ("code", "max_modules"),
    [
        ("import audiocnn; audiocnn.load('notes-piano')", 40),
        ("import audiocnn; audiocnn.transcribe('data/examples/menuet_piano.flac', 'notes-piano')", 75),
    ],
)
def test_a_named_model_loads_its_own_parts_alone(
    code: str, max_modules: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PACKAGE.parent)
    loaded = loaded_by(code)
    ours = {module for module in loaded if module in MODULES}
    assert len(ours) < max_modules
    assert {part_of(module) for module in ours}.isdisjoint(NOT_TO_TRANSCRIBE)
    families = {"audiocnn.backbones", "audiocnn.backbones.base", "audiocnn.backbones.harmonic"}
    assert {module for module in ours if part_of(module) == "backbones"} == families
    assert (HEAVY - {"torch"}).isdisjoint(loaded)


def test_public_names() -> None:
    assert set(audiocnn.__all__) <= set(dir(audiocnn))
    for name in audiocnn.__all__:
        assert callable(getattr(audiocnn, name)) or name == "explain"
    assert callable(audiocnn.explain.grad_cam)
    with pytest.raises(AttributeError, match="module 'audiocnn' has no attribute 'transkribe'"):
        audiocnn.transkribe  # noqa: B018
