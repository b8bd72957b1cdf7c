"""Padding by name, against numpy's and by hand."""

import numpy as np
import pytest
import torch

from audiocnn.blocks.padding import is_asymmetric, min_sizes, pad, pad_sides

NUMPY_MODES = {"zeros": "constant", "replicate": "edge", "reflect": "reflect", "circular": "wrap"}


@pytest.mark.parametrize(
    ("padding", "kernel", "dilation", "sides"),
    [
        ("valid", (4,), (2,), ((0, 0),)),
        ("full", (4,), (2,), ((6, 6),)),
        ("same", (5,), (3,), ((6, 6),)),
        ("causal", (4,), (2,), ((6, 0),)),
        ("causal", (5, 4), (1, 2), ((2, 2), (6, 0))),
        ("full", (2, 3), (1, 2), ((1, 1), (4, 4))),
        (2, (3, 3), (1, 1), ((2, 2), (2, 2))),
        ((1, 3), (3, 3), (1, 1), ((1, 1), (3, 3))),
        (((0, 1), 3), (2, 3), (1, 1), ((0, 1), (3, 3))),
        (((1, 2),), (4,), (1,), ((1, 2),)),
    ],
)
def test_sides(padding, kernel, dilation, sides) -> None:
    assert pad_sides(padding, kernel, dilation) == sides
    assert is_asymmetric(sides) == any(before != after for before, after in sides)


@pytest.mark.parametrize("mode", NUMPY_MODES)
@pytest.mark.parametrize("sides", [((2, 3),), ((0, 1), (3, 2))])
def test_pad_is_numpys(mode: str, sides) -> None:
    x = torch.arange(20.0).reshape(4, 5) if len(sides) == 2 else torch.arange(5.0)
    expected = np.pad(x.numpy(), sides, mode=NUMPY_MODES[mode])
    np.testing.assert_array_equal(pad(x[None, None], sides, mode)[0, 0].numpy(), expected)


@pytest.mark.parametrize(
    ("mode", "least"), [("zeros", (3, 1)), ("replicate", (3, 1)), ("reflect", (3, 6)), ("circular", (3, 5))]
)
def test_min_sizes(mode: str, least) -> None:
    """A kernel of 3 needs 3 positions; 5 positions of padding are mirrored from 6 and wrapped from 5."""
    assert min_sizes(((0, 0), (5, 4)), (3, 3), (1, 2), mode) == least


@pytest.mark.parametrize("padding", [-1, (1, 2, 3), ((1, 2, 3), 1), ((-1, 1), 0), (1,)])
def test_padding_out_of_range(padding) -> None:
    with pytest.raises(
        ValueError, match=r"padding is .*, expected one of valid, full, same, causal, a number"
    ):
        pad_sides(padding, (3, 3), (1, 1))


def test_padding_without_a_rule() -> None:
    with pytest.raises(ValueError, match="padding is 'half', expected one of valid, full, same, causal"):
        pad_sides("half", (3,), (1,))
    with pytest.raises(
        ValueError, match=r"kernel_size is \(4, 3\), expected odd sizes where padding is 'same'"
    ):
        pad_sides("causal", (4, 3), (1, 1))
