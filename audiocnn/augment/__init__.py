"""Augmentation: of waveforms in the loader's workers; of spectrograms, images and batches on the device.

Conventions: waveforms are float32 (samples,), and their augmentation draws from a numpy generator that it is
given, so that a seed repeats an example exactly; that of tensors draws from torch's generator.
"""

from audiocnn.augment.colour import ColorJitter, RandomGainBias
from audiocnn.augment.image import (
    ImageTransform,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
)
from audiocnn.augment.mixing import Mixup, Overlay
from audiocnn.augment.negative import negative_example, synthesise_bursts, synthesise_voice
from audiocnn.augment.spectrogram import RandomShift, SpecAugment
from audiocnn.augment.variants import MASTERED, VIEWS, Augment, average_variants, average_views, check_views
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
    "VIEWS",
    "Augment",
    "ColorJitter",
    "ImageTransform",
    "Mixup",
    "Overlay",
    "RandomAffine",
    "RandomClip",
    "RandomCrop",
    "RandomGainBias",
    "RandomHorizontalFlip",
    "RandomRecording",
    "RandomResizedCrop",
    "RandomShift",
    "SpecAugment",
    "add_noise",
    "average_variants",
    "average_views",
    "check_views",
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
