"""The weights of the first layer: kernels as spectrograms, and the frequency responses of 1-D kernels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audiocnn.explain.network import find_first_convolution
from audiocnn.ranges import ArgumentError


def get_first_kernels(network: nn.Module) -> Tensor:
    """Return the weights of the first convolution.

    Args:
        network: network from spectrograms to scores.

    Returns:
        Kernels, (filters, channels, bins, frames), or (filters, channels, frames) for dims=1.

    Raises:
        ArgumentError: the network has no convolution.
    """
    return find_first_convolution(network).weight.detach()


def kernels_to_spectrograms(kernels: Tensor) -> Tensor:
    """Arrange kernels as (rows, frames) for a plot.

    The rows of a 1-D kernel are its channels, those of a 2-D kernel with one channel its bins. A 2-D kernel
    with more channels, which stand for frequencies as harmonics do, has a row for each, summed over bins.

    Args:
        kernels: (filters, channels, ..., frames).

    Returns:
        Kernels, (filters, rows, frames).
    """
    if kernels.ndim == 3:
        return kernels
    return kernels.squeeze(1) if kernels.shape[1] == 1 else kernels.sum(2)


def compute_frequency_response(
    kernels: Tensor, sample_rate: float, n_fft: int = 1024
) -> tuple[Tensor, Tensor]:
    """Compute the magnitude response of 1-D kernels up to the Nyquist frequency.

    Args:
        kernels: (filters, channels, frames).
        sample_rate: frames per second; for kernels over a spectrogram, the frequencies are modulation
            frequencies.
        n_fft: length of the FFT; raised to the length of a kernel where that is longer.

    Returns:
        Gains, (filters, channels, 1 + n_fft // 2), and frequencies in Hz, (1 + n_fft // 2,).
    """
    n_fft = max(n_fft, kernels.shape[-1])
    gains = torch.fft.rfft(kernels, n_fft).abs()
    return gains, torch.fft.rfftfreq(n_fft, 1 / sample_rate)


def sort_by_peak_frequency(gains: Tensor) -> Tensor:
    """Sort filters by the frequency of their highest gain, in ascending order.

    Args:
        gains: (filters, channels, frequencies).

    Returns:
        Indices of the filters, (filters,).
    """
    return gains.sum(1).argmax(-1).argsort(stable=True)


def get_linear_weights(network: nn.Module, size: tuple[int, ...]) -> Tensor:
    """Return the weights of a linear classifier, such as the baseline `linear`, as a spectrogram per output.

    Args:
        network: network with one linear layer.
        size: size that the classifier resizes spectrograms to, along each axis.

    Returns:
        Weights, (outputs, channels, *size).

    Raises:
        ArgumentError: the network has more than one linear layer, or none, or one of another size.
    """
    layers = [part for part in network.modules() if isinstance(part, nn.Linear)]
    if len(layers) != 1:
        raise ArgumentError(f"the network has {len(layers)} linear layers, expected 1")
    (layer,) = layers
    n_values = torch.Size(size).numel()
    if layer.in_features % n_values:
        raise ArgumentError(
            f"size is {size}, expected a number of values that divides the {layer.in_features} inputs"
        )
    return layer.weight.detach().view(layer.out_features, -1, *size)
