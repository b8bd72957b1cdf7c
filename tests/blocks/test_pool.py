"""Poolings against torch's own, examples by hand, and the mean of many draws."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.conv import CONVOLVE
from audiocnn.blocks.geometry import Window, compute_receptive_field
from audiocnn.blocks.pool import (
    POOLS,
    MaxDropoutPool,
    StochasticPool,
    WeightedAveragePool,
    create_pool,
    dynamic_k,
    k_max,
)
from audiocnn.blocks.receptive_field import measure_receptive_field

# The lecture's image.
LECTURE = torch.tensor(
    [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]], dtype=torch.float32
)[None, None]
SETTINGS = [
    {"kernel_size": 3, "stride": 1},
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 4, "stride": 3, "padding": 2, "ceil_mode": True},
    {"kernel_size": 2, "stride": 5, "padding": 1, "ceil_mode": True},
]
MAX_POOLS = {1: functional.max_pool1d, 2: functional.max_pool2d}
AVERAGE_POOLS = {1: functional.avg_pool1d, 2: functional.avg_pool2d}


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def make_feature_map(dims: int, *, batch: int = 2, channels: int = 3) -> Tensor:
    return random(batch, channels, *(11, 13)[-dims:])


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("settings", SETTINGS)
def test_max_and_average_are_torchs(settings: dict, dims: int) -> None:
    x = make_feature_map(dims)
    assert torch.equal(create_pool("max", dims=dims, **settings)(x), MAX_POOLS[dims](x, **settings))
    expected = AVERAGE_POOLS[dims](x, count_include_pad=False, **settings)
    assert torch.equal(create_pool("average", dims=dims, **settings)(x), expected)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", POOLS)
def test_all_have_the_sizes_of_max(name: str, settings: dict, dims: int, training: bool) -> None:
    x = make_feature_map(dims)
    module = create_pool(name, dims=dims, **settings).train(training)
    assert module(x).shape == MAX_POOLS[dims](x, **settings).shape
    assert module(x.bfloat16()).dtype == torch.bfloat16


def test_the_lectures_maxima() -> None:
    assert create_pool("max", 3, dims=2, stride=1)(LECTURE)[0, 0].tolist() == [
        [3, 3, 3],
        [3, 3, 3],
        [3, 2, 3],
    ]


def test_sizes_for_each_axis() -> None:
    x = make_feature_map(2)
    for name in POOLS:
        module = create_pool(name, (2, 5), dims=2, stride=(1, 3), padding=(0, 2)).eval()
        assert module(x).shape == (2, 3, 10, 5)
    assert torch.equal(
        create_pool("max", (2, 5), dims=2, stride=(1, 3), padding=(0, 2))(x),
        functional.max_pool2d(x, (2, 5), (1, 3), (0, 2)),
    )


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("settings", SETTINGS)
def test_weighted_means_are_convolutions(settings: dict, dims: int) -> None:
    """A convolution of the values, divided by one of ones: positions beyond the edge weigh nothing."""
    size = (settings["kernel_size"],) * dims
    window = torch.rand(size, generator=torch.Generator().manual_seed(1))
    x = make_feature_map(dims, channels=1)
    module = WeightedAveragePool(**settings, dims=dims, weights=window)
    y = module(x)
    pad, step = settings.get("padding", 0), settings.get("stride", settings["kernel_size"])
    sums = [
        CONVOLVE[dims](
            functional.pad(values, [pad, pad + size[0] + step] * dims), window[None, None], stride=step
        )
        for values in (x, torch.ones_like(x))
    ]
    inner = (..., *(slice(n) for n in y.shape[2:]))
    torch.testing.assert_close(y, sums[0][inner] / sums[1][inner])


def test_weighted_mean_by_hand() -> None:
    x = torch.tensor([[[1.0, 2, 3, 4, 3, 2, 1]]])
    assert create_pool("weighted_average", 3, dims=1, stride=2)(x)[0, 0].tolist() == [2, 3.5, 2]  # 1 2 1
    assert create_pool("weighted_average", 2, dims=2)(LECTURE)[0, 0].tolist() == [[1.5, 1.75], [1.5, 1.5]]
    last = WeightedAveragePool(2, dims=1, weights=[0, 1], ceil_mode=True)
    assert last(x)[0, 0].tolist() == [2, 4, 2, 0]  # the last window holds the position without weight alone
    equal = WeightedAveragePool(3, dims=2, stride=1, weights=torch.ones(3, 3))
    torch.testing.assert_close(equal(LECTURE), functional.avg_pool2d(LECTURE, 3, 1))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], r"weights have the size \(2,\), expected \(3,\)"),
        ([[1, 2, 1]], r"weights have the size \(1, 3\), expected \(3,\)"),
        ([1, -2, 1], r"weights are \[1.0, -2.0, 1.0\], expected numbers from 0 on, one above 0"),
        ([0, 0, 0], r"weights are \[0.0, 0.0, 0.0\], expected numbers from 0 on, one above 0"),
        ([1, math.nan, 1], r"weights are \[1.0, nan, 1.0\], expected numbers from 0 on"),
    ],
)
def test_wrong_weights(weights: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WeightedAveragePool(3, dims=1, weights=weights)


def test_stochastic_expectation_of_the_papers_example() -> None:
    """Zeiler and Fergus, figure 1: of the activations 1.6 and 2.4, each by its chance, 0.4 and 0.6."""
    x = torch.tensor([[[1.6, 0, 0, 0, 2.4, 0, 0, 0, 0]]])
    assert StochasticPool(9, dims=1).eval()(x).item() == pytest.approx(0.4 * 1.6 + 0.6 * 2.4)
    assert StochasticPool(3, dims=2).eval()(x.reshape(1, 1, 3, 3)).item() == pytest.approx(2.08)


def test_stochastic_expectation_without_positive_cells() -> None:
    x = torch.tensor([[[0.0, 0.0, -3.0, -1.0, -2.0, 2.0, 1.0, 3.0]]], requires_grad=True)
    for training in (True, False):
        y = StochasticPool(2, dims=1).train(training)(x)
        assert y[0, 0, :3].tolist() == [0, 0, 2]  # the negative value is never drawn
        y.sum().backward()
    assert StochasticPool(2, dims=1).eval()(x)[0, 0, 3].item() == pytest.approx((1 + 9) / 4)
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("dims", [1, 2])
def test_stochastic_expectation_is_that_of_each_window(settings: dict, dims: int) -> None:
    x = make_feature_map(dims)
    module = StochasticPool(dims=dims, **settings).eval()
    values = module.windows(x).clamp(min=0)  # positions beyond the edge at 0
    expected = values.square().sum(-1) / values.sum(-1).where(values.any(-1), torch.tensor(1.0))
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("dims", [1, 2])
def test_stochastic_draws_by_activation(dims: int, stride: int) -> None:
    """Of 40,000 draws, each value's share within 0.01: four standard deviations of a share of 0.5."""
    torch.manual_seed(0)
    values = torch.arange(1.0, 1 + 3**dims)
    x = values.reshape(1, 1, *[3] * dims).repeat(1, 1, *[2] * dims)
    module = StochasticPool(3, dims=dims, stride=stride)
    drawn = module(x.expand(40_000, -1, *[-1] * dims)).flatten(1)
    for window in drawn.unbind(1):
        shares = torch.stack([(window == value).float().mean() for value in values])
        torch.testing.assert_close(shares, values / values.sum(), atol=0.01, rtol=0)


@pytest.mark.parametrize("name", ["stochastic", "max_dropout"])
@pytest.mark.parametrize("dims", [1, 2])
def test_what_is_drawn_is_what_is_expected_on_average(name: str, dims: int) -> None:
    """20,000 draws with padding, overlap and negative values: within 5 standard errors of the largest."""
    torch.manual_seed(0)
    x = random(1, 1, *[9] * dims)
    module = create_pool(name, 3, dims=dims, stride=2, padding=1)
    drawn = module(x.expand(20_000, -1, *[-1] * dims))
    tolerance = 5 * drawn.std(dim=0).max().item() / math.sqrt(20_000)
    torch.testing.assert_close(drawn.mean(dim=0, keepdim=True), module.eval()(x), atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", ["stochastic", "max_dropout"])
def test_draws_by_seed(name: str) -> None:
    module, x = create_pool(name, 2, dims=2), make_feature_map(2, batch=8).abs()
    torch.manual_seed(1)
    first = module(x)
    torch.manual_seed(1)
    assert torch.equal(module(x), first)
    assert not torch.equal(module(x), first)


def test_stochastic_gradient_goes_to_the_drawn_cell() -> None:
    x = torch.rand(1, 1, 12, generator=torch.Generator().manual_seed(0), requires_grad=True)
    y = StochasticPool(4, dims=1)(x)
    y.sum().backward()
    assert x.grad.reshape(3, 4).sum(1).tolist() == [1, 1, 1]
    assert torch.equal((x * x.grad).reshape(3, 4).sum(1), y.flatten())


def test_max_dropout_by_hand() -> None:
    """Wu and Gu, 2015: the largest with 0.5, the next with 0.25, and so on; 0 with what is left."""
    x = torch.tensor([[[3.0, 4.0, 1.0, 2.0]]])
    assert MaxDropoutPool(4, dims=1).eval()(x).item() == 4 / 2 + 3 / 4 + 2 / 8 + 1 / 16
    assert MaxDropoutPool(2, dims=2).eval()(x.reshape(1, 1, 2, 2)).item() == 3.0625
    assert MaxDropoutPool(4, dims=1, retain=0.8).eval()(x).item() == pytest.approx(
        0.8 * (4 + 0.2 * 3 + 0.04 * 2 + 0.008 * 1)
    )
    # Cells beyond the edge are none: windows (3), (4, 1) and (2).
    padded = MaxDropoutPool(2, dims=1, padding=1).eval()(x)
    assert padded[0, 0].tolist() == [1.5, 2.25, 1.0]


def test_max_dropout_draws_the_papers_shares() -> None:
    torch.manual_seed(0)
    x = torch.tensor([[[3.0, 4.0, 1.0, 2.0]]]).expand(40_000, 1, 4)
    drawn = MaxDropoutPool(4, dims=1, retain=0.3)(x)
    shares = [(drawn == value).float().mean().item() for value in (4, 3, 2, 1, 0)]
    expected = [0.3, 0.3 * 0.7, 0.3 * 0.7**2, 0.3 * 0.7**3, 0.7**4]
    assert shares == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("training", [True, False])
def test_max_dropout_that_retains_all_is_max(training: bool) -> None:
    x = make_feature_map(2)
    module = MaxDropoutPool(3, dims=2, stride=2, padding=1, retain=1.0).train(training)
    assert torch.equal(module(x), functional.max_pool2d(x, 3, 2, 1))


@pytest.mark.parametrize("name", ["stochastic", "max_dropout"])
def test_under_autocast(name: str) -> None:
    net = nn.Sequential(nn.Conv1d(3, 4, 3), nn.ReLU(), create_pool(name, 2, dims=1))
    x = make_feature_map(1)
    for training in (True, False):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = net.train(training)(x)
        assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), net(x), atol=0.02, rtol=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "mean"}, "pool is 'mean', expected one of max, average, weighted_average, stochastic"),
        ({"kernel_size": 3, "padding": 2}, "padding is 2, expected at most half of kernel_size 3"),
        ({"kernel_size": (3, 3)}, r"kernel_size is \(3, 3\), expected"),
        ({"stride": 0}, "stride is 0, expected"),
        ({"padding": -1}, "padding is -1, expected"),
        ({"dims": 3}, "dims is 3, expected one of 1, 2"),
    ],
)
def test_wrong_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        create_pool(**{"name": "max", "kernel_size": 2, "dims": 1, **arguments})


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", POOLS)
def test_maps_that_do_not_fit(name: str, training: bool) -> None:
    module = create_pool(name, 5, dims=1, padding=1).train(training)
    with pytest.raises(ValueError, match="size is 2 with padding 1, expected at least 5 positions"):
        module(torch.zeros(1, 1, 2))
    with pytest.raises(ValueError, match=r"the feature map's shape is \(1, 1, 6, 6\), expected 3 axes"):
        module(torch.zeros(1, 1, 6, 6))


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("name", POOLS)
def test_receptive_field(name: str, dims: int) -> None:
    net = nn.Sequential(create_pool(name, 3, dims=dims, stride=2, padding=1), create_pool(name, 2, dims=dims))
    expected = compute_receptive_field([Window(3, 2, 1), Window(2, 2)])
    assert measure_receptive_field(net, (1, 2, *[4, 160][-dims:])) == expected


def test_retain_is_a_chance() -> None:
    for retain in (0.0, 1.5):
        with pytest.raises(ValueError, match=f"retain is {retain}, expected more than 0 and at most 1"):
            MaxDropoutPool(2, dims=1, retain=retain)


def test_k_max_keeps_the_order() -> None:
    x = torch.tensor([[[3.0, 1.0, 5.0, 2.0, 4.0], [0.0, -1.0, -2.0, -3.0, -4.0]]])
    assert k_max(x, 3).tolist() == [[[3, 5, 4], [0, -1, -2]]]
    assert k_max(x, 1).tolist() == [[[5], [0]]]
    assert torch.equal(k_max(x, 5), x)
    assert k_max(x.reshape(1, 1, 2, 5), 2).tolist() == [[[[5, 4], [0, -1]]]]


def test_k_max_of_equal_values_takes_the_first() -> None:
    assert k_max(torch.tensor([[[2.0, 1.0, 2.0, 3.0, 2.0, *[2.0] * 40]]]), 2).tolist() == [[[2, 3]]]


def test_k_max_gradient_goes_to_what_is_kept() -> None:
    x = torch.tensor([[[3.0, 1.0, 5.0, 2.0]]], requires_grad=True)
    (k_max(x, 2) * torch.tensor([10.0, 20.0])).sum().backward()
    assert x.grad.tolist() == [[[10, 0, 20, 0]]]


def test_dynamic_k_of_the_papers_example() -> None:
    """Kalchbrenner et al.: of 18 words with 3 layers and k_top 3, k_1 is 12 and k_2 is 6."""
    assert [dynamic_k(layer, 3, 18, 3) for layer in (1, 2, 3)] == [12, 6, 3]
    assert dynamic_k(1, 3, 17, 3) == 12  # 11.3, to the next whole
    assert dynamic_k(2, 3, 3, 3) == 3


def test_k_out_of_range() -> None:
    for k in (0, 5):
        with pytest.raises(ValueError, match=f"k is {k}, expected 1 to the feature map's 4 frames"):
            k_max(torch.zeros(1, 1, 4), k)
    for layer in (0, 4):
        with pytest.raises(ValueError, match=f"layer is {layer}, expected 1 to n_layers, 3"):
            dynamic_k(layer, 3, 4, k_top=2)


class Every(nn.Module):
    """All poolings of a feature map, side by side."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.pools = nn.ModuleList(
            create_pool(name, 3, dims=dims, stride=2, padding=1, ceil_mode=True) for name in POOLS
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        return [*(module(x) for module in self.pools), k_max(x, 4)]


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = Every(1), Every(2)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [*self.one(x.flatten(1, 2)), *self.two(x)]


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")  # from the exporter itself
def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    net, x, path = Both().eval(), make_feature_map(2), tmp_path / "net.onnx"
    torch.onnx.export(net, (x,), path, dynamo=True, input_names=["x"], verbose=False)
    theirs = onnxruntime.InferenceSession(path).run(None, {"x": x.numpy()})
    for their, our in zip(theirs, net(x), strict=True):
        torch.testing.assert_close(torch.from_numpy(their), our)
