"""The lectures' own numbers, in their order: each test is a slide or an exercise, computed by our blocks.

Expected values are those on the slides or worked out by hand; references are torch's and scipy's functions.
"""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage, signal
from torch import Tensor, nn

from audiocnn import create_backbone
from audiocnn.blocks.conv import ConvNormAct, conv
from audiocnn.blocks.cost import count_macs, count_parameters
from audiocnn.blocks.fixed import FixedConv, box, create_kernel
from audiocnn.blocks.geometry import Window, compute_receptive_field, output_size
from audiocnn.blocks.global_pool import GlobalMax, SpatialPyramidPool
from audiocnn.blocks.im2col import conv_as_matmul, im2col
from audiocnn.blocks.local import LocallyConnected
from audiocnn.blocks.norm import create_norm
from audiocnn.blocks.padding import pad
from audiocnn.blocks.pool import create_pool, k_max
from audiocnn.blocks.separable import DepthwiseSeparable, SpatiallySeparable, depthwise, pointwise

SERIES = torch.tensor([[[1.0, 2, 3, 4, 3, 2, 1]]])
# Dumoulin and Visin's image, and their kernel.
IMAGE = torch.tensor(
    [[[[3.0, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]]]
)
KERNEL = torch.tensor([[0.0, 1, 2], [2, 2, 0], [0, 1, 2]])
SQUARE = torch.tensor([[[[1.0, 2, 5, 6], [3, 4, 7, 8], [9, 10, 13, 14], [11, 12, 15, 16]]]])


def layer(kernel: Tensor, *, bias: float = 0.0, **options: Any) -> nn.Module:
    """A convolution from one channel to one, with this kernel."""
    made = conv(1, 1, tuple(kernel.shape), dims=kernel.ndim, **{"padding": "valid", **options})
    with torch.no_grad():
        made.weight.copy_(kernel)
        made.bias.fill_(bias)
    return made


def values(y: Tensor) -> list:
    """The numbers of a feature map of one example and channel."""
    return y.detach()[0, 0].tolist()


# --- a convolution, by hand


@pytest.mark.parametrize(
    ("pixels", "expected", "largest"),
    [
        ([(2, 2), (3, 3)], [[0, 0, 0], [0, 1, 0], [0, 0, 2]], 2),
        ([(2, 3), (3, 2)], [[0, 0, 0], [0, 0, 1], [0, 1, 0]], 1),
        ([(0, 0), (1, 1)], [[2, 0, 0], [0, 1, 0], [0, 0, 0]], 2),
    ],
    ids=["diagonal", "other diagonal", "shifted diagonal"],
)
def test_a_diagonal_is_found_wherever_it_is(pixels, expected, largest: float) -> None:
    """A diagonal kernel and a global maximum tell the two diagonals apart, and do not mind a shift."""
    x = torch.zeros(1, 1, 4, 4)
    for pixel in pixels:
        x[0, 0][pixel] = 1
    y = layer(torch.eye(2))(x)
    assert values(y) == expected
    assert GlobalMax()(y).item() == largest


def test_a_convolutional_layer_of_ten_parameters() -> None:
    """A 3 x 3 image with zero padding: nine neurons, of which the first is sigmoid(w6 + w8 + w9 + b)."""
    net = ConvNormAct(1, 1, 3, dims=2, norm="none", act="sigmoid")
    assert count_parameters(net) == 10
    with torch.no_grad():
        net[0].weight.copy_(torch.arange(1.0, 10).reshape(1, 1, 3, 3) / 10)
        net[0].bias.fill_(0.05)
    y = net(torch.tensor([[[[0.0, 1, 0], [1, 1, 0], [1, 0, 1]]]]))
    assert y.numel() == 9
    assert y[0, 0, 0, 0].item() == pytest.approx(1 / (1 + math.exp(-(0.6 + 0.8 + 0.9 + 0.05))))


@pytest.mark.parametrize(("stride", "expected"), [(1, [8, 8, 10, 12, 12]), (2, [8, 10, 12])])
def test_a_series_by_strides(stride: int, expected: list[float]) -> None:
    """The series 1 2 3 4 3 2 1, the kernel 1 0 -1 and a bias of 10."""
    assert values(layer(torch.tensor([1.0, 0, -1]), bias=10, stride=stride)(SERIES)) == expected


@pytest.mark.parametrize(
    ("options", "before", "after"),
    [
        ({}, [0, 0, 0], [0, 0, 0]),
        ({"value": 9.0}, [9, 9, 9], [9, 9, 9]),
        ({"mode": "replicate"}, [1, 1, 1], [1, 1, 1]),
        ({"mode": "symmetric"}, [3, 2, 1], [1, 2, 3]),
        ({"mode": "reflect"}, [4, 3, 2], [2, 3, 4]),
        ({"mode": "circular"}, [3, 2, 1], [1, 2, 3]),
    ],
    ids=["zeros", "another constant", "prolonged", "mirrored", "mirrored without the edge", "wrapped"],
)
def test_a_series_is_prolonged(options: dict[str, Any], before: list, after: list) -> None:
    """Three positions on each side of 1 2 3 4 3 2 1; in 2-D the same along both axes."""
    series = SERIES[0, 0].tolist()
    assert values(pad(SERIES, ((3, 3),), **options)) == [*before, *series, *after]
    both = pad(SERIES[0, 0].outer(torch.ones(7))[None, None], ((3, 3), (2, 2)), **options)
    assert both.shape == (1, 1, 13, 11)
    assert both[0, 0, :, 5].tolist() == [*before, *series, *after]


@pytest.mark.parametrize(("dilation", "expected"), [(1, [-2, -2, 0, 2, 2]), (2, [-2, 0, 2]), (3, [0])])
def test_a_dilated_kernel_reaches_further(dilation: int, expected: list[float]) -> None:
    """1 0 -1 with the same three parameters spans 3, 5 and 7 positions."""
    assert values(layer(torch.tensor([1.0, 0, -1]), dilation=dilation)(SERIES)) == expected


def test_exercise_size_of_the_output() -> None:
    """(W + 2P - D (K - 1) - 1) // S + 1, for all small numbers."""
    for size, kernel, padding, stride, dilation in itertools.product(
        (5, 8, 13), (1, 2, 3, 5), (0, 1, 2), (1, 2, 3), (1, 2)
    ):
        if size + 2 * padding >= dilation * (kernel - 1) + 1:
            expected = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            made = conv(1, 1, kernel, dims=1, padding=padding, stride=stride, dilation=dilation)
            assert made(torch.zeros(1, 1, size)).shape[-1] == expected
            options = {"padding": padding, "stride": stride, "dilation": dilation}
            assert output_size(size, kernel, **options) == expected


@pytest.mark.parametrize("n_layers", [1, 2, 5, 10])
def test_stacked_convolutions_see_further(n_layers: int) -> None:
    """Each layer of kernels of 3 adds two positions."""
    assert compute_receptive_field([Window(3)] * n_layers).size == 1 + 2 * n_layers


# --- kernels by hand


def test_kernels_of_a_series() -> None:
    """The mean, a mean that weighs what is near more, the first and the second derivative."""
    names = ("weighted_mean", "difference", "second_difference")
    kernels = [box(5, dims=1), *(create_kernel(name, dims=1) for name in names)]
    expected = [[0.2] * 5, [0.1, 0.2, 0.4, 0.2, 0.1], [-1, 0, 1], [1, -2, 1]]
    for kernel, numbers in zip(kernels, expected, strict=True):
        assert kernel.tolist() == pytest.approx(numbers)


def test_derivatives_of_the_series() -> None:
    """It rises by one a step, turns at 4 and falls: the second derivative is at the turn alone."""
    assert values(layer(create_kernel("difference", dims=1))(SERIES)) == [2, 2, 0, -2, -2]
    assert values(layer(create_kernel("second_difference", dims=1))(SERIES)) == [0, 0, -2, 0, 0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("box", np.ones((3, 3)) / 9),
        ("weighted_mean", np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 8),
        ("sharpen", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("sharpen_8", [[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]]),
        ("sobel_x", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
        ("sobel_y", [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
        ("laplacian", [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        ("edges_8", [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
    ],
)
def test_kernels_of_an_image(name: str, expected: Any) -> None:
    np.testing.assert_allclose(create_kernel(name, dims=2), expected, rtol=1e-6)


def test_exercise_is_a_median_a_convolution() -> None:
    """No: a convolution of a sum is the sum of the convolutions, a median of a sum is not."""
    one, two = np.array([0.0, 0, 1, 0, 0]), np.array([0.0, 1, 0, 0, 0])
    blur = layer(box(3, dims=1), padding="same")
    maps = [blur(torch.tensor(x)[None, None].float()) for x in (one, two, one + two)]
    torch.testing.assert_close(maps[0] + maps[1], maps[2])
    medians = [ndimage.median_filter(x, 3, mode="constant") for x in (one, two, one + two)]
    assert not np.array_equal(medians[0] + medians[1], medians[2])


def test_a_noisy_laser_sensor_is_smoothed() -> None:
    """s(t) = sum of x(a) w(t - a): the mean of nine noisy readings errs a third as much."""
    t = torch.linspace(0, 6, 600)
    readings = t.sin() + 0.3 * torch.randn(600, generator=torch.Generator().manual_seed(0))
    smooth = FixedConv([box(9, dims=1)], padding_mode="symmetric")(readings[None, None])[0, 0]
    noise, left = (readings - t.sin()).std(), (smooth - t.sin()).std()
    assert left / noise == pytest.approx(1 / 3, abs=0.03)


# --- images


def test_the_animated_convolution() -> None:
    """Dumoulin and Visin, 2018, figure 1."""
    assert values(layer(KERNEL)(IMAGE)) == [[12, 12, 17], [10, 17, 19], [9, 6, 14]]


def test_exercise_parameters_of_a_layer() -> None:
    """A kernel has a value for every channel of the input, and a bias: C_out (K K C_in + 1)."""
    assert count_parameters(conv(3, 16, 5, dims=2)) == 16 * (5 * 5 * 3 + 1)


def test_convolution_in_mathematics_and_in_networks() -> None:
    """S = sum of I(i + m, j + n) K(m, n) in networks; with i - m and j - n it is scipy's: I * K = K * I."""
    image, kernel = IMAGE[0, 0].numpy(), KERNEL.numpy()
    np.testing.assert_allclose(values(layer(KERNEL)(IMAGE)), signal.correlate2d(image, kernel, mode="valid"))
    flipped = layer(KERNEL.flip(0, 1), padding="full")(IMAGE)
    np.testing.assert_allclose(values(flipped), signal.convolve2d(image, kernel))
    np.testing.assert_allclose(values(flipped), signal.convolve2d(kernel, image))


@pytest.mark.parametrize(("padding", "size"), [("valid", 26), ("same", 28), ("full", 30)])
def test_valid_same_and_full(padding: str, size: int) -> None:
    """Input - kernel + 1, input, and input + kernel - 1 positions."""
    assert conv(1, 1, 3, dims=2, padding=padding)(torch.zeros(1, 1, 28, 28)).shape == (1, 1, size, size)


def test_three_feature_maps_of_a_digit() -> None:
    """28 x 28 -> 3 x 24 x 24 neurons: sigmoid(b + sum over 5 x 5 of w a)."""
    net = ConvNormAct(1, 3, 5, dims=2, norm="none", act="sigmoid", padding="valid")
    assert count_parameters(net) == 3 * 26
    digit = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    y = net(digit)
    assert y.shape == (1, 3, 24, 24)
    a, w, b = digit[0, 0].numpy(), net[0].weight[1, 0].detach().numpy(), net[0].bias[1].item()
    for j, k in itertools.product(range(24), repeat=2):
        total = b + (w * a[j : j + 5, k : k + 5]).sum()
        assert y[0, 1, j, k].item() == pytest.approx(1 / (1 + math.exp(-total)), abs=1e-6)


def test_from_full_to_local_to_shared_weights() -> None:
    """Of 28 x 28 pixels to as many values: each with each, each with its 3 x 3, all the same 3 x 3."""
    full, local = nn.Linear(28 * 28, 28 * 28), LocallyConnected(1, 1, 3, 28, dims=2)
    assert count_parameters(full) == 28**2 * (28**2 + 1)
    assert count_parameters(local) == 28**2 * (3**2 + 1)
    assert count_parameters(conv(1, 1, 3, dims=2)) == 3**2 + 1


# --- a convolution as a product of matrices

ROW = torch.tensor([0.5, 0.5, 0.5, 1, 0, 0, 1, 0])  # of the input: rows, columns, channels
MATRIX = torch.tensor([[-1.0, 1], [1, 0], [1, 1], [1, -2], [-1, -1], [-1, 0], [1, 0], [-1, -2]])


def test_a_convolution_is_a_row_times_a_matrix() -> None:
    """An input of 2 x 2 x 2 as a row of eight, two kernels as a matrix of 8 x 2: the output is 2.5, -1."""
    x = ROW.reshape(1, 2, 2, 2).permute(0, 3, 1, 2)
    weight = MATRIX.reshape(2, 2, 2, 2).permute(3, 2, 0, 1)
    assert (ROW @ MATRIX).tolist() == [2.5, -1]
    columns = im2col(x, 2, padding="valid")
    assert columns.flatten().tolist() == x.flatten().tolist()
    assert conv_as_matmul(x, weight, padding="valid").flatten().tolist() == [2.5, -1]


def test_gradients_of_the_product() -> None:
    """For an output's gradient of 1, -0.5: w.grad = in^T grad, in.grad = grad w^T; then a step of descent."""
    made = conv(2, 2, 2, dims=2, padding="valid", bias=False)
    with torch.no_grad():
        made.weight.copy_(MATRIX.reshape(2, 2, 2, 2).permute(3, 2, 0, 1))
    x = ROW.reshape(1, 2, 2, 2).permute(0, 3, 1, 2).clone().requires_grad_()
    made(x).backward(torch.tensor([1, -0.5]).reshape(1, 2, 1, 1))
    of_weights = made.weight.grad.permute(2, 3, 1, 0).reshape(8, 2)
    assert of_weights[:, 0].tolist() == [0.5, 0.5, 0.5, 1, 0, 0, 1, 0]
    assert of_weights[:, 1].tolist() == [-0.25, -0.25, -0.25, -0.5, 0, 0, -0.5, 0]
    of_input = x.grad.permute(0, 2, 3, 1).flatten()
    assert of_input.tolist() == [-1.5, 1, 0.5, 2, -0.5, -1, 1, 0]
    torch.optim.SGD([made.weight], lr=0.1).step()
    expected = MATRIX - 0.1 * of_weights
    torch.testing.assert_close(made.weight.detach().permute(2, 3, 1, 0).reshape(8, 2), expected)


# --- pooling


def test_maximum_and_mean_of_quarters() -> None:
    assert values(create_pool("max", 2, dims=2)(SQUARE)) == [[4, 8], [12, 16]]
    assert values(create_pool("average", 2, dims=2)(SQUARE)) == [[2.5, 6.5], [10.5, 14.5]]


def test_the_gradient_of_a_maximum_goes_to_its_position() -> None:
    x = SQUARE.clone().requires_grad_()
    create_pool("max", 2, dims=2)(x).sum().backward()
    assert sorted(x[x.grad > 0].tolist()) == [4, 8, 12, 16]
    assert x.grad.sum() == 4


def test_a_mean_may_have_weights() -> None:
    """Windows of three positions, the middle one twice: (1 + 2 * 2 + 3) / 4 = 2."""
    assert values(create_pool("weighted_average", 3, dims=1, stride=2)(SERIES)) == [2, 3.5, 2]


def test_maximum_of_overlapping_windows() -> None:
    pooled = create_pool("max", 3, dims=2, stride=1)(IMAGE)
    assert values(pooled) == [[3, 3, 3], [3, 3, 3], [3, 2, 3]]


def test_stochastic_pooling() -> None:
    """Of 1.6 and 2.4 each is drawn by its share, 0.4 and 0.6, in training; else 0.4 * 1.6 + 0.6 * 2.4."""
    x = torch.tensor([[[[1.6, 0, 0], [0, 0, 2.4], [0, 0, 0]]]])
    pool = create_pool("stochastic", 3, dims=2)
    assert pool.eval()(x).item() == pytest.approx(2.08)
    torch.manual_seed(0)
    drawn = pool.train()(x.expand(1, 20_000, 3, 3)).flatten()
    assert set(drawn.unique().tolist()) == set(torch.tensor([1.6, 2.4]).tolist())
    assert (drawn > 2).float().mean().item() == pytest.approx(0.6, abs=0.02)


def test_the_largest_of_a_sequence_stay_in_order() -> None:
    assert values(k_max(torch.tensor([[[2.0, 8, 1, 3, 9, 0]]]), 3)) == [8, 3, 9]


def test_exercise_may_pooling_and_activation_change_places() -> None:
    """A maximum may, as an activation that grows keeps the order; a mean may not."""
    x = torch.tensor([[[-1.0, 1, -3, -2]]])
    largest, mean = create_pool("max", 2, dims=1), create_pool("average", 2, dims=1)
    assert torch.equal(largest(x.relu()), largest(x).relu())
    assert (values(mean(x.relu())), values(mean(x).relu())) == ([0.5, 0], [0, 0])


@pytest.mark.parametrize("size", [(13, 17), (4, 4), (40, 9)])
def test_a_pyramid_gives_a_vector_of_fixed_length(size: tuple[int, int]) -> None:
    """1 + 4 + 16 parts of each channel, of an image of any size."""
    assert SpatialPyramidPool((1, 2, 4))(torch.rand(2, 3, *size)).shape == (2, 3 * 21)


# --- cheaper convolutions


def test_sobel_is_an_outer_product() -> None:
    """[1 2 1]^T [-1 0 1]: two convolutions of 3 instead of one of 3 x 3; the mean of 3 x 3 too."""
    outer = torch.outer(torch.tensor([1.0, 2, 1]), torch.tensor([-1.0, 0, 1]))
    assert torch.equal(create_kernel("sobel_x", dims=2), outer)
    parts = SpatiallySeparable(1, 1, 7, rank=1, bias=False)
    assert (count_parameters(parts), count_parameters(conv(1, 1, 7, dims=2, bias=False))) == (2 * 7, 7 * 7)
    kernels = {name: create_kernel(name, dims=2) for name in ("box", "laplacian")}
    ranks = {name: torch.linalg.matrix_rank(kernel).item() for name, kernel in kernels.items()}
    assert ranks == {"box": 1, "laplacian": 2}  # the second is no product of two vectors


def test_exercise_parameters_and_products_of_cheaper_convolutions() -> None:
    """From 32 to 64 channels, kernels of 3 x 3, 28 x 28 positions."""
    made = {
        "full": (conv(32, 64, 3, dims=2, bias=False), 9 * 32 * 64),
        "grouped": (conv(32, 64, 3, dims=2, groups=4, bias=False), 9 * 32 * 64 // 4),
        "depthwise": (depthwise(32, 3, dims=2, bias=False), 9 * 32),
        "pointwise": (pointwise(32, 64, dims=2, bias=False), 32 * 64),
        "separable": (DepthwiseSeparable(32, 64, dims=2, norm="none"), 9 * 32 + 32 * 64),
    }
    for net, n_weights in made.values():
        assert sum(p.numel() for p in net.parameters() if p.ndim > 1) == n_weights
        assert count_macs(net, (1, 32, 28, 28)) == n_weights * 28 * 28


# --- normalisation


@pytest.mark.parametrize(
    ("norm", "axes"),
    [("batch", (0, 2, 3)), ("instance", (2, 3)), ("layer_all", (1, 2, 3)), ("layer", (1,))],
)
def test_what_a_normalisation_is_over(norm: str, axes: tuple[int, ...]) -> None:
    """(x - mean) / sqrt(variance + eps): of a channel, a channel of an example, an example, a position."""
    x = torch.randn(4, 6, 5, 7, generator=torch.Generator().manual_seed(0)) * 3 + 1
    variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    expected = (x - mean) / (variance + 1e-5).sqrt()
    torch.testing.assert_close(create_norm(norm, 6, dims=2)(x), expected, rtol=1e-4, atol=1e-5)


# --- networks


def test_first_layer_of_alexnet() -> None:
    """224 x 224 x 3, kernels of 11 x 11, 96 channels, stride 4: 56 x 56 x 96."""
    with torch.device("meta"):
        first = create_backbone("alexnet_2012", in_channels=3).stages[0]
        assert first(torch.empty(1, 3, 224, 224)).shape == (1, 96, 56, 56)


@pytest.mark.parametrize(
    ("name", "arguments", "size"), [("resnet34", {}, 3.6), ("resnet50", {"stride_in": "1x1"}, 3.8)]
)
def test_multiplications_of_residual_networks(name: str, arguments: dict[str, str], size: float) -> None:
    """He et al.'s table 1, in 10^9: a bottleneck's stride in its first 1 x 1 convolution."""
    with torch.device("meta"):
        backbone = create_backbone(name, in_channels=3, **arguments)
    assert count_macs(backbone, (1, 3, 224, 224)) / 1e9 == pytest.approx(size, abs=0.07)


def test_vgg_has_140_million_parameters() -> None:
    with torch.device("meta"):
        backbone = create_backbone("vgg16", in_channels=3)
        parameters = count_parameters(nn.Sequential(backbone, backbone.classifier(1000)))
    assert round(parameters / 1e7) == 14
