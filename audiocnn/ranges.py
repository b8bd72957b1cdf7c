"""The numbers that arguments may have: none is nan or infinite."""

import dataclasses
import math
import reprlib
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple


class ArgumentError(ValueError):
    """An argument that is none of those expected, in one line."""


class Range(NamedTuple):
    """Finite numbers from a lowest to a highest one.

    Attributes:
        low: the lowest.
        high: the highest: what is beyond it would take all memory, or means nothing.
        whole: whether they are whole numbers.
        is_open: whether the lowest itself is not among them.
    """

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    is_open: bool = False

    def __contains__(self, value: Any) -> bool:
        kind: Any = Integral if self.whole else Real  # which has no order in the eyes of a type checker
        if isinstance(value, bool) or not isinstance(value, kind) or not -math.inf < value < math.inf:
            return False
        return self.low <= value <= self.high and not (self.is_open and value == self.low)

    def __str__(self) -> str:
        number = "a whole number" if self.whole else "a number"
        low, high = (str(one) if isinstance(one, int) else f"{one:g}" for one in (self.low, self.high))
        if self == FINITE:
            return "a finite number"
        if self.high == math.inf:
            return f"more than {low}" if self.is_open else f"{low} or more"
        return f"more than {low} and at most {high}" if self.is_open else f"{number} from {low} to {high}"

    def check(self, name: str, value: Any) -> None:
        """Check an argument.

        Args:
            name: its name, for the message.
            value: as given.

        Raises:
            ArgumentError: it is no number, or none of these.
        """
        if value not in self:
            raise ArgumentError(f"{name} is {reprlib.repr(value)}, expected {self}")


FINITE = Range()
POSITIVE = Range(0, is_open=True)
NOT_NEGATIVE = Range(0)
COUNT = Range(1)  # of what there must be at least one
SHARE = Range(0, 1)


def check(name: str, value: Any, expected: Range) -> None:
    """Check an argument.

    Args:
        name: its name.
        value: its value; None, which stands for "off", is not checked.
        expected: the numbers that it may have.

    Raises:
        ArgumentError: it is none of them.
    """
    if value is not None:
        expected.check(name, value)


def check_interval(name: str, ends: Sequence[Any], expected: Range) -> tuple[float, float]:
    """Check an argument that is an interval.

    Args:
        name: its name, for the message.
        ends: the lowest and the highest number.
        expected: the numbers that they may be.

    Returns:
        The ends.

    Raises:
        ArgumentError: one is none of these, or there are not two in ascending order.
    """
    for end in ends:
        expected.check(name, end)
    if len(ends) != 2 or ends[0] > ends[1]:
        raise ArgumentError(f"{name} is {ends}, expected the lower and the upper end of an interval")
    return ends[0], ends[1]


def check_fields(options: Any, **expected: Range) -> None:
    """Check all numbers of a dataclass, those in tuples too: each is finite, and in its range if it has one.

    Where there is a range, nothing but a number is allowed, and None, which stands for "off", where the
    field's type has it.

    Args:
        options: the dataclass.
        **expected: the ranges of fields, by their names.

    Raises:
        ArgumentError: a number is out of its range.
    """
    for field in dataclasses.fields(options):
        values = getattr(options, field.name)
        is_sequence = isinstance(values, tuple | list) and "tuple" in str(field.type)
        for value in values if is_sequence else (values,):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            is_off = value is None and "None" in str(field.type)
            if is_number or (field.name in expected and not is_off):
                expected.get(field.name, FINITE).check(field.name, value)
