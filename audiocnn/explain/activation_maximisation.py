"""Activation maximisation: gradient ascent from noise to a spectrogram that most activates a unit.

Conventions: as network.py. Without regularisation such a spectrogram looks like noise, however high its
score; `MaximisationOptions` holds what makes it readable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.explain.network import Target
from audiocnn.ranges import COUNT, NOT_NEGATIVE, POSITIVE, check_fields

BLUR_REACH = 3  # standard deviations to each side of a Gaussian kernel's centre


@dataclass(frozen=True, kw_only=True)
class MaximisationOptions:
    """Options of the gradient ascent and its regularisation.

    Args:
        steps: steps of Adam.
        learning_rate: learning rate of Adam.
        jitter: largest random shift of the spectrogram in each step, in bins and frames.
        blur: standard deviation, in bins and frames, of a Gaussian blur of the network's input.
        decay: penalty of a spectrogram that is loud everywhere, as a share of the score.
        frequency_penalty: exponent p of the scale 1 / f ** p of the optimised spectrum at spatial frequency
            f, by which fine details grow more slowly; 0 for none.
        seed: seed of the noise and the jitter.

    Raises:
        ValueError: a number is out of its range.

    Source:
        Olah, Mordvintsev, Schubert, "Feature visualization", Distill, 2017: jitter, blur, and ascent on a
        spectrum; Yosinski et al., "Understanding neural networks through deep visualization", 2015: decay.
    """

    steps: int = 192
    learning_rate: float = 0.05
    jitter: int = 4
    blur: float = 1.5
    decay: float = 2.0
    frequency_penalty: float = 1.5
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self, steps=COUNT, learning_rate=POSITIVE, jitter=NOT_NEGATIVE, blur=NOT_NEGATIVE)


def maximise_activation(
    network: nn.Module,
    target: Target,
    shape: Sequence[int],
    highest: float,
    lowest: float = 0.0,
    options: MaximisationOptions = MaximisationOptions(),
) -> Tensor:
    """Find a spectrogram that most activates a target.

    Args:
        network: network from spectrograms to scores, or to a feature map, see `truncate`.
        target: a class; or a channel, averaged over its positions or at one of them.
        shape: shape of the spectrogram without the batch: (channels, bins, frames), or (bins, frames) for
            dims=1.
        highest: the value of a spectrogram's loudest bins.
        lowest: the value of silence; for a waveform, -highest.
        options: options of the gradient ascent and its regularisation.

    Returns:
        The spectrogram, (1, *shape).
    """
    generator = torch.Generator().manual_seed(options.seed)
    axes = tuple(range(-2 if shape[-2] > 1 else -1, 0))  # a waveform has no bins
    size = tuple(shape[axis] for axis in axes)
    scale = scale_frequencies(size, options.frequency_penalty)
    noise = torch.randn((2, 1, *shape[: len(shape) - len(axes)], *scale.shape), generator=generator)
    spectrum = (0.3 * noise).requires_grad_()
    ascent = torch.optim.Adam([spectrum], options.learning_rate)
    device = next(network.parameters()).device
    silence = 0.5 if lowest < 0 else 0.0

    def synthesise() -> Tensor:
        values = torch.fft.irfftn(torch.complex(*spectrum) * scale, size, axes, norm="ortho")
        return torch.sigmoid(values)

    for _ in range(options.steps):
        levels = synthesise()
        shifts = [
            int(torch.randint(-options.jitter, options.jitter + 1, (), generator=generator)) for _ in axes
        ]
        shown = blur(torch.roll(levels, shifts, axes), options.blur, axes)
        score = select_score(network((lowest + (highest - lowest) * shown).to(device)), target).cpu()
        loudness = (levels - silence).abs().mean()
        ascent.zero_grad()
        (options.decay * score.detach().abs() * loudness - score).backward(inputs=[spectrum])
        ascent.step()
    return (lowest + (highest - lowest) * synthesise()).detach()


def select_score(scores: Tensor, target: Target) -> Tensor:
    """Select the score of a target, averaged over the batch and the axes that the target leaves out.

    Args:
        scores: (batch, outputs) or (batch, channels, ..., frames).
        target: an output, a channel, or a channel and a position.
    """
    index = (target,) if isinstance(target, int) else target
    return scores[(slice(None), *index)].mean()


def blur(values: Tensor, deviation: float, axes: Sequence[int]) -> Tensor:
    """Blur along some axes with a Gaussian kernel and replicate padding.

    Args:
        values: of any shape.
        deviation: standard deviation of the kernel, in positions.
        axes: axes to blur along.
    """
    reach = round(BLUR_REACH * deviation)
    if not reach:
        return values
    offsets = torch.arange(-reach, reach + 1)
    kernel = torch.exp(-0.5 * (offsets / deviation).square())
    kernel = (kernel / kernel.sum()).view(1, 1, -1)
    for axis in axes:
        moved = values.movedim(axis, -1)
        rows = functional.pad(moved.reshape(-1, 1, moved.shape[-1]), (reach, reach), mode="replicate")
        values = functional.conv1d(rows, kernel).view_as(moved).movedim(-1, axis)
    return values


def scale_frequencies(size: Sequence[int], penalty: float) -> Tensor:
    """Compute the scale of each spatial frequency: its inverse to this power, with a mean square of 1.

    Args:
        size: of the values, along each axis.
        penalty: the power; 0 for a scale of 1 everywhere.

    Returns:
        The scale of each value of `torch.fft.rfftn`'s spectrum.
    """
    waves = [torch.fft.fftfreq(n) for n in size[:-1]] + [torch.fft.rfftfreq(size[-1])]
    squares = torch.stack(torch.meshgrid(*[wave.square() for wave in waves], indexing="ij")).sum(0)
    scale = squares.sqrt().clamp(min=1 / max(size)) ** -penalty  # the mean counts as the longest wave
    return scale / scale.square().mean().sqrt()
