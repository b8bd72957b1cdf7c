"""A folder of prepared recordings holds those of one recipe; what failed is named."""

from pathlib import Path

import pytest

from audiocnn import files
from audiocnn.datasets import preparing


def test_one_folder_one_recipe(tmp_path: Path) -> None:
    out = tmp_path / "out"
    preparing.check_recipe(out, {"seed": 0, "soundfonts": [Path("a/x.sf2")]})
    preparing.check_recipe(out, {"seed": 0, "soundfonts": (Path("b/x.sf2"),)})
    with pytest.raises(
        files.FileError, match="out: holds recordings of seed 0, expected 1: choose another folder"
    ):
        preparing.check_recipe(out, {"seed": 1, "soundfonts": [Path("x.sf2")]})
    (out / "recipe.json").write_text("{")
    with pytest.raises(files.FileError, match=r"recipe\.json: not readable"):
        preparing.check_recipe(out, {"seed": 0})


def test_failures_are_named_and_counted() -> None:
    preparing.raise_failures(Path("out"), [], 9)
    with pytest.raises(files.FileError) as caught:
        preparing.raise_failures(Path("out"), ["a: broken", "b: broken", "a: broken"], 9)
    counted = "out: 3 of 9 recordings failed, the others are written: a: broken (2 times); b: broken"
    assert str(caught.value) == counted
    with pytest.raises(files.FileError, match=r"and 2 more$"):
        preparing.raise_failures(Path("out"), [f"{i}: broken" for i in range(12)], 12)
