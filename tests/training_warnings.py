"""Warnings of Lightning and jsonargparse that trainings in tests give: none is about this project."""

import pytest

OLD_NAMES = (
    ":jsonargparse._deprecated.JsonargparseDeprecationWarning",
    ".*isinstance\\(treespec, LeafSpec\\)",
)
FEW_WORKERS = ".*does not have many workers"  # a training of seconds on two cores has none


def ignore(*messages: str) -> list[pytest.MarkDecorator]:
    """Mark the tests of a module, `pytestmark = ignore(...)`, as ones that may give these warnings.

    Args:
        messages: patterns of the messages; after a colon, the class of the warning.
    """
    return [pytest.mark.filterwarnings(f"ignore:{message}") for message in messages]
