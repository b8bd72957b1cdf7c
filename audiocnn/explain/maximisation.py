"""The spectrogram that most excites a channel or class, found from noise by ascent.

Conventions: as network.py. Without regularisers such a spectrogram is noise to us, however sure the network is;
what makes it readable is what `Readable` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.explain.network import Target


@dataclass(frozen=True)
class Readable:
    """How a maximising spectrogram is found and kept readable.

    Source: Olah, Mordvintsev, Schubert, "Feature visualization", Distill, 2017: jitter, blur, and ascent on a
    spectrum; Yosinski et al., "Understanding neural networks through deep visualization", 2015: decay.

    Args:
        steps: of ascent.
        rate: how far a step goes.
        jitter: cells by which the spectrogram is moved at most, along each axis, anew in each step.
        blur: standard deviation in cells of a blur through which the network sees the spectrogram.
        decay: what a spectrogram that is loud everywhere would cost, as a share of the score.
        frequency_penalty: 0 lets all details of the spectrogram grow equally fast, 1 those of half the size half
            as fast, and so on.
        seed: of the noise and the jitter.
    """

    steps: int = 192
    rate: float = 0.05
    jitter: int = 4
    blur: float = 1.5
    decay: float = 2.0
    frequency_penalty: float = 1.5
    seed: int = 0


def maximise(
    network: nn.Module,
    target: Target,
    shape: Sequence[int],
    highest: float,
    lowest: float = 0.0,
    how: Readable = Readable(),
) -> Tensor:
    """The spectrogram that most excites a target: a class, or with `upto` a channel, everywhere or in one cell.

    Shape: (1, *shape).

    Args:
        shape: of the spectrogram without the batch: (channels, bins, frames), or (bins, frames) for dims=1.
        highest: the value of a spectrogram's loudest cells.
        lowest: that of silence; of a waveform, -highest.
    """
    generator = torch.Generator().manual_seed(how.seed)
    axes = tuple(range(-2 if shape[-2] > 1 else -1, 0))  # a waveform has no bins
    size = tuple(shape[axis] for axis in axes)
    scale = _scale(size, how.frequency_penalty)
    noise = torch.randn((2, 1, *shape[: len(shape) - len(axes)], *scale.shape), generator=generator)
    spectrum = (0.3 * noise).requires_grad_()
    ascent = torch.optim.Adam([spectrum], how.rate)
    device = next(network.parameters()).device
    silence = 0.5 if lowest < 0 else 0.0

    def painted() -> Tensor:
        cells = torch.fft.irfftn(torch.complex(*spectrum) * scale, size, axes, norm="ortho")
        return torch.sigmoid(cells)

    for _ in range(how.steps):
        cells = painted()
        moves = [int(torch.randint(-how.jitter, how.jitter + 1, (), generator=generator)) for _ in axes]
        seen = blurred(torch.roll(cells, moves, axes), how.blur, axes)
        score = excitement(network((lowest + (highest - lowest) * seen).to(device)), target).cpu()
        loudness = (cells - silence).abs().mean()
        ascent.zero_grad()
        (how.decay * score.detach().abs() * loudness - score).backward(inputs=[spectrum])
        ascent.step()
    return (lowest + (highest - lowest) * painted()).detach()


def excitement(scores: Tensor, target: Target) -> Tensor:
    """The score of a target: a channel's mean where the target leaves out the cell."""
    cell = (target,) if isinstance(target, int) else target
    return scores[(slice(None), *cell)].mean()


def blurred(cells: Tensor, deviation: float, axes: Sequence[int]) -> Tensor:
    """Cells after a Gaussian blur along some axes, which goes on at the edges with their values."""
    reach = round(3 * deviation)
    if not reach:
        return cells
    offsets = torch.arange(-reach, reach + 1)
    weights = torch.exp(-0.5 * (offsets / deviation).square())
    weights = (weights / weights.sum()).view(1, 1, -1)
    for axis in axes:
        moved = cells.movedim(axis, -1)
        rows = functional.pad(moved.reshape(-1, 1, moved.shape[-1]), (reach, reach), mode="replicate")
        cells = functional.conv1d(rows, weights).view_as(moved).movedim(-1, axis)
    return cells


def _scale(size: Sequence[int], penalty: float) -> Tensor:
    """What each wave of a spectrogram is multiplied by: its length to this power; 1 in the mean of squares."""
    waves = [torch.fft.fftfreq(n) for n in size[:-1]] + [torch.fft.rfftfreq(size[-1])]
    squares = torch.stack(torch.meshgrid(*[wave.square() for wave in waves], indexing="ij")).sum(0)
    scale = squares.sqrt().clamp(min=1 / max(size)) ** -penalty  # the mean is as long as the longest
    return scale / scale.square().mean().sqrt()
