"""Clips in a cache -> items: random crops to train on, whole clips to validate and test on.

An item depends on the seed, the epoch and its number alone, not on the workers or on what was drawn before.
A clip that is shorter than a crop is put into silence at a random place. Repeating it instead would teach a
rhythm and clicks that no recording has.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from audiocnn.datasets.clips.cache import Sounds
from audiocnn.datasets.clips.cropping import CropOptions, Cropping
from audiocnn.datasets.clips.sources import Clip


def encode_labels(clip: Clip, labels: list[str]) -> Tensor:
    """Encode the labels of a clip as a target.

    Args:
        clip: with its labels.
        labels: all there are, in the order of the targets.

    Returns:
        (labels,), float32: 1 for each label that holds, 0 for the others.
    """
    return torch.tensor([float(label in clip.labels) for label in labels])


class Crops(Dataset):
    """Random crops of random clips; item (e, i) of epoch e is the same whenever the seed is.

    Shape: items are waveforms (samples,) and targets (labels,).

    Args:
        clips: in the cache.
        sounds: the cache.
        labels: in the order of the targets.
        options: sampling and augmentation of the crops.
    """

    def __init__(self, clips: list[Clip], sounds: Sounds, labels: list[str], options: CropOptions) -> None:
        self.clips, self.sounds, self.labels, self.options = clips, sounds, labels, options
        self.cropping = Cropping(sounds.sample_rate, options)
        self.spans = [sounds.find_span(clip) for clip in clips]
        members, alone = defaultdict(list), defaultdict(list)
        for index, clip in enumerate(clips):
            for label in clip.labels or ("",):
                members[label].append(index)
                if len(clip.labels) == 1:
                    alone[label].append(index)
        self.members = [np.array(members[label]) for label in sorted(members)]
        self.alone = [np.array(alone[label] or members[label]) for label in sorted(members)]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, item: tuple[int, int]) -> tuple[Tensor, Tensor]:
        epoch, index = item
        rng = np.random.default_rng((self.options.seed, epoch, index))
        drawn = self._draw(epoch, index, rng)
        clip, (first, length) = self.clips[drawn], self.spans[drawn]

        def read(start: int, n_samples: int) -> np.ndarray:
            return self.sounds.read(clip.path, first + start, n_samples)

        return self.cropping.make_item(read, length, encode_labels(clip, self.labels), rng)

    def _draw(self, epoch: int, index: int, rng: np.random.Generator) -> int:
        """The index of the clip that an item is of."""
        if self.options.sampling == "balanced":
            label = rng.integers(len(self.members))
            alone = self.options.alone_p > 0 and rng.random() < self.options.alone_p
            return int(rng.choice((self.alone if alone else self.members)[label]))
        turn, place = divmod(index, len(self.clips))
        order = np.random.default_rng((self.options.seed, epoch, turn, 0)).permutation(len(self.clips))
        return int(order[place])


class WholeClips(Dataset):
    """Each clip as it is, from its start to its end; item i is of `clips[i]`.

    Shape: items are waveforms (samples,) and targets (labels,).

    Args:
        clips: in the cache.
        sounds: the cache.
        labels: in the order of the targets.
    """

    def __init__(self, clips: list[Clip], sounds: Sounds, labels: list[str]) -> None:
        self.clips, self.sounds, self.labels = clips, sounds, labels

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        clip = self.clips[index]
        waveform = self.sounds.read(clip.path, *self.sounds.find_span(clip))
        return torch.from_numpy(waveform), encode_labels(clip, self.labels)
