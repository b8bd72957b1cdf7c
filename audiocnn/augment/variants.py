"""Test-time augmentation: a model's predictions for variants of a waveform, averaged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from audiocnn.augment.waveform import RandomClip, RandomRecording, Rng

# waveform, n_samples, sample_rate, generator -> waveform of n_samples
Augment = Callable[[np.ndarray, int, int, Rng], np.ndarray]


# Another master of a clip: another level and equaliser, polarity inverted, and the pitch a little shifted.
MASTERED = RandomClip(
    stretch_p=0.0,
    pitch_p=0.5,
    semitones=(-0.5, 0.5),
    record=RandomRecording(
        impulse_response_p=0.0, equaliser_p=0.5, noise_p=0.0, saturation_p=0.0, gain_db=(-12.0, 0.0)
    ),
)


def average_variants(
    predict: Callable[[Tensor], Tensor],
    waveforms: Tensor,
    sample_rate: int,
    k: int = 8,
    augment: Augment = MASTERED,
    n_samples: int | None = None,
    seed: int = 0,
) -> Tensor:
    """Average a model's probabilities over k variants of each waveform; the same in any batch.

    Args:
        predict: takes waveforms (batch, n_samples), returns probabilities (batch, labels).
        waveforms: (batch, samples).
        sample_rate: in Hz.
        k: variants of each waveform.
        augment: makes a variant.
        n_samples: of a variant, from a random position; those of the waveforms when None.
        seed: random seed of the variants.

    Returns:
        Probabilities, (batch, labels).
    """
    n_samples = n_samples or waveforms.shape[1]

    def variant(waveform: Tensor, index: int) -> Tensor:
        rng = np.random.default_rng((seed, index))
        return torch.from_numpy(augment(waveform.cpu().numpy(), n_samples, sample_rate, rng))

    predictions = [predict(torch.stack([variant(w, i) for w in waveforms]).to(waveforms)) for i in range(k)]
    return torch.stack(predictions).mean(0)
