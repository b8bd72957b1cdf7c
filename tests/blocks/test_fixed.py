"""Fixed kernels against scipy.ndimage, numpy and examples by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage, signal
from torch import Tensor, nn

from audiocnn.blocks.fixed import (
    KERNELS,
    FixedConv,
    binomial,
    box,
    create_kernel,
    gabor,
    gaussian,
    set_kernels,
    sharpen,
)

MODES = {
    "zeros": "constant",
    "replicate": "nearest",
    "reflect": "mirror",
    "symmetric": "reflect",
    "circular": "wrap",
}
IN_1D_ALONE = {"second_difference", "difference"}
IN_2D_ALONE = {"laplacian", "edges_8", "sharpen_8", "sobel_x", "sobel_y"}


def make_feature_map(dims: int) -> Tensor:
    return torch.randn(2, 3, *(13, 17)[-dims:], generator=torch.Generator().manual_seed(0))


def filtered(x: Tensor, kernels: list[Tensor], mode: str = "zeros") -> np.ndarray:
    """What a layer of these kernels makes of the first channel of the first example."""
    return FixedConv(kernels, padding_mode=mode)(x)[0, : len(kernels)].numpy()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dims", [1, 2])
def test_blurs_are_scipys(dims: int, mode: str) -> None:
    x, theirs = make_feature_map(dims), MODES[mode]
    first = x[0, 0].numpy()
    for size in (1, 3, 5):
        expected = ndimage.uniform_filter(first, size, mode=theirs)
        np.testing.assert_allclose(filtered(x, [box(size, dims=dims)], mode)[0], expected, atol=1e-6)
    for sigma in (0.4, 1.0, 1.3):
        expected = ndimage.gaussian_filter(first, sigma, mode=theirs, truncate=4)
        np.testing.assert_allclose(filtered(x, [gaussian(sigma, dims=dims)], mode)[0], expected, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_edges_are_scipys(mode: str) -> None:
    x = make_feature_map(2)
    first, theirs = x[0, 0].numpy(), MODES[mode]
    names = ("laplacian", "sharpen", "sobel_x", "sobel_y")
    made = filtered(x, [create_kernel(name, dims=2) for name in names], mode)
    laplace = ndimage.laplace(first, mode=theirs)
    expected = [laplace, first - laplace, *(ndimage.sobel(first, axis, mode=theirs) for axis in (1, 0))]
    np.testing.assert_allclose(made, expected, atol=1e-5)
    x = make_feature_map(1)
    first = x[0, 0].numpy()
    names = ("second_difference", "sharpen", "difference")
    made = filtered(x, [create_kernel(name, dims=1) for name in names], mode)
    laplace = ndimage.laplace(first, mode=theirs)
    expected = [laplace, first - laplace, ndimage.correlate1d(first, [-1, 0, 1], mode=theirs)]
    np.testing.assert_allclose(made, expected, atol=1e-5)


def test_kernels_by_hand() -> None:
    assert (binomial(dims=2) * 16).tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert (binomial(5, dims=1) * 16).tolist() == [1, 4, 6, 4, 1]
    assert sharpen(dims=2).tolist() == [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
    assert sharpen(dims=1).tolist() == [-1, 3, -1]
    assert create_kernel("edges_8", dims=2).tolist() == [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]
    assert create_kernel("sharpen_8", dims=2).tolist() == [[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]]
    assert create_kernel("laplacian", dims=2).tolist() == [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    assert create_kernel("second_difference", dims=1).tolist() == [1, -2, 1]
    assert create_kernel("difference", dims=1).tolist() == [-1, 0, 1]
    assert create_kernel("weighted_mean", dims=1).tolist() == pytest.approx([0.1, 0.2, 0.4, 0.2, 0.1])
    assert (create_kernel("weighted_mean", dims=2) * 8).tolist() == [[0, 1, 0], [1, 4, 1], [0, 1, 0]]
    assert gaussian(1.0, 3, dims=1).tolist() == pytest.approx([0.27407, 0.45186, 0.27407], abs=1e-5)
    assert gaussian(2.0, dims=2).shape == (17, 17)


@pytest.mark.parametrize("dims", [1, 2])
def test_blurs_keep_and_edges_lose_what_is_even(dims: int) -> None:
    for name in KERNELS:
        if name == "gabor" or name in (IN_2D_ALONE if dims == 1 else IN_1D_ALONE):
            continue
        keeps = name in {"box", "binomial", "gaussian", "weighted_mean", "sharpen", "sharpen_8"}
        assert create_kernel(name, dims=dims).sum().item() == pytest.approx(float(keeps), abs=1e-6)


def test_gabor_in_1d_is_a_wave_under_a_bell() -> None:
    expected = signal.windows.gaussian(21, 2.5) * np.cos(2 * np.pi * np.arange(-10, 11) / 5 + 0.3)
    made = gabor(21, dims=1, wavelength=5, sigma=2.5, phase=0.3)
    np.testing.assert_allclose(made, expected, atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 2, 2.5])
def test_gabor_in_2d_is_daugmans(angle: float) -> None:
    made = gabor(9, dims=2, wavelength=4, sigma=1.5, phase=0.2, angle=angle, aspect=0.6)
    for row, column in ((0, 0), (4, 4), (2, 7), (8, 1)):
        x, y = column - 4, row - 4
        along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
        expected = np.exp(-(along**2 + 0.6**2 * across**2) / (2 * 1.5**2)) * np.cos(
            2 * np.pi * along / 4 + 0.2
        )
        assert made[row, column].item() == pytest.approx(expected, abs=1e-6)


def test_gabor_answers_to_its_own_wave_most() -> None:
    lengths = [4, 5, 6, 8, 10, 12]
    waves = torch.stack([torch.cos(2 * math.pi * torch.arange(120.0) / n) for n in lengths]).unsqueeze(1)
    for n in lengths:
        answers = FixedConv([gabor(41, dims=1, wavelength=n, sigma=8)])(waves)
        assert lengths[answers.abs().amax(dim=(1, 2)).argmax()] == n
    angles = [0.0, math.pi / 4, math.pi / 2, 3 * math.pi / 4]
    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    waves = torch.stack(
        [torch.cos(2 * math.pi * (columns * math.cos(a) + rows * math.sin(a)) / 6) for a in angles]
    ).unsqueeze(1)
    answers = FixedConv([gabor(dims=2, angle=angle) for angle in angles])(waves)
    assert answers.abs().amax(dim=(2, 3)).argmax(dim=1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("dims", [1, 2])
def test_layer_goes_channel_by_channel(dims: int) -> None:
    x = make_feature_map(dims)
    both = FixedConv([box(dims=dims), sharpen(dims=dims)])
    y = both(x)
    assert y.shape == (2, 6, *x.shape[2:])
    for channel in range(3):
        one = x[:, channel : channel + 1]
        torch.testing.assert_close(y[:, 2 * channel : 2 * channel + 1], FixedConv([box(dims=dims)])(one))
        torch.testing.assert_close(
            y[:, 2 * channel + 1 : 2 * channel + 2], FixedConv([sharpen(dims=dims)])(one)
        )
    assert list(both.parameters()) == []
    assert list(both.state_dict()) == ["kernels"]


@pytest.mark.parametrize("dims", [1, 2])
def test_first_layer_set_by_hand(dims: int) -> None:
    convolution = {1: nn.Conv1d, 2: nn.Conv2d}[dims](3, 4, 5, padding=2)
    before = convolution.weight.detach().clone(), convolution.bias.detach().clone()
    kernels = [box(5, dims=dims), sharpen(dims=dims)]
    set_kernels(convolution, kernels)
    x = make_feature_map(dims)
    y, mean = convolution(x), x.mean(dim=1, keepdim=True)
    for i, one in enumerate(kernels):
        torch.testing.assert_close(y[:, i : i + 1], FixedConv([one])(mean))
    assert torch.equal(convolution.weight[2:], before[0][2:])
    assert torch.equal(convolution.bias[2:], before[1][2:])
    assert convolution.weight.requires_grad


def test_first_layer_without_bias_and_in_groups() -> None:
    convolution = nn.Conv1d(4, 4, 3, groups=4, padding=1, bias=False)
    set_kernels(convolution, [create_kernel("difference", dims=1)] * 4)
    x = torch.arange(20.0).square().reshape(1, 4, 5)
    torch.testing.assert_close(convolution(x), FixedConv([create_kernel("difference", dims=1)])(x))


@pytest.mark.parametrize("name", sorted(IN_1D_ALONE | IN_2D_ALONE))
def test_some_exist_in_one_dimensionality_alone(name: str) -> None:
    theirs, other = (1, 2) if name in IN_1D_ALONE else (2, 1)
    assert create_kernel(name, dims=theirs).dim() == theirs
    with pytest.raises(
        ValueError, match=f"dims is {other}, expected {theirs}: {name} exists in {theirs}-D alone"
    ):
        create_kernel(name, dims=other)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: create_kernel("blur", dims=1), "kernel is 'blur', expected one of box, binomial, gaussian"),
        (lambda: box(4, dims=1), "size is 4, expected an odd number"),
        (lambda: binomial(0, dims=1), "size is 0, expected an odd number"),
        (lambda: box(3, dims=3), "dims is 3, expected one of 1, 2"),
        (lambda: gaussian(0, dims=1), "sigma is 0, expected more than 0"),
        (lambda: gabor(dims=2, wavelength=-1), "wavelength is -1, expected more than 0"),
        (lambda: gabor(dims=1, angle=1), "angle and aspect are 1 and 1.0, expected 0 and 1 in 1-D"),
        (lambda: FixedConv([]), r"the kernels' sizes are \[\], expected one size"),
        (
            lambda: FixedConv([box(3, dims=1), box(5, dims=1)]),
            r"sizes are \[\(3,\), \(5,\)\], expected one size",
        ),
        (lambda: FixedConv([torch.ones(4)]), r"kernel_size is \(4,\), expected odd sizes"),
        (
            lambda: FixedConv([torch.ones(3)], padding_mode="wrap"),
            "padding_mode is 'wrap', expected one of zeros",
        ),
        (
            lambda: FixedConv([torch.ones(5)], padding_mode="reflect")(torch.zeros(1, 1, 2)),
            r"the feature map's size is \(2,\), expected at least \(3,\)",
        ),
        (
            lambda: set_kernels(nn.Conv1d(1, 1, 3), [box(dims=1)] * 2),
            "there are 2 kernels, expected at most 1",
        ),
        (lambda: set_kernels(nn.Conv1d(1, 1, 3), [box(5, dims=1)]), r"size \(5,\), .* the middle of \(3,\)"),
        (lambda: set_kernels(nn.Conv1d(1, 1, 4), [box(3, dims=1)]), r"size \(3,\), .* the middle of \(4,\)"),
        (
            lambda: set_kernels(nn.Conv2d(1, 1, 3), [box(3, dims=1)]),
            r"size \(3,\), .* the middle of \(3, 3\)",
        ),
    ],
)
def test_wrong_arguments(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = FixedConv([create_kernel("gaussian", dims=1)], padding_mode="replicate")
        self.two = FixedConv([create_kernel("sobel_x", dims=2), create_kernel("sobel_y", dims=2)])

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.one(x[:, :, 0]), self.two(x)]


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")  # from the exporter itself
def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    net, x, path = Both().eval(), make_feature_map(2), tmp_path / "net.onnx"
    torch.onnx.export(net, (x,), path, dynamo=True, input_names=["x"], verbose=False)
    theirs = onnxruntime.InferenceSession(path).run(None, {"x": x.numpy()})
    for their, our in zip(theirs, net(x), strict=True):
        torch.testing.assert_close(torch.from_numpy(their), our, rtol=1e-4, atol=1e-5)
