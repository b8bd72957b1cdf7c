"""The weights of the first layer."""

import pytest
import torch
from torch import nn

from audiocnn.backbones import create_backbone
from audiocnn.explain.kernels import (
    compute_frequency_response,
    get_first_kernels,
    get_linear_weights,
    kernels_to_spectrograms,
    sort_by_peak_frequency,
)


def test_get_first_kernels(instrument, instrument_network) -> None:
    found = get_first_kernels(instrument_network)
    assert found.shape == (32, 1, 7, 7)
    assert torch.equal(found, instrument.state_dict()["backbone.stages.0.0.0.weight"])
    with pytest.raises(ValueError, match="the network has no convolution"):
        get_first_kernels(nn.Linear(2, 2))


def test_frequency_response_of_known_filters() -> None:
    # a mean of two passes 0 Hz and stops half the rate, a difference the reverse; a tone's kernel its own
    tone = torch.cos(2 * torch.pi * torch.arange(80) / 80 * 10)
    kernels = torch.zeros(3, 1, 80)
    kernels[0, 0, :2], kernels[1, 0, :2], kernels[2, 0] = 0.5, torch.tensor([0.5, -0.5]), tone
    gains, hz = compute_frequency_response(kernels, 8000, n_fft=800)
    assert gains.shape == (3, 1, 401)
    assert (hz[0], hz[-1]) == (0, 4000)
    torch.testing.assert_close(gains[0, 0], (torch.pi * hz / 8000).cos().abs())
    torch.testing.assert_close(gains[1, 0], (torch.pi * hz / 8000).sin().abs(), atol=1e-6, rtol=1e-5)
    assert hz[gains[2, 0].argmax()] == 1000
    assert sort_by_peak_frequency(gains).tolist() == [0, 2, 1]


def test_kernels_to_spectrograms() -> None:
    assert kernels_to_spectrograms(torch.zeros(5, 3, 7)).shape == (5, 3, 7)
    assert kernels_to_spectrograms(torch.zeros(5, 1, 2, 7)).shape == (5, 2, 7)
    assert torch.equal(kernels_to_spectrograms(torch.ones(5, 30, 3, 4)), 3 * torch.ones(5, 30, 4))


def test_weights_of_the_linear_baseline() -> None:
    """The score of a spectrogram is its product with them, but for the bias."""
    backbone = create_backbone("linear", size=(6, 4))
    head = backbone.classifier(3).eval()
    weights = get_linear_weights(nn.Sequential(backbone, head), (6, 4))
    assert weights.shape == (3, 1, 6, 4)
    spectrogram = torch.randn(1, 1, 6, 4)
    with torch.no_grad():
        scores = head(spectrogram)[0] - head(torch.zeros_like(spectrogram))[0]
    torch.testing.assert_close((weights * spectrogram).sum((1, 2, 3)), scores)


def test_no_linear_baseline() -> None:
    with pytest.raises(ValueError, match="the network has 2 linear layers, expected 1"):
        get_linear_weights(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), (2, 2))
    with pytest.raises(
        ValueError, match=r"size is \(3, 2\), expected a number of values that divides the 4 inputs"
    ):
        get_linear_weights(nn.Linear(4, 2), (3, 2))
