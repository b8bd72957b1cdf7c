"""Cost against published counts and sums by hand."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from audiocnn import create_backbone
from audiocnn.blocks.cost import Layer, count_macs, count_parameters, list_layers
from audiocnn.blocks.receptive_field import measure_receptive_field

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}


def test_cost_of_resnet_50() -> None:
    """25,557,032 parameters and 4.09 GMAC: torchvision's table of weights."""
    with torch.device("meta"):
        backbone = create_backbone("resnet50", in_channels=3)
        net = nn.Sequential(backbone, backbone.classifier(1000))
    rows = list_layers(net, (1, 3, 224, 224))
    assert count_parameters(net) == sum(row.parameters for row in rows) == 25_557_032
    assert sum(row.macs for row in rows) == 4_089_184_256
    assert rows[0] == Layer("0.stages.0.0.0", "Conv2d", (1, 64, 112, 112), 3 * 49 * 64, 3 * 49 * 64 * 112**2)
    assert rows[-1] == Layer("1.1", "Linear", (1, 1000), 2_049_000, 2_048_000)


@pytest.mark.parametrize("dims", [1, 2])
def test_layers_by_hand(dims: int) -> None:
    """Grouped, strided and transposed convolutions, and a product within a forward."""

    class Gate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(6, 6))
            self.act = nn.Sigmoid()

        def forward(self, x: Tensor) -> Tensor:
            return x * self.act(x.flatten(2).mean(2) @ self.weight).reshape(*x.shape[:2], *[1] * dims)

    transposed = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}[dims]
    net = nn.Sequential(
        CONVOLUTIONS[dims](4, 6, 3, stride=2, groups=2), Gate(), transposed(6, 5, 4, stride=2, bias=False)
    )
    assert list_layers(net, (3, 4, *[9] * dims)) == [
        Layer("0", f"Conv{dims}d", (3, 6, *[4] * dims), 2 * 3**dims * 6 + 6, 3 * 6 * 2 * 3**dims * 4**dims),
        Layer("1.act", "Sigmoid", (3, 6), 0, 0),
        Layer("1", "Gate", (3, 6, *[4] * dims), 36, 3 * 36),
        # Each position of the input meets each weight once.
        Layer(
            "2", f"ConvTranspose{dims}d", (3, 5, *[10] * dims), 6 * 5 * 4**dims, 3 * 6 * 5 * 4**dims * 4**dims
        ),
    ]


def test_macs_are_those_of_all_layers() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5))
    assert count_macs(net, (2, 7, 3)) == 2 * 7 * (12 + 20)


def test_layers_used_twice_have_their_parameters_once() -> None:
    linear = nn.Linear(3, 3)
    net = nn.Sequential(linear, nn.ReLU(), linear)
    rows = list_layers(net, (1, 3))
    assert [(row.name, row.parameters, row.macs) for row in rows] == [("0", 12, 9), ("1", 0, 0), ("0", 0, 9)]
    assert count_parameters(net) == 12


def test_layers_of_a_network_over_tokens_that_looks_at_values() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.conv = nn.Embedding(10, 4), nn.Conv1d(4, 2, 3)

        def forward(self, x: Tensor) -> Tensor:
            assert x.max().item() < 10
            return self.conv(self.table(x).transpose(1, 2))

    rows = list_layers(Tokens(), (1, 7), dtype=torch.long, device="cpu")
    assert [(row.name, row.output_shape) for row in rows] == [("table", (1, 7, 4)), ("conv", (1, 2, 5))]


@pytest.mark.parametrize("measure", [list_layers, measure_receptive_field])
def test_the_network_is_left_as_it_was(measure: Callable) -> None:
    shared = nn.Conv1d(2, 2, 1)
    net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2), nn.Sequential(nn.Dropout()).eval())
    net.extend([nn.Sequential(shared), nn.Sequential(shared)])
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    measure(net, (1, 1, 8))
    assert [module.training for module in net.modules()] == modes
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
