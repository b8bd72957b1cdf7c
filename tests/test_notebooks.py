"""Notebooks have exercises and figures that can be read; links of the index of the lectures lead on."""

import ast
import base64
import importlib.util
import io
import json
import pkgutil
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from audiocnn import backbones, blocks
from audiocnn.blocks.global_pool import GLOBAL_POOLS
from audiocnn.blocks.pool import POOLS

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_BYTES, MAX_ANIMATION_BYTES = 3_000_000, 300_000
MIN_WIDTH = 900  # pixels of a figure
ANSWER = re.compile(r"<details><summary>Answer</summary>\n\n.{20,}?\n\n</details>", re.DOTALL)


def import_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LECTURES = import_file(ROOT / "docs" / "lectures.py")
TOPICS = LECTURES.read_topics()


@cache
def cells(notebook: Path) -> list[dict]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


@cache
def headings(notebook: Path) -> list[str]:
    texts = ["".join(cell["source"]) for cell in cells(notebook) if cell["cell_type"] == "markdown"]
    return [heading for text in texts for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]


@cache
def functions(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def named(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=named)
def test_a_notebook_ends_with_exercises_and_hidden_answers(notebook: Path) -> None:
    assert headings(notebook)[-1] == "Exercises"
    texts = ["".join(cell["source"]) for cell in cells(notebook) if cell["cell_type"] == "markdown"]
    exercises = next(text for text in texts if text.startswith("## Exercises"))
    n_questions = len(re.findall(r"^(?:\*\*)?\d+\.(?:\*\*)? ", exercises, re.MULTILINE))
    assert n_questions >= 3
    assert len(ANSWER.findall(exercises)) == n_questions == exercises.count("<details>")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=named)
def test_a_notebook_is_stored_with_its_outputs_and_small(notebook: Path) -> None:
    assert notebook.stat().st_size < MAX_BYTES
    code = [cell for cell in cells(notebook) if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell["outputs"] if output["output_type"] == "error"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=named)
def test_figures_are_wide_enough_to_be_read(notebook: Path) -> None:
    outputs = [output for cell in cells(notebook) for output in cell.get("outputs", ())]
    contents = [content for output in outputs for content in output.get("data", {}).items()]
    figures = ["".join(content) for kind, content in contents if kind in ("image/png", "image/jpeg")]
    widths = [Image.open(io.BytesIO(base64.b64decode(figure))).width for figure in figures]
    assert widths
    assert [width for width in widths if width < MIN_WIDTH] == []


def test_the_animation_has_the_nine_positions_and_is_small() -> None:
    path = ROOT / "notebooks" / "sliding_kernel.gif"
    assert path.stat().st_size < MAX_ANIMATION_BYTES
    with Image.open(path) as animation:
        assert (animation.n_frames, animation.width) == (9, 990)


def test_the_index_is_that_of_its_table() -> None:
    assert LECTURES.PAGE.read_text(encoding="utf-8") == "\n".join(LECTURES.write_page())


def test_every_link_of_the_index_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#]+)", LECTURES.PAGE.read_text(encoding="utf-8"))
    assert len(links) > len(TOPICS)
    assert [link for link in links if not (LECTURES.PAGE.parent / link).is_file()] == []


@pytest.mark.parametrize("name", sorted({name for topic in TOPICS for name in topic.code}))
def test_code_of_the_index_can_be_imported(name: str) -> None:
    pkgutil.resolve_name(f"audiocnn.{name}")


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.topic)
def test_tests_and_headings_of_the_index_exist(topic) -> None:
    for test in topic.tests:
        path, _, function = test.partition("::")
        assert function in functions(ROOT / "tests" / path)
    name, _, heading = topic.notebook.partition("#")
    assert not name or heading in headings(ROOT / "notebooks" / f"{name}.ipynb")
    assert topic.code or topic.notebook


def test_every_family_pooling_and_module_of_blocks_is_in_the_index() -> None:
    names = {name for topic in TOPICS for name in topic.code}
    last = {name.rpartition(".")[2] for name in names}
    pools = {kind.__name__ for kind in (*POOLS.values(), *GLOBAL_POOLS.values()) if isinstance(kind, type)}
    assert backbones.FAMILIES.keys() - last == set()
    assert pools - last == set()
    modules = {module.name for module in pkgutil.iter_modules(blocks.__path__)} - {"arguments"}
    assert modules - {name.split(".")[1] for name in names if name.startswith("blocks.")} == set()
