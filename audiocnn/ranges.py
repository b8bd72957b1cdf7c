"""The numbers that arguments may have: none is nan or infinite."""

import dataclasses
import math
from typing import Any, NamedTuple


class Range(NamedTuple):
    """Finite numbers from a lowest to a highest one.

    Attributes:
        low: the lowest.
        high: the highest.
        is_open: whether the lowest itself is not among them.
    """

    low: float = -math.inf
    high: float = math.inf
    is_open: bool = False

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int | float) or not math.isfinite(number):
            return False
        return self.low <= number <= self.high and not (self.is_open and number == self.low)

    def __str__(self) -> str:
        if self == FINITE:
            return "a finite number"
        if self.is_open:
            return f"more than {self.low}" + f" and at most {self.high}" * math.isfinite(self.high)
        return f"{self.low} to {self.high}" if math.isfinite(self.high) else f"{self.low} or more"


FINITE = Range()
POSITIVE = Range(0, is_open=True)
NOT_NEGATIVE = Range(0)
COUNT = Range(1)  # of what there must be at least one
SHARE = Range(0, 1)


def check(name: str, value: float | None, expected: Range) -> None:
    """Check an argument.

    Args:
        name: its name.
        value: its value; None, which stands for "off", is not checked.
        expected: the numbers that it may have.

    Raises:
        ValueError: it is none of them.
    """
    if value is not None and value not in expected:
        raise ValueError(f"{name} is {value}, expected {expected}")


def check_fields(options: Any, **expected: Range) -> None:
    """Check all numbers of a dataclass, those in tuples too: each is finite, and in its range if it has one.

    Args:
        options: the dataclass.
        **expected: the ranges of fields, by their names.

    Raises:
        ValueError: a number is out of its range.
    """
    for field in dataclasses.fields(options):
        values = getattr(options, field.name)
        for value in values if isinstance(values, tuple | list) else (values,):
            if isinstance(value, int | float):
                check(field.name, value, expected.get(field.name, FINITE))
