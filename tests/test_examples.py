"""The examples in the docstrings of the public functions run, and print what they say."""

import doctest
from pathlib import Path

import pytest

import audiocnn

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", audiocnn.__all__)
def test_example(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the root of the repository, except that what an example writes goes to another folder."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(audiocnn, name), name, globs={})
    assert example.examples, f"{name} has no example"
    report: list[str] = []
    failed, _ = doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    assert not failed, "".join(report)
