"""The examples of the public functions run as they stand."""

import doctest
from types import ModuleType

import pytest

from audiocnn.style import images, sounds


@pytest.mark.parametrize("module", [images, sounds], ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    failed, attempted = doctest.testmod(module)
    assert (failed, attempted > 3) == (0, True)
