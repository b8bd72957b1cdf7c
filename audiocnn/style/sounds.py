"""Sound files and a backbone's name -> a sound in another's style: what `audiocnn stylize` calls for sound.

Place in the flow: `audio` reads, `style` paints spectrograms, `audio` writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from audiocnn import audio
from audiocnn.backbones.vgg import VGG
from audiocnn.frontends.griffin_lim import HOPS, Spectra, loudest
from audiocnn.style.extract import Extractor
from audiocnn.style.images import Network, check, extractor_of, find_network
from audiocnn.style.optimise import Step, Style, optimise
from audiocnn.style.options import StyleOptions

# Sounds have one scale, which neither content nor style may lose; nothing is to be smoothed.
SOUND = StyleOptions(content_weight=0.2, tv_weight=0.0, statistic="gram", style_scale=None, coarsest=None)
RANDOM = {"kernels": ((11,),), "widths": (512,), "pool": "average"}  # over 1/8 s of all bins at once
BLOCK_S = 30.0  # that are painted at once, each with statistics of its own
OVERLAP_S = 2.0  # of two blocks, in which one fades into the other
PHASE_STEPS = 48

Sound = str | os.PathLike | tuple[np.ndarray, int]  # a file, or samples with their rate


def stylize_sound(
    content: Sound,
    style: Sound | Sequence[Sound],
    *,
    weights: Sequence[float] = (),
    backbone: str = "random",
    strength: float = 1.0,
    options: StyleOptions = SOUND,
    device: str = "cpu",
    progress: Callable[[Step], object] | None = None,
) -> tuple[np.ndarray, int]:
    """The content in the style of another sound, or of several: (channels, samples), and its sample rate.

    As long as the content, at its rate, each channel by itself. The spectrogram is what is painted; its
    phases are found by Griffin-Lim, starting from the content's.
    Source: Ulyanov and Lebedev, "Audio texture synthesis and style transfer", 2016 (a blog post), for random
    networks over time with the bins as channels. Differs: Griffin-Lim starts from the content's phases.

    Args:
        content: a file, or samples (samples,) or (channels, samples) with their rate.
        weights: how much of each style; the same of all where not given.
        backbone: random, a convolution over time that has learned nothing; or another of `stylize`'s, which
            sees the spectrogram as a spectrogram.
        strength: 0 gives the content back, 1 the styled sound, between them a mixture of spectrograms.
        options: all others.
        progress: told each step.
    Raises: FileError when a file cannot be read; ModelError when a model cannot; ValueError when a number is
        out of its range, or weights are not one for each style.
    """
    alone = isinstance(style, str | os.PathLike | tuple)
    styles = cast(Sequence[Sound], [style] if alone else style)
    if not styles:
        raise ValueError("no style given, expected at least one")
    check(len(styles), weights=weights, strength=strength)
    waveforms, rate = _read(content)
    torch.manual_seed(options.seed)  # also of random weights
    extractor, options = extractor_of(_find_network(backbone, Spectra(rate, 1.0).n_bins), options, device)
    aims = []
    for i, one in enumerate(styles):
        waveform = torch.from_numpy(np.concatenate([*audio.stream(one, rate, audio.N_READ)]))
        spectra = Spectra(rate, loudest(waveform, rate))
        spectrogram = spectra.spectrogram(spectra.stft(waveform)).to(device)
        aims.append(Style(spectrogram, weights[i] if weights else 1.0))
    told = _Told(progress, len(waveforms))
    made = [
        _restyled(torch.from_numpy(waveform), rate, aims, extractor, options, strength, told)
        for waveform in waveforms
    ]
    return torch.stack(made).numpy(), rate


def _read(sound: Sound) -> tuple[np.ndarray, int]:
    if not isinstance(sound, tuple):
        return audio.load_channels(sound)
    samples, rate = sound
    return np.atleast_2d(samples).astype(np.float32), rate


def _find_network(name: str, n_bins: int) -> Network:
    if name == "random":
        return Network(VGG(dims=1, in_channels=n_bins, **RANDOM), (0.0,), (1.0,))
    return find_network(name)


class _Told:
    """The steps of several paintings as those of one."""

    def __init__(self, progress: Callable[[Step], object] | None, n_channels: int) -> None:
        self.progress, self.n_channels = progress, n_channels
        self.n_paintings, self.painted = n_channels, 0

    def __call__(self, step: Step) -> None:
        if self.progress:
            done = self.painted * step.total + step.done
            self.progress(step._replace(done=done, total=self.n_paintings * step.total))
        self.painted += step.done == step.total


def _restyled(
    waveform: Tensor,
    rate: int,
    styles: Sequence[Style],
    extractor: Extractor,
    options: StyleOptions,
    strength: float,
    told: _Told,
) -> Tensor:
    """One channel, block by block: first all spectrograms, which fade into each other, then their phases."""
    spectra = Spectra(rate, loudest(waveform, rate))
    hop = spectra.hop_length
    n_frames = 1 + len(waveform) // hop
    blocks = _blocks(n_frames, round(BLOCK_S * rate / hop), round(OVERLAP_S * rate / hop))
    told.n_paintings = told.n_channels * len(blocks)
    painted = torch.zeros(spectra.n_bins, n_frames)
    for (begin, end), fade in zip(blocks, _fades(blocks), strict=True):
        spectrogram = spectra.spectrogram(_frames(spectra, waveform, begin, end)).to(extractor.mean.device)
        made = spectrogram
        if strength:
            made = torch.lerp(spectrogram, optimise(spectrogram, styles, extractor, options, told), strength)
        painted[:, begin:end] += made[0, 0].cpu() * fade
    out = torch.zeros_like(waveform)
    heard = 0  # samples that are there already
    for begin, end in blocks:
        first, last = begin * hop, len(waveform) if end == n_frames else (end - 1) * hop
        magnitudes = spectra.magnitudes(painted[None, None, :, begin:end])
        start = _frames(spectra, waveform, begin, end)
        sound = spectra.waveform(magnitudes, start, last - first, PHASE_STEPS if strength else 0)
        shared = heard - first if begin else 0
        sound[:shared] = crossfaded(out[first:heard][:shared], sound[:shared])
        out[first:last], heard = sound, last
    return out


def crossfaded(before: Tensor, after: Tensor) -> Tensor:
    """One sound that becomes another of the same length, (samples,), as loud as they are all the way.

    Of two that are alike a sum of shares in proportion is; the less they are alike the softer it would be.
    """
    share = torch.linspace(0, 1, len(after))
    alike = (before @ after / (before.norm() * after.norm()).clamp(min=1e-9)).clamp(0, 1)
    power = share.square() + (1 - share).square() + 2 * alike * share * (1 - share)
    return torch.lerp(before, after, share) / power.sqrt()


def _blocks(n_frames: int, n_block: int, overlap: int) -> list[tuple[int, int]]:
    """Where blocks begin and end: all of one length but for the last, which is longer."""
    step = n_block - overlap
    n_blocks = max((n_frames - overlap) // step, 1)
    return [(i * step, i * step + n_block if i < n_blocks - 1 else n_frames) for i in range(n_blocks)]


def _fades(blocks: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    """The share of each block in the whole at each of its frames: 1, but where two blocks overlap."""
    for i, (begin, end) in enumerate(blocks):
        fade = torch.ones(end - begin)
        if i:
            shared = blocks[i - 1][1] - begin
            fade[:shared] = torch.linspace(0, 1, shared)
        if i < len(blocks) - 1:
            shared = end - blocks[i + 1][0]
            fade[-shared:] = torch.linspace(1, 0, shared)
        yield fade


def _frames(spectra: Spectra, waveform: Tensor, begin: int, end: int) -> Tensor:
    """Some frames of a waveform's spectrogram, complex (bins, frames)."""
    hop = spectra.hop_length
    first = max(begin - HOPS, 0)
    piece = waveform[first * hop : (end + HOPS) * hop]
    return spectra.stft(piece)[:, begin - first : end - first]
