"""Sizes against torch's own layers; fields against examples worked out by hand."""

from itertools import product

import pytest
import torch
from torch import nn

from audiocnn.blocks.geometry import (
    ReceptiveField,
    Window,
    compute_receptive_field,
    output_size,
    transposed_output_size,
)

SETTINGS = list(product((1, 2, 3, 5), (1, 2, 3), (0, 1, 2), (1, 2)))  # kernel size, stride, padding, dilation


def test_output_size_is_torchs() -> None:
    for kernel_size, stride, padding, dilation in SETTINGS:
        layer = nn.Conv1d(1, 1, kernel_size, stride, padding, dilation)
        for size in range(dilation * (kernel_size - 1) + 1, 14):
            expected = layer(torch.zeros(1, 1, size)).shape[-1]
            made = output_size(size, kernel_size, stride=stride, padding=padding, dilation=dilation)
            assert made == expected, (size, layer)


def test_output_size_in_ceil_mode_is_torchs() -> None:
    for kernel_size, stride, padding, dilation in SETTINGS:
        if 2 * padding > kernel_size:
            continue
        layer = nn.MaxPool1d(kernel_size, stride, padding, dilation, ceil_mode=True)
        for size in range(dilation * (kernel_size - 1) + 1, 14):
            expected = layer(torch.zeros(1, 1, size)).shape[-1]
            made = output_size(
                size, kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=True
            )
            assert made == expected, (size, layer)


def test_transposed_sizes_are_torchs() -> None:
    for kernel_size, stride, padding, dilation in SETTINGS:
        for size, output_padding in product((1, 2, 5), (0, 1)):
            arguments = {"stride": stride, "padding": padding, "dilation": dilation}
            if output_padding >= max(stride, dilation):
                continue
            layer = nn.ConvTranspose1d(1, 1, kernel_size, **arguments, output_padding=output_padding)
            arguments["output_padding"] = output_padding
            if stride * (size - 1) + dilation * (kernel_size - 1) + 1 - 2 * padding + output_padding < 1:
                with pytest.raises(ValueError, match=f"padding is {padding}, expected less than half"):
                    transposed_output_size(size, kernel_size, **arguments)
                continue
            made = transposed_output_size(size, kernel_size, **arguments)
            assert made == layer(torch.zeros(1, 1, size)).shape[-1]


def test_alexnets_first_layer() -> None:
    """11x11 at stride 4 makes 55 of 227, or of 224 with padding 2."""
    assert output_size(227, 11, stride=4) == 55
    assert output_size(224, 11, stride=4, padding=2) == 55


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"size": 2, "kernel_size": 3},
            "size is 2 with padding 0, expected at least 3 positions for kernel_size 3",
        ),
        (
            {"size": 6, "kernel_size": 3, "dilation": 4, "padding": 1},
            "size is 6 with padding 1, .* at least 9",
        ),
        ({"size": 5, "kernel_size": 3, "stride": 0}, "stride is 0, expected at least 1"),
        ({"size": 5, "kernel_size": 0}, "kernel_size is 0, expected at least 1"),
        ({"size": 5, "kernel_size": 3, "dilation": 0}, "dilation is 0, expected at least 1"),
        ({"size": 5, "kernel_size": 3, "padding": -1}, "padding is -1, expected at least 0"),
    ],
)
def test_wrong_sizes(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        output_size(**arguments)


def test_field_of_a_chain_by_hand() -> None:
    # 3 positions; then 3 at steps of 2, which reach 4 further; then 2 at steps of 2, which reach 2 further.
    chain = [Window(3, stride=2), Window(3), Window(2, stride=2)]
    assert compute_receptive_field(chain) == ReceptiveField(size=9, stride=4, offset=4)
    assert compute_receptive_field([]) == ReceptiveField(size=1, stride=1, offset=0)
    # Position 0 of a kernel of 3 at dilation 4, padded by 4, depends on positions -4, 0 and 4.
    assert compute_receptive_field([Window(3, padding=4, dilation=4)]) == ReceptiveField(9, 1, 0)
    # Padded by all it reaches back, a causal kernel's position 0 depends on positions -4 to 0.
    assert compute_receptive_field([Window(5, padding=4)]) == ReceptiveField(5, 1, -2)


def test_field_of_vgg16() -> None:
    """212 positions at steps of 32: Araujo, Norris, Sim, 2019, table."""
    chain = [layer for n in (2, 2, 3, 3, 3) for layer in [Window(3, padding=1)] * n + [Window(2, stride=2)]]
    assert compute_receptive_field(chain) == ReceptiveField(size=212, stride=32, offset=15.5)
