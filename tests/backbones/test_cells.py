"""Cells, wired by hand; AmoebaNet-A in its published sizes; what a search may draw."""

import random
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn import create_backbone
from audiocnn.backbones.amoebanet import NORMAL, REDUCTION, CellNet
from audiocnn.backbones.cells import OPERATIONS, Cell, FactorisedReduction, Layers, check_outputs
from audiocnn.blocks.cost import count_macs, count_parameters
from audiocnn.blocks.drop import StochasticDepth

# Without norms and activations, sums can be worked out by hand.
LINEAR = Layers(1, "none", "none")


def passing(module: nn.Module) -> nn.Module:
    """With inputs that a cell takes as they are."""
    for part in (module.previous, module.before):
        for parameter in part.parameters():
            nn.init.zeros_(parameter)
        nn.init.eye_(part[1].weight[:, :, 0])
    return module


def test_wiring_by_hand() -> None:
    """State 2 = previous + largest of three of before; 3 = state 2 + mean of three of previous."""
    cell = passing(Cell([(0, "identity", 1, "max_3"), (2, "identity", 0, "average_3")], 1, 1, 1, LINEAR))
    previous, before = torch.tensor([[[0.0, 3, 6, 0]]]), torch.tensor([[[1.0, 0, 0, 5]]])
    expected = [0 + 1 + 1.5, 3 + 1 + 3, 6 + 5 + 3, 0 + 5 + 3]
    assert cell(previous, before).flatten().tolist() == expected


def test_states_that_nobody_reads_go_out() -> None:
    """State 0 is read by none, and goes out before state 2, with the stride of a reduction."""
    rows = [(1, "max_3", 1, "max_3")]
    assert check_outputs(rows, None) == (0, 2)
    cell = passing(Cell(rows, 1, 1, 1, LINEAR))
    x = torch.tensor([[[1.0, 2, 3]]])
    assert cell(x, 10 * x).tolist() == [[[1, 2, 3], [40, 60, 60]]]
    reducing = Cell(rows, 1, 1, 4, LINEAR, stride=2)
    assert reducing(x, x).shape == (1, 8, 2)


def test_inputs_of_rows_stay_as_they_are() -> None:
    """Operations do not overwrite the states that others read."""
    layers = Layers(1, "batch", "relu")
    cell = Cell([(0, "conv_1", 0, "identity")], 2, 2, 2, layers).eval()
    previous = torch.randn(1, 2, 5)
    kept = previous.clone()
    cell(previous, previous)
    torch.testing.assert_close(previous, kept, rtol=0, atol=0)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_keep_channels_and_round_sizes_up(name: str, stride: int, dims: int) -> None:
    operation = OPERATIONS[name](Layers(dims, "batch", "relu"), 8, stride).eval()
    for size in (1, 2, 7):
        assert operation(torch.rand(2, 8, *(size,) * dims)).shape == (2, 8, *(-(-size // stride),) * dims)


def test_separable_operation_against_torch() -> None:
    """Twice: activation, depthwise and pointwise convolution, norm; the first time strided."""
    torch.manual_seed(0)
    operation = OPERATIONS["separable_5"](Layers(2, "batch", "relu"), 3, 2).eval()
    x = torch.randn(1, 3, 9, 8)
    weights = [p for p in operation.parameters() if p.ndim == 4]
    expected = x
    for stride, (over_positions, over_channels) in zip((2, 1), (weights[:2], weights[2:]), strict=True):
        expected = functional.conv2d(expected.relu(), over_positions, stride=stride, padding=2, groups=3)
        expected = functional.conv2d(expected, over_channels) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(operation(x), expected)


def test_factorised_operation_is_between_narrow_ones() -> None:
    operation = OPERATIONS["conv_1x7_7x1"](Layers(2, "batch", "relu"), 8, 2)
    kernels = [part for part in operation.modules() if isinstance(part, nn.Conv2d)]
    assert [part.kernel_size for part in kernels] == [(1, 1), (1, 7), (7, 1), (1, 1)]
    assert [part.stride for part in kernels] == [(1, 1), (1, 2), (2, 1), (1, 1)]
    assert [part.out_channels for part in kernels] == [2, 2, 2, 8]


def test_halving_takes_even_and_odd_cells() -> None:
    halving = FactorisedReduction(1, 2, LINEAR)
    for part in halving.parts:
        nn.init.ones_(part.weight)
        nn.init.zeros_(part.bias)
    assert halving(torch.tensor([[[1.0, 2, 3, 4, 5]]])).tolist() == [[[1, 3, 5], [2, 4, 0]]]


@pytest.mark.parametrize(
    ("table", "outputs", "message"),
    [
        ([], None, "the table is empty, expected at least one row"),
        ([(0, "max_3", 1)], None, r"row 0 is \(0, 'max_3', 1\), expected \(left input"),
        ([(0, "max_3", 2, "max_3")], None, "an input of row 0 is state 2, expected one from 0 to 1"),
        ([(0, "max_3", -1, "max_3")], None, "an input of row 0 is state -1, expected one from 0 to 1"),
        ([(0, "max_9", 1, "max_3")], None, "operation is 'max_9', expected one of identity, average_3"),
        ([(0, "max_3", 1, "max_3")], (1,), r"outputs are \(1,\), expected states from 0 to 2, with \[2\]"),
        ([(0, "max_3", 1, "max_3")], (2, 3), r"outputs are \(2, 3\), expected states from 0 to 2"),
    ],
)
def test_wrong_tables(table: Any, outputs: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cell(table, 1, 1, 1, LINEAR, outputs=outputs)


def test_no_channels_in_the_stem() -> None:
    with pytest.raises(ValueError, match="channels is 3, expected at least 4"):
        CellNet(channels=3, stem_reductions=2)


@pytest.mark.parametrize(
    ("arguments", "size", "n_classes", "millions", "gigamacs"),
    [
        ({}, 224, 1000, 5.1, 0.555),  # mobile size
        ({"repeats": 6, "channels": 190}, 331, 1000, 86.7, 23.1),  # ImageNet
        (  # CIFAR-10, whose stem does not reduce
            {"repeats": 6, "channels": 36, "stem_channels": 108, "stem_stride": 1, "stem_reductions": 0},
            32,
            10,
            3.2,
            None,
        ),
    ],
    ids=["mobile", "imagenet", "cifar"],
)
def test_published_sizes(
    arguments: dict[str, Any], size: int, n_classes: int, millions: float, gigamacs: float | None
) -> None:
    """Real et al., "Regularized evolution for image classifier architecture search"."""
    with torch.device("meta"):
        backbone = create_backbone("amoebanet_a", in_channels=3, **arguments)
        model = nn.Sequential(backbone, backbone.classifier(n_classes))
    assert count_parameters(model) / 1e6 == pytest.approx(millions, abs=0.05)
    if gigamacs is not None:
        assert count_macs(model, (1, 3, size, size)) / 1e9 == pytest.approx(gigamacs, rel=0.005)


def test_branches_are_missing_the_more_often_the_deeper_but_identities_never() -> None:
    backbone = CellNet(repeats=1, channels=4, stacks=2, stem_reductions=0, drop=0.3)
    stacks = list(backbone.stages)[1:]
    rates = [
        {part.p for part in cell.modules() if isinstance(part, StochasticDepth)}
        for cells in stacks
        for cell in cells
    ]
    assert [len(rate) for rate in rates] == [1, 1, 1]
    assert [rate.pop() for rate in rates] == pytest.approx([0.1, 0.2, 0.3])
    first = stacks[0][0]
    assert [type(part) for part in first.operations].count(nn.Identity) == 2  # rows 3 and 4 of NORMAL


def random_table(rng: random.Random, n_rows: int = 3) -> list[list[Any]]:
    names = list(OPERATIONS)
    return [
        [rng.randrange(i + 2), rng.choice(names), rng.randrange(i + 2), rng.choice(names)]
        for i in range(n_rows)
    ]


def reached(backbone: nn.Module, x: Tensor) -> bool:
    """Whether every parameter has a gradient; with biases, as norms take the scale away."""
    for part in backbone.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(part.bias, 0.1, 0.3)
    backbone(x).square().sum().backward()
    return all(p.grad is not None and bool(p.grad.any()) for p in backbone.parameters())


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_any_acyclic_tables_make_a_network(seed: int, dims: int) -> None:
    """Lists, as a search writes them; every parameter is on a path to the map."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    backbone = CellNet(
        dims=dims,
        normal=random_table(rng),
        reduction=random_table(rng),
        repeats=1,
        channels=16,
        stacks=2,
        stem_channels=4,
        stem_reductions=1,
    )
    assert backbone.time_stride == 8
    x = torch.rand(2, 1, *(25,) * dims)
    assert backbone.eval()(x).shape == (2, backbone.out_channels, *(4,) * dims)
    assert reached(backbone.train(), x)


def test_operations_of_amoebanet() -> None:
    """Of both cells of AmoebaNet-A: how often each operation is there."""
    counts = [
        {name: [row[1] for row in table].count(name) + [row[3] for row in table].count(name) for name in used}
        for table, used in (
            (NORMAL, ("average_3", "max_3", "separable_3", "separable_5", "identity")),
            (REDUCTION, ("average_3", "max_3", "separable_3", "separable_7", "conv_1x7_7x1")),
        )
    ]
    assert list(counts[0].values()) == [3, 1, 3, 1, 2]
    assert list(counts[1].values()) == [2, 3, 2, 2, 1]
