"""What the first layer looks for: its kernels as spectrograms, and the frequencies that 1-D ones pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audiocnn.explain.network import first_convolution


def first_kernels(network: nn.Module) -> Tensor:
    """The weights of the first convolution.

    Shape: (filters, channels, bins, frames), or (filters, channels, frames) for dims=1.
    """
    return first_convolution(network).weight.detach()


def as_spectrograms(kernels: Tensor) -> Tensor:
    """Kernels to look at: of one channel as they are; of several in 2-D, their channels from the bottom up.

    There the channels stand for frequencies, as harmonics do, and what a kernel spans in bins is summed.
    Shape: (filters, channels, ..., frames) -> (filters, rows, frames).
    """
    if kernels.ndim == 3:
        return kernels
    return kernels.squeeze(1) if kernels.shape[1] == 1 else kernels.sum(2)


def frequency_response(kernels: Tensor, sample_rate: float, n_fft: int = 1024) -> tuple[Tensor, Tensor]:
    """The gains of 1-D kernels, and the frequencies in Hz that these are of: up to half of the rate.

    Shape: (filters, channels, frames) -> (filters, channels, 1 + n_fft // 2) and (1 + n_fft // 2,).

    Args:
        sample_rate: of the frames: of a spectrogram's, it gives the frequencies of what changes in a bin.
    """
    n_fft = max(n_fft, kernels.shape[-1])
    gains = torch.fft.rfft(kernels, n_fft).abs()
    return gains, torch.fft.rfftfreq(n_fft, 1 / sample_rate)


def by_peak(gains: Tensor) -> Tensor:
    """The order of filters by the frequency that passes best, lowest first: (filters,)."""
    return gains.sum(1).argmax(-1).argsort(stable=True)


def linear_weights(network: nn.Module, size: tuple[int, ...]) -> Tensor:
    """The spectrogram that each output of a linear classifier looks for, such as the baseline `linear`'s.

    Shape: (outputs, channels, *size).

    Args:
        size: cells along each axis that the classifier brings spectrograms to.
    Raises: ValueError when the network has more than one linear layer, or none, or one of another size.
    """
    layers = [part for part in network.modules() if isinstance(part, nn.Linear)]
    if len(layers) != 1:
        raise ValueError(f"the network has {len(layers)} linear layers, expected 1")
    (layer,) = layers
    n_cells = torch.Size(size).numel()
    if layer.in_features % n_cells:
        raise ValueError(f"size is {size}, expected cells that divide the {layer.in_features} inputs")
    return layer.weight.detach().view(layer.out_features, -1, *size)
