"""Augmentation: of waveforms in the loader's workers, of spectrograms and batches on the model's device.

Conventions: a waveform is float32 (samples,), and what changes it draws from the numpy generator that it is
given, so that a seed repeats an example exactly; what changes tensors draws from torch's generator.
"""

from audiocnn.augment.mixing import Mixup, Overlay
from audiocnn.augment.negative import gliding_voice, negative_example, noise_bursts
from audiocnn.augment.spectrogram import RandomShift, SpecAugment
from audiocnn.augment.variants import MASTERED, Augment, average_variants
from audiocnn.augment.waveform import (
    RandomClip,
    RandomRecording,
    add_noise,
    coloured_noise,
    crop,
    equaliser,
    one_pole,
    room,
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
    "coloured_noise",
    "crop",
    "equaliser",
    "gliding_voice",
    "negative_example",
    "noise_bursts",
    "one_pole",
    "room",
    "shift_pitch",
    "stretch_time",
]
