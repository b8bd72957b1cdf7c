"""Arguments that augmentation and callbacks cannot have are refused, with the value and what is expected."""

import inspect
import math

import pytest

from audiocnn.augment import Mixup, Overlay, RandomClip, RandomRecording, RandomShift, SpecAugment
from audiocnn.training.callbacks.log_clips import LogClips
from audiocnn.training.callbacks.log_piano_rolls import LogPianoRolls
from audiocnn.training.callbacks.transfer import DiscriminativeRates, FreezeBackbone, GradualUnfreezing

KINDS = [
    *(Mixup, Overlay, RandomClip, RandomRecording, RandomShift, SpecAugment),
    *(DiscriminativeRates, FreezeBackbone, GradualUnfreezing, LogClips, LogPianoRolls),
]
INTERVALS = ("gain_db", "stretch", "semitones")
ARGUMENTS = [
    (kind, name) for kind in KINDS for name in inspect.signature(kind).parameters if name != "record"
]


@pytest.mark.parametrize(("kind", "name"), ARGUMENTS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_numbers(kind: type, name: str, value: float) -> None:
    if name in INTERVALS:
        for ends in ((value, 2.0), (2.0, value))[: 1 if value == -1 else 2]:
            if name == "stretch" or value != -1:
                with pytest.raises(ValueError, match=f"{name} is {value}, expected "):
                    kind(**{name: ends})
        return
    with pytest.raises(ValueError, match=f"{name} is {value}, expected "):
        kind(**{name: value})


@pytest.mark.parametrize(("kind", "name"), [one for one in ARGUMENTS if one[1].endswith("p")])
def test_probabilities_beyond_1(kind: type, name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} is 1\.5, expected a number from 0 to 1"):
        kind(**{name: 1.5})


@pytest.mark.parametrize(("kind", "name"), [one for one in ARGUMENTS if one[1] in INTERVALS])
def test_intervals_that_are_reversed(kind: type, name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} is \(2\.0, 1\.0\), expected the lower and the upper end"):
        kind(**{name: (2.0, 1.0)})
