"""Receptive fields against the recursion and published sizes."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.geometry import ReceptiveField, Window, compute_receptive_field
from audiocnn.blocks.receptive_field import measure_receptive_field

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


def resnet(depths: tuple[int, ...], width: int, *, dims: int, early: bool = False) -> nn.Sequential:
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
    return nn.Sequential(*net).eval()


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
    assert measure_receptive_field(nn.Sequential(*net), shape) == compute_receptive_field(windows)


def brute_force(net: nn.Module, size: int, axis: int) -> tuple[int, int]:
    """The first and last input position that changes the middle of the output, each tried by itself."""
    shape = [1, 2, 24, 24]
    shape[axis] = size
    net = net.double().eval()
    x = torch.rand(shape, dtype=torch.float64)
    changed = []
    with torch.no_grad():
        y = net(x)
        middle = y.shape[axis] // 2
        for i in range(size):
            other = x.clone()
            other.select(axis, i).add_(torch.rand(1, dtype=torch.float64))
            if not torch.equal(net(other).select(axis, middle), y.select(axis, middle)):
                changed.append(i)
    return changed[0], changed[-1]


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Conv2d(2, 3, (5, 3), padding=(2, 1)), nn.ReLU(), nn.Conv2d(3, 2, 3, stride=2)),
        nn.Sequential(nn.Conv2d(2, 2, (3, 7), padding=(0, 3)), nn.AvgPool2d(3, 2), nn.Conv2d(2, 2, 2)),
        nn.Sequential(nn.Conv2d(2, 2, 4, stride=2), nn.Conv2d(2, 2, 3, dilation=(2, 1), padding=(2, 1))),
        Residual(nn.Conv2d(2, 2, (1, 9), padding=(0, 4)), nn.Conv2d(2, 2, (5, 1), padding=(2, 0))),
    ],
)
def test_field_is_what_trying_each_position_finds(net: nn.Module, axis: int) -> None:
    """Along each axis, whatever little of the other axis the measurement takes."""
    torch.manual_seed(0)
    for weight in net.parameters():
        nn.init.uniform_(weight, 0.1, 1)
    first, last = brute_force(net, 41, axis)
    shape = [1, 2, 24, 24]
    shape[axis] = 41
    field = measure_receptive_field(net, tuple(shape), axis)
    with torch.no_grad():
        middle = net(torch.zeros(shape, dtype=torch.float64)).shape[axis] // 2
    centre, reach = field.offset + middle * field.stride, (field.size - 1) / 2
    assert (centre - reach, centre + reach) == (first, last)


def test_field_of_a_network_that_needs_a_size() -> None:
    """The other axis is as small as the network runs on, and never larger than given."""

    class Picky(nn.Module):
        seen: list[int] = []  # noqa: RUF012

        def forward(self, x: Tensor) -> Tensor:
            self.seen.append(x.shape[-2])
            if x.shape[-2] < 5:
                raise KeyError("too small")
            return functional.avg_pool2d(x, (1, 3), 1)

    assert measure_receptive_field(Picky(), (1, 1, 100, 16)) == ReceptiveField(3, 1, 1)
    assert set(Picky.seen) == {1, 2, 4, 8}


def test_field_along_each_axis() -> None:
    pool = nn.MaxPool2d((1, 3), dilation=(1, 2), ceil_mode=True)
    net = nn.Sequential(nn.Conv2d(1, 1, (3, 5), stride=(1, 2)), pool)
    assert measure_receptive_field(net, (1, 1, 8, 32)) == ReceptiveField(size=13, stride=6, offset=6)
    assert measure_receptive_field(net, (1, 1, 8, 32), axis=-2) == ReceptiveField(size=3, stride=1, offset=1)


@pytest.mark.parametrize(("depths", "size"), [((3, 4, 6, 3), 483), ((3, 4, 23, 3), 1027)])
def test_field_of_resnets(depths: tuple[int, ...], size: int) -> None:
    """ResNet-50: 483, ResNet-101: 1027 positions: Araujo, Norris, Sim, 2019, table."""
    field = measure_receptive_field(resnet(depths, 1, dims=1, early=True), (1, 3, 1024))
    assert (field.size, field.stride) == (size, 32)
    # With the stride in the 3x3, that of the first block of three stages works at the finer resolution.
    field = measure_receptive_field(resnet(depths, 1, dims=1), (1, 3, 1024))
    assert (field.size, field.stride) == (size - 2 * (4 + 8 + 16), 32)


def test_causal_field_lies_before_its_cell() -> None:
    net = nn.Sequential(nn.ConstantPad1d((8, 0), 0.0), nn.Conv1d(1, 1, 3, dilation=4))
    assert measure_receptive_field(net, (1, 1, 8)) == ReceptiveField(size=9, stride=1, offset=-4)


class Pyramid(nn.Module):
    """Down by 4, a convolution, up by 4, and the input beside it."""

    def forward(self, x: Tensor) -> Tensor:
        coarse = functional.avg_pool1d(x, 4)
        coarse = functional.conv1d(coarse, torch.ones(1, 1, 3, dtype=x.dtype), padding=1)
        return x + functional.interpolate(coarse, scale_factor=4)


def test_field_after_upsampling_holds_those_of_all_cells() -> None:
    # Cells 0 to 3 depend on positions -4 to 7: the first 7 ahead, the last 7 back.
    assert measure_receptive_field(Pyramid(), (1, 1, 16)) == ReceptiveField(size=15, stride=1, offset=0)
    # Each output position depends on one input position, its own or half a position before it.
    twice = nn.Upsample(scale_factor=2)
    assert measure_receptive_field(twice, (1, 1, 16)) == ReceptiveField(size=2, stride=0.5, offset=-0.25)
    # A kernel of 3 at steps of 2: even positions depend on one input position, odd ones on two.
    twice = nn.ConvTranspose1d(1, 1, 3, stride=2)
    assert measure_receptive_field(twice, (1, 1, 16)) == ReceptiveField(size=2, stride=0.5, offset=-0.5)


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
def test_a_gate_depends_on_the_whole_feature_map(pool: nn.Module, dims: int) -> None:
    net = nn.Sequential(CONVOLUTIONS[dims](2, 2, 3, padding=1), nn.ReLU(), Squeeze(pool, dims))
    shape = (1, 2, *[6] * dims)
    assert measure_receptive_field(net, shape) == ReceptiveField(math.inf, 1, 0)
    assert measure_receptive_field(net, shape, whole_map=False) == ReceptiveField(3, 1, 0)


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm1d(2), nn.InstanceNorm1d(2), nn.GroupNorm(1, 2), nn.LocalResponseNorm(2)]
)
def test_norms_see_no_further(norm: nn.Module) -> None:
    net = nn.Sequential(nn.Conv1d(2, 2, 5), norm, nn.PReLU(), nn.GELU())
    assert measure_receptive_field(net, (1, 2, 8)) == ReceptiveField(5, 1, 2)


def test_recurrence_depends_on_all_earlier_positions() -> None:
    class Recurrent(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.cumsum(dim=-1)

    assert measure_receptive_field(Recurrent(), (1, 1, 1 << 16)).size == math.inf


@pytest.mark.parametrize("size", [1, 5])
def test_an_axis_of_fixed_size_is_not_seen_from_outside(size: int) -> None:
    fixed = nn.AdaptiveAvgPool1d(size)
    assert measure_receptive_field(fixed, (1, 1, 20)).size == math.inf


def test_inputs_shorter_than_the_stride_grow() -> None:
    net = nn.Conv1d(1, 1, 3, stride=100)
    assert measure_receptive_field(net, (1, 1, 3)) == ReceptiveField(3, 100, 1)


def test_depth_does_not_fade() -> None:
    net = nn.Sequential(*[nn.Sequential(nn.Conv1d(1, 1, 3, padding=1), nn.SiLU()) for _ in range(150)])
    assert measure_receptive_field(net, (1, 1, 512)) == ReceptiveField(301, 1, 0)


def test_outputs_without_a_field() -> None:
    with pytest.raises(ValueError, match=r"axis is -1, expected one after channels in the output's \(1, 3\)"):
        measure_receptive_field(nn.Sequential(nn.Flatten(), nn.Linear(8, 3)), (1, 1, 8))

    class Deaf(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.zeros_like(x)

    with pytest.raises(
        ValueError, match="the output has no gradient, expected one that depends on the input"
    ):
        measure_receptive_field(Deaf(), (1, 1, 200))
    with pytest.raises(ValueError, match="the output has no gradient"):
        measure_receptive_field(nn.AdaptiveAvgPool1d(1), (1, 1, 20), whole_map=False)
