"""Cost against published counts and sums by hand; fields against the recursion and published sizes."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.geometry import ReceptiveField, Window, chain_receptive_field
from audiocnn.blocks.measure import Layer, count_macs, count_parameters, layers, receptive_field

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}
MAX_POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d}
AVERAGE_POOLS = {1: nn.AvgPool1d, 2: nn.AvgPool2d}
BATCH_NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}


class Residual(nn.Module):
    def __init__(self, main: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.main(x) + self.shortcut(x))


def resnet(
    depths: tuple[int, ...], width: int, *, dims: int, n_classes: int = 0, early: bool = False
) -> nn.Sequential:
    """Bottlenecks in the shape of ResNet-50 and 101; early: with the stride in the 1x1 before the 3x3."""

    def unit(inputs: int, outputs: int, kernel_size: int = 1, stride: int = 1) -> list[nn.Module]:
        padding = kernel_size // 2
        convolution = CONVOLUTIONS[dims](inputs, outputs, kernel_size, stride, padding, bias=False)
        return [convolution, BATCH_NORMS[dims](outputs)]

    net = [*unit(3, width, 7, 2), nn.ReLU(), MAX_POOLS[dims](3, 2, 1)]
    inputs = width
    for stage, depth in enumerate(depths):
        middle, outputs = width * 2**stage, 4 * width * 2**stage
        for i in range(depth):
            stride = 2 if stage and not i else 1
            strides = (stride, 1) if early else (1, stride)
            main = [*unit(inputs, middle, 1, strides[0]), nn.ReLU()]
            main += [*unit(middle, middle, 3, strides[1]), nn.ReLU()]
            shortcut = nn.Identity() if i else nn.Sequential(*unit(inputs, outputs, 1, stride))
            net.append(Residual(nn.Sequential(*main, *unit(middle, outputs)), shortcut))
            inputs = outputs
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, n_classes)] if n_classes else []
    return nn.Sequential(*net, *head).eval()


def test_cost_of_resnet_50() -> None:
    """25,557,032 parameters and 4.09 GMAC: torchvision's table of weights."""
    with torch.device("meta"):
        net = resnet((3, 4, 6, 3), 64, dims=2, n_classes=1000)
    rows = layers(net, (1, 3, 224, 224))
    assert count_parameters(net) == sum(row.parameters for row in rows) == 25_557_032
    assert sum(row.macs for row in rows) == 4_089_184_256
    assert rows[0] == Layer("0", "Conv2d", (1, 64, 112, 112), 3 * 49 * 64, 3 * 49 * 64 * 112**2)
    assert rows[-1] == Layer(str(len(net) - 1), "Linear", (1, 1000), 2_049_000, 2_048_000)


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
    assert layers(net, (3, 4, *[9] * dims)) == [
        Layer("0", f"Conv{dims}d", (3, 6, *[4] * dims), 2 * 3**dims * 6 + 6, 3 * 6 * 2 * 3**dims * 4**dims),
        Layer("1.act", "Sigmoid", (3, 6), 0, 0),
        Layer("1", "Gate", (3, 6, *[4] * dims), 36, 3 * 36),
        # Each cell of the input meets each weight once.
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
    rows = layers(net, (1, 3))
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

    rows = layers(Tokens(), (1, 7), dtype=torch.long, device="cpu")
    assert [(row.name, row.output_shape) for row in rows] == [("table", (1, 7, 4)), ("conv", (1, 2, 5))]


def test_the_network_is_left_as_it_was() -> None:
    shared = nn.Conv1d(2, 2, 1)
    net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2), nn.Sequential(nn.Dropout()).eval())
    net.extend([nn.Sequential(shared), nn.Sequential(shared)])
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    layers(net, (1, 1, 8))
    receptive_field(net, (1, 1, 8))
    assert [module.training for module in net.modules()] == modes
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


CHAINS = [
    [Window(3, padding=1)],
    [Window(4), Window(1, stride=3)],
    [Window(5, stride=2, padding=2), Window(3, dilation=4, padding=1), Window(3, stride=3)],
    [Window(7, stride=2, padding=3), Window(3, stride=2, padding=1), *[Window(3, padding=1)] * 3],
    [Window(3, padding=5, dilation=5), Window(2, stride=2), Window(2, stride=2), Window(8, padding=4)],
    [Window(80, stride=16), Window(4, stride=4), Window(3, padding=1)],
]


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("windows", CHAINS)
@pytest.mark.parametrize("kind", ["convolution", "max", "average"])
def test_field_is_the_textbooks(windows: list[Window], kind: str, dims: int) -> None:
    """By gradient as by recursion, for convolutions and poolings with norms and rectifiers between."""

    def along_the_last_axis(number: int, other: int) -> tuple[int, ...]:
        return (other,) * (dims - 1) + (number,)

    net = []
    for kernel_size, stride, padding, dilation in windows:
        arguments = {
            "kernel_size": along_the_last_axis(kernel_size, 1),
            "stride": along_the_last_axis(stride, 1),
            "padding": along_the_last_axis(padding, 0),
        }
        if kind == "convolution" or dilation > 1 or 2 * padding > kernel_size:
            net += [
                CONVOLUTIONS[dims](2, 2, dilation=dilation, **arguments),
                BATCH_NORMS[dims](2),
                nn.ReLU6(),
            ]
        else:
            net.append((MAX_POOLS if kind == "max" else AVERAGE_POOLS)[dims](**arguments))
    shape = (1, 2, *along_the_last_axis(300, 2))
    assert receptive_field(nn.Sequential(*net), shape) == chain_receptive_field(windows)


def test_field_along_each_axis() -> None:
    pool = nn.MaxPool2d((1, 3), dilation=(1, 2), ceil_mode=True)
    net = nn.Sequential(nn.Conv2d(1, 1, (3, 5), stride=(1, 2)), pool)
    assert receptive_field(net, (1, 1, 8, 32)) == ReceptiveField(size=13, stride=6, offset=6)
    assert receptive_field(net, (1, 1, 8, 32), axis=-2) == ReceptiveField(size=3, stride=1, offset=1)


@pytest.mark.parametrize(("depths", "size"), [((3, 4, 6, 3), 483), ((3, 4, 23, 3), 1027)])
def test_field_of_resnets(depths: tuple[int, ...], size: int) -> None:
    """ResNet-50: 483, ResNet-101: 1027 cells: Araujo, Norris, Sim, 2019, table."""
    field = receptive_field(resnet(depths, 1, dims=1, early=True), (1, 3, 1024))
    assert (field.size, field.stride) == (size, 32)
    # With the stride in the 3x3, that of the first block of three stages works at the finer pace.
    field = receptive_field(resnet(depths, 1, dims=1), (1, 3, 1024))
    assert (field.size, field.stride) == (size - 2 * (4 + 8 + 16), 32)


def test_causal_field_lies_before_its_cell() -> None:
    net = nn.Sequential(nn.ConstantPad1d((8, 0), 0.0), nn.Conv1d(1, 1, 3, dilation=4))
    assert receptive_field(net, (1, 1, 8)) == ReceptiveField(size=9, stride=1, offset=-4)


class Pyramid(nn.Module):
    """Down by 4, a convolution, up by 4, and the input beside it."""

    def forward(self, x: Tensor) -> Tensor:
        coarse = functional.avg_pool1d(x, 4)
        coarse = functional.conv1d(coarse, torch.ones(1, 1, 3, dtype=x.dtype), padding=1)
        return x + functional.interpolate(coarse, scale_factor=4)


def test_field_after_upsampling_holds_those_of_all_cells() -> None:
    # Cells 0 to 3 see cells -4 to 7: the first 7 ahead, the last 7 back.
    assert receptive_field(Pyramid(), (1, 1, 16)) == ReceptiveField(size=15, stride=1, offset=0)
    # Each output cell sees one input cell, its own or half a cell before it.
    twice = nn.Upsample(scale_factor=2)
    assert receptive_field(twice, (1, 1, 16)) == ReceptiveField(size=2, stride=0.5, offset=-0.25)
    # A kernel of 3 at steps of 2: even cells see one input cell, odd ones two.
    twice = nn.ConvTranspose1d(1, 1, 3, stride=2)
    assert receptive_field(twice, (1, 1, 16)) == ReceptiveField(size=2, stride=0.5, offset=-0.5)


class Squeeze(nn.Module):
    def __init__(self, pool: nn.Module, dims: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(pool, CONVOLUTIONS[dims](2, 2, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


@pytest.mark.parametrize(
    ("pool", "dims"),
    [
        (nn.AdaptiveAvgPool1d(1), 1),
        (nn.AdaptiveAvgPool2d(1), 2),
        (nn.AdaptiveMaxPool1d(1), 1),
        (nn.AdaptiveMaxPool2d(1), 2),
    ],
)
def test_a_gate_hears_the_whole_map(pool: nn.Module, dims: int) -> None:
    net = nn.Sequential(CONVOLUTIONS[dims](2, 2, 3, padding=1), nn.ReLU(), Squeeze(pool, dims))
    shape = (1, 2, *[6] * dims)
    assert receptive_field(net, shape) == ReceptiveField(math.inf, 1, 0)
    assert receptive_field(net, shape, whole_map=False) == ReceptiveField(3, 1, 0)


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm1d(2), nn.InstanceNorm1d(2), nn.GroupNorm(1, 2), nn.LocalResponseNorm(2)]
)
def test_norms_see_no_further(norm: nn.Module) -> None:
    net = nn.Sequential(nn.Conv1d(2, 2, 5), norm, nn.PReLU(), nn.GELU())
    assert receptive_field(net, (1, 2, 8)) == ReceptiveField(5, 1, 2)


def test_recurrence_hears_all_that_came_before() -> None:
    class Recurrent(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.cumsum(dim=-1)

    assert receptive_field(Recurrent(), (1, 1, 1 << 16)).size == math.inf


@pytest.mark.parametrize("size", [1, 5])
def test_an_axis_of_fixed_size_is_not_seen_from_outside(size: int) -> None:
    fixed = nn.AdaptiveAvgPool1d(size)
    assert receptive_field(fixed, (1, 1, 20)).size == math.inf


def test_inputs_shorter_than_the_stride_grow() -> None:
    net = nn.Conv1d(1, 1, 3, stride=100)
    assert receptive_field(net, (1, 1, 3)) == ReceptiveField(3, 100, 1)


def test_depth_does_not_fade() -> None:
    net = nn.Sequential(*[nn.Sequential(nn.Conv1d(1, 1, 3, padding=1), nn.SiLU()) for _ in range(150)])
    assert receptive_field(net, (1, 1, 512)) == ReceptiveField(301, 1, 0)


def test_outputs_without_a_field() -> None:
    with pytest.raises(ValueError, match=r"axis is -1, expected one after channels in the output's \(1, 3\)"):
        receptive_field(nn.Sequential(nn.Flatten(), nn.Linear(8, 3)), (1, 1, 8))

    class Deaf(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.zeros_like(x)

    with pytest.raises(
        ValueError, match="the output has no gradient, expected one that depends on the input"
    ):
        receptive_field(Deaf(), (1, 1, 200))
    with pytest.raises(ValueError, match="the output has no gradient"):
        receptive_field(nn.AdaptiveAvgPool1d(1), (1, 1, 20), whole_map=False)
