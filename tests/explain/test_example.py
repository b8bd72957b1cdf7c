"""The example in the package's docstring runs as it stands."""

import doctest
from pathlib import Path

import pytest

from audiocnn import explain


def test_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    failed, attempted = doctest.testmod(explain)
    assert (failed, attempted > 5) == (0, True)
