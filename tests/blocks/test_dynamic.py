"""Convolutions with kernels of their own, each against torch's with the same kernel, and examples by hand."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.cost import count_macs
from audiocnn.blocks.dynamic import ConvBank, DynamicConv, DynamicLocalFilter, convolve_each, filter_locally
from audiocnn.blocks.fixed import box
from audiocnn.blocks.geometry import ReceptiveField
from audiocnn.blocks.hyper import HyperConv, KernelGenerator
from audiocnn.blocks.receptive_field import measure_receptive_field

CONVOLVE = {1: functional.conv1d, 2: functional.conv2d}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def make_feature_map(dims: int, *, batch: int = 3, channels: int = 4) -> Tensor:
    return random(batch, channels, *(9, 11)[-dims:])


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(
    "settings",
    [
        {"padding": "valid"},
        {"padding": 2, "stride": 2, "groups": 2},
        {"padding": 1, "dilation": 2, "groups": 4},
    ],
)
def test_convolve_each_is_torchs_one_by_one(settings: dict, dims: int) -> None:
    x = make_feature_map(dims)
    weight = random(3, 8, 4 // settings.get("groups", 1), *[3] * dims)
    bias = random(3, 8)
    theirs = {**settings, "padding": 0 if settings["padding"] == "valid" else settings["padding"]}
    expected = torch.cat([CONVOLVE[dims](x[i : i + 1], weight[i], bias[i], **theirs) for i in range(len(x))])
    torch.testing.assert_close(convolve_each(x, weight, bias, **settings), expected)
    unbiased = convolve_each(x, weight, **settings) + bias.reshape(3, 8, *[1] * dims)
    torch.testing.assert_close(unbiased, expected)


def test_convolve_each_needs_a_kernel_for_each_example_and_space_for_it() -> None:
    with pytest.raises(ValueError, match="kernels are for 2 examples, expected as many as in the batch, 3"):
        convolve_each(make_feature_map(1), random(2, 8, 4, 3))
    with pytest.raises(ValueError, match=r"the feature map's size is \(11,\), expected at least \(13,\)"):
        convolve_each(make_feature_map(1), random(3, 8, 4, 13), padding="valid")


@pytest.mark.parametrize("dims", [1, 2])
def test_dynamic_conv_is_a_mixture(dims: int) -> None:
    """Kernels are mixed before the convolution, which is the same as mixing their outputs."""
    torch.manual_seed(0)
    module = DynamicConv(4, 6, 3, dims=dims, n_kernels=3, stride=2, groups=2, temperature=0.5)
    x = make_feature_map(dims)
    means = x.flatten(2).mean(2)
    _, first, _, second = module.attention
    scores = second(functional.relu(first(means)))
    shares = module.shares(x)
    torch.testing.assert_close(shares, (scores / 0.5).softmax(1))
    assert shares.std(dim=0).min() > 1e-4  # examples differ
    each = torch.stack(
        [CONVOLVE[dims](x, module.weight[i], module.bias[i], 2, 1, 1, 2) for i in range(3)], dim=1
    )
    expected = (each * shares.reshape(3, 3, *[1] * (dims + 1))).sum(1)
    torch.testing.assert_close(module(x), expected)


def test_temperature_evens_the_mixture_and_is_stored() -> None:
    torch.manual_seed(0)
    module, x = DynamicConv(4, 4, 3, dims=1), make_feature_map(1)
    assert module.state_dict()["temperature"].item() == 30
    even = (module.shares(x) - 0.25).abs().max()
    module.temperature.fill_(0.01)
    assert (module.shares(x) - 0.25).abs().max() > 10 * even
    other = DynamicConv(4, 4, 3, dims=1)
    other.load_state_dict(module.state_dict())
    torch.testing.assert_close(other(x), module(x))


def test_temperature_falls_with_training() -> None:
    """Chen et al., 2020: from 30 to 1 linearly, then it stays; here in 10 batches."""
    module, x = DynamicConv(4, 4, 3, dims=1, anneal_steps=10), make_feature_map(1)
    seen = []
    for _ in range(12):
        module(x).sum().backward()
        seen.append(module.temperature.item())
        module.eval()(x)
        module.train()
    expected = [27.1, 24.2, 21.3, 18.4, 15.5, 12.6, 9.7, 6.8, 3.9, 1, 1, 1]
    assert seen == pytest.approx(expected, abs=1e-4)
    going_on = DynamicConv(4, 4, 3, dims=1, anneal_steps=10)
    going_on.load_state_dict(module.state_dict())
    assert going_on.temperature == 1


@pytest.mark.parametrize("dims", [1, 2])
def test_cost_of_dynamic_conv(dims: int) -> None:
    """The convolution's, that of mixing its kernels, and the attention's."""
    module = DynamicConv(8, 16, 3, dims=dims, n_kernels=4)
    size = [10] * dims
    n_weights = 16 * 8 * 3**dims
    expected = 10**dims * n_weights + 4 * (n_weights + 16) + 8 * 4 + 4 * 4
    assert count_macs(module, (1, 8, *size)) == expected


def test_dynamic_conv_depends_on_the_whole_feature_map() -> None:
    module = DynamicConv(2, 2, 3, dims=1)
    assert measure_receptive_field(module, (1, 2, 64)) == ReceptiveField(math.inf, 1, 0)
    assert measure_receptive_field(module, (1, 2, 64), whole_map=False) == ReceptiveField(3, 1, 0)


@pytest.mark.parametrize("dims", [1, 2])
def test_bank_by_number(dims: int) -> None:
    bank, x = ConvBank(5, 4, 6, 3, dims=dims, padding=0, dilation=2), make_feature_map(dims)
    choice = torch.tensor([4, 0, 4])
    y = bank(x, choice)
    for i, k in enumerate(choice.tolist()):
        expected = CONVOLVE[dims](x[i : i + 1], bank.weight[k], bank.bias[k], dilation=2)
        torch.testing.assert_close(y[i : i + 1], expected)
    y.sum().backward()
    # Kernels that were not chosen learn nothing.
    assert [bool(k.any()) for k in bank.weight.grad] == [True, False, False, False, True]


def test_bank_of_mixed_styles() -> None:
    """StyleBank, section 4.3: a mixture of styles is that of what each of them makes."""
    bank, x = ConvBank(2, 4, 6, 3, dims=2, bias=False), make_feature_map(2)
    first, second = (bank(x, torch.full((3,), k)) for k in (0, 1))
    shares = torch.tensor([[1.0, 0.0], [0.25, 0.75], [0.0, 1.0]])
    expected = torch.stack([first[0], 0.25 * first[1] + 0.75 * second[1], second[2]])
    torch.testing.assert_close(bank(x, shares), expected)


def test_bank_is_told_wrongly() -> None:
    bank, x = ConvBank(2, 4, 4, 3, dims=1), make_feature_map(1)
    with pytest.raises(ValueError, match=r"choice has the shape \(2,\), expected \(3,\)"):
        bank(x, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"choice has the shape \(3, 5\), expected \(3, 2\)"):
        bank(x, torch.zeros(3, 5))


def test_local_filter_by_hand() -> None:
    """Each position adds what its own kernel picks: itself, what is before it, after it, or all."""
    x = torch.tensor([[[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]]])
    filters = torch.tensor([[[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]]])
    assert filter_locally(x, filters, 3).tolist() == [[[1, 1, 4, 7], [10, 10, 40, 70]]]
    # Of 2 x 2 positions the first is filtered to its right neighbour, and the last to the one above.
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    filters = torch.zeros(1, 9, 2, 2)
    filters[0, 5, 0, 0] = filters[0, 1, 1, 1] = 1
    assert filter_locally(x, filters, 3).tolist() == [[[[2, 0], [0, 2]]]]


@pytest.mark.parametrize("dims", [1, 2])
def test_local_filters_that_are_all_alike_are_a_convolution(dims: int) -> None:
    x, kernel = make_feature_map(dims), random(*[3] * dims)
    filters = kernel.reshape(1, -1, *[1] * dims).expand(3, -1, *x.shape[2:])
    weight = kernel.expand(4, 1, *kernel.shape)
    expected = CONVOLVE[dims](x, weight, padding=2, dilation=2, groups=4)
    torch.testing.assert_close(filter_locally(x, filters, 3, dilation=2), expected)


@pytest.mark.parametrize("dims", [1, 2])
def test_dynamic_local_filter(dims: int) -> None:
    module, x = DynamicLocalFilter(4, 3, dims=dims), make_feature_map(dims)
    torch.testing.assert_close(module(x), filter_locally(x, module.generator(x), 3))
    nn.init.zeros_(module.generator.weight)
    nn.init.zeros_(module.generator.bias)
    blurred = DynamicLocalFilter(4, 3, dims=dims, softmax=True)
    blurred.load_state_dict(module.state_dict())
    weight = box(3, dims=dims).expand(4, 1, *[3] * dims)
    torch.testing.assert_close(blurred(x), CONVOLVE[dims](x, weight, padding=1, groups=4))
    assert count_macs(module, (1, 4, *[5] * dims)) == 5**dims * (3**dims * 4 * 3**dims + 3**dims * 4)


def test_filters_are_of_the_maps_size() -> None:
    with pytest.raises(ValueError, match=r"filters have the shape \(3, 3, 10\), expected \(3, 3, 11\)"):
        filter_locally(make_feature_map(1), torch.zeros(3, 3, 10), 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConvBank(0, 4, 4, 3, dims=1), "n_kernels is 0, expected at least 1"),
        (lambda: ConvBank(2, 4, 4, 2, dims=1), r"kernel_size is \(2,\), expected odd sizes"),
        (lambda: ConvBank(2, 4, 4, 3, dims=1, groups=3), "groups is 3, expected a divisor"),
        (lambda: DynamicConv(4, 4, 3, dims=1, temperature=0), "temperature is 0, expected more than 0"),
        (
            lambda: DynamicConv(4, 4, 3, dims=1, temperature=0.5, anneal_steps=9),
            "anneal_steps is 9 and temperature 0.5, expected anneal_steps 0, or more and",
        ),
        (lambda: DynamicConv(4, 4, 3, dims=3), "dims is 3, expected one of 1, 2"),
    ],
)
def test_wrong_arguments(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


class Every(nn.Module):
    """All of them on one feature map."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.dynamic = DynamicConv(4, 4, 3, dims=dims, temperature=1, stride=2)
        self.local = DynamicLocalFilter(4, 3, dims=dims, softmax=True)
        self.hyper = HyperConv(KernelGenerator(2, 3, dims=dims), 4, 6)
        self.bank = ConvBank(3, 4, 5, 3, dims=dims)

    def forward(self, x: Tensor) -> list[Tensor]:
        choice = torch.tensor([2, 0, 1])
        return [self.dynamic(x), self.local(x), self.hyper(x), self.bank(x, choice)]


@pytest.mark.parametrize("dims", [1, 2])
def test_under_autocast(dims: int) -> None:
    torch.manual_seed(0)
    net, x = Every(dims), make_feature_map(dims)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        theirs = net(x)
    for their, our in zip(theirs, net(x), strict=True):
        torch.testing.assert_close(their.float(), our, atol=0.06, rtol=0.06)


def test_gradient_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    net = Every(2)
    torch.stack([y.square().sum() for y in net(make_feature_map(2))]).sum().backward()
    assert [name for name, p in net.named_parameters() if not p.grad.any()] == []


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = Every(1), Every(2)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [*self.one(x[:, :, 0]), *self.two(x)]


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")  # from the exporter itself
def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    net, x, path = Both().eval(), make_feature_map(2), tmp_path / "net.onnx"
    torch.onnx.export(net, (x,), path, dynamo=True, input_names=["x"], verbose=False)
    theirs = onnxruntime.InferenceSession(path).run(None, {"x": x.numpy()})
    for their, our in zip(theirs, net(x), strict=True):
        torch.testing.assert_close(torch.from_numpy(their), our, rtol=1e-4, atol=1e-5)
