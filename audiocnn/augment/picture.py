"""Changes of pictures while training; when evaluating they are left as they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MaskPicture(nn.Module):
    """Pictures with a few bands of bins and stretches of frames silenced; the same pictures when evaluating.

    Shape: (batch, ..., bins, frames) -> the same.
    Source: Park et al., "SpecAugment", 2019. Differs: masked cells get the picture's lowest value.

    Args:
        p: how often each of the two kinds of mask is applied to a picture.
        bins: widest band.
        frames: longest stretch.
    """

    def __init__(self, p: float = 0.3, bins: int = 18, frames: int = 8) -> None:
        super().__init__()
        self.p, self.bins, self.frames = p, bins, frames

    def forward(self, pictures: Tensor) -> Tensor:
        if not self.training:
            return pictures
        masked = pictures.clone()
        for picture in masked:
            for axis, widest in ((-2, self.bins), (-1, self.frames)):
                if torch.rand(()) < self.p:
                    size = picture.shape[axis]
                    width = int(torch.randint(1, min(widest, size) + 1, ()))
                    start = int(torch.randint(0, size - width + 1, ()))
                    picture.narrow(axis, start, width).fill_(float(picture.min()))
        return masked


class RollPicture(nn.Module):
    """Pictures that begin at another frame, a few bins higher or lower; the same pictures when evaluating.

    Frames that leave at one end come in at the other. Bins do not: treble would be bass; there is the
    picture's lowest value instead.
    Shape: (batch, ..., bins, frames) -> the same.

    Args:
        p: how often a picture is rolled in each of the two directions.
        bins: furthest way up or down.
    """

    def __init__(self, p: float = 0.5, bins: int = 2) -> None:
        super().__init__()
        self.p, self.bins = p, bins

    def forward(self, pictures: Tensor) -> Tensor:
        if not self.training:
            return pictures
        return torch.stack([self._rolled(picture) for picture in pictures])

    def _rolled(self, picture: Tensor) -> Tensor:
        n_bins, n_frames = picture.shape[-2:]
        if torch.rand(()) < self.p:
            picture = picture.roll(int(torch.randint(n_frames, ())), -1)
        if torch.rand(()) < self.p:
            reach = min(self.bins, n_bins - 1)
            up = int(torch.randint(-reach, reach + 1, ()))
            picture = picture.roll(up, -2)
            picture.narrow(-2, 0 if up > 0 else n_bins + up, abs(up)).fill_(float(picture.min()))
        return picture
