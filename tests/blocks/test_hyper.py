"""Convolutions with predicted kernels against torch's with the same kernel, and the paper's equation."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.hyper import HyperConv, KernelGenerator

CONVOLVE = {1: functional.conv1d, 2: functional.conv2d}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dims", [1, 2])
def test_hyper_conv_puts_kernels_side_by_side(dims: int) -> None:
    generator = KernelGenerator(2, 3, dims=dims, n_embedding=5, n_hidden=7)
    module, x = HyperConv(generator, 4, 6, stride=2, padding=1), random(3, 4, *(9, 11)[-dims:])
    weight = module.weight()
    assert weight.shape == (6, 4, *[3] * dims)
    for out in range(3):
        for into in range(2):
            part = weight[2 * out : 2 * out + 2, 2 * into : 2 * into + 2]
            torch.testing.assert_close(part, generator(module.embeddings[out, into][None])[0])
    torch.testing.assert_close(module(x), CONVOLVE[dims](x, weight, module.bias, 2, 1))


def test_kernel_generator_is_the_papers() -> None:
    """Ha et al., equation 2: a_i = W_i z + B_i for each channel in, F_i = W_out a_i + B_out."""
    generator = KernelGenerator(2, (1, 3), dims=2, n_embedding=5, n_hidden=7)
    for parameter in generator.parameters():
        parameter.data = random(*parameter.shape, seed=len(parameter))
    z = random(5)
    kernel = generator(z[None])[0]
    assert kernel.shape == (2, 2, 1, 3)
    for i in range(2):
        rows = slice(7 * i, 7 * i + 7)
        a = generator.to_hidden.weight[rows] @ z + generator.to_hidden.bias[rows]
        expected = generator.to_kernel.weight @ a + generator.to_kernel.bias
        torch.testing.assert_close(kernel[:, i].flatten(), expected)


def test_hyper_convs_share_their_generator() -> None:
    generator = KernelGenerator(8, 3, dims=1, n_embedding=4)
    net = nn.Sequential(HyperConv(generator, 8, 16, bias=False), HyperConv(generator, 16, 8, bias=False))
    shared = sum(p.numel() for p in generator.parameters())
    assert shared == (4 + 1) * 8 * 64 + (64 + 1) * 8 * 3
    assert sum(p.numel() for p in net.parameters()) == shared + 4 * 2 + 4 * 2


def test_hyper_kernels_begin_as_hes() -> None:
    """A variance of 2 / (values * in_channels), within a tenth: the seeds' spread is 4 %."""
    torch.manual_seed(0)
    generator = KernelGenerator(16, 3, dims=2)
    variance = HyperConv(generator, 64, 64).weight().var().item()
    assert variance == pytest.approx(2 / (9 * 64), rel=0.1)


def test_the_generators_channels_divide_the_layers() -> None:
    generator = KernelGenerator(8, 3, dims=1)
    for ins, outs in ((8, 12), (12, 8)):
        with pytest.raises(ValueError, match=rf"8 channels, expected a divisor of in_channels \({ins}\) and"):
            HyperConv(generator, ins, outs)
