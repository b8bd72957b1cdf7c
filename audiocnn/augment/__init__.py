"""Augmentation: of waveforms in the loader's workers, of spectrograms and batches on the model's device.

Conventions: waveforms are float32 (samples,), and their augmentation draws from a numpy generator that it is
given, so that a seed repeats an example exactly; that of tensors draws from torch's generator.
"""

from audiocnn.augment.mixing import Mixup, Overlay
from audiocnn.augment.negative import negative_example, synthesise_bursts, synthesise_voice
from audiocnn.augment.spectrogram import RandomShift, SpecAugment
from audiocnn.augment.variants import MASTERED, Augment, average_variants
from audiocnn.augment.waveform import (
    RandomClip,
    RandomRecording,
    add_noise,
    draw_crop,
    draw_equaliser,
    draw_impulse_response,
    draw_noise,
    filter_low_pass,
    shift_pitch,
    stretch_time,
)

__all__ = [
    "MASTERED",
    "Augment",
    "Mixup",
    "Overlay",
    "RandomClip",
    "RandomRecording",
    "RandomShift",
    "SpecAugment",
    "add_noise",
    "average_variants",
    "draw_crop",
    "draw_equaliser",
    "draw_impulse_response",
    "draw_noise",
    "filter_low_pass",
    "negative_example",
    "shift_pitch",
    "stretch_time",
    "synthesise_bursts",
    "synthesise_voice",
]
