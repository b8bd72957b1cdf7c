"""Sound files and a backbone by name -> a sound in the style of another: `audiocnn.stylize_sound`.

Place in the flow: `audio` reads, `style` optimises spectrograms, `audio` writes. A long sound is optimised
in blocks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from audiocnn import audio
from audiocnn.backbones.vgg import VGG
from audiocnn.frontends.griffin_lim import HOPS, Spectra, find_max_magnitude
from audiocnn.ranges import ArgumentError
from audiocnn.style.extract import Extractor
from audiocnn.style.images import Network, check_arguments, extractor_of, find_network
from audiocnn.style.optimise import Step, Style, optimise
from audiocnn.style.options import StyleOptions

# Time and frequency cannot be rescaled as an image can, so there is one scale; nothing is to be smoothed.
SOUND = StyleOptions(content_weight=0.2, tv_weight=0.0, statistic="gram", style_scale=None, coarsest=None)
RANDOM = {"kernels": ((11,),), "widths": (512,), "pool": "average"}  # over 1/8 s of all bins at once
BLOCK_S = 30.0  # optimised at once, with its own statistics
OVERLAP_S = 2.0  # of two blocks, over which they are crossfaded
PHASE_STEPS = 48  # iterations of Griffin-Lim

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
    """Give a sound the style of another, or a mixture of styles.

    The magnitudes of its spectrogram are optimised, each channel on its own; phases are estimated by
    Griffin-Lim.

    Args:
        content: an audio file, or samples (samples,) or (channels, samples) with their sample rate.
        style: one style or more, likewise.
        weights: share of each style; equal shares when empty.
        backbone: whose feature maps are compared: random, an untrained convolution over time; or another of
            `stylize`, whose input is the spectrogram as an image.
        strength: 0 gives the content, 1 the stylized sound, values between them a blend of spectrograms.
        options: of the optimisation.
        device: where the network runs, such as cpu or cuda.
        progress: called with each step of the optimisation.

    Returns:
        Samples (channels, samples), as many as the content has, and their sample rate, the content's.

    Raises:
        FileError: a file cannot be read.
        ModelError: a model cannot be read, or is of another kind.
        ConnectionError: ImageNet weights are not cached and cannot be downloaded.
        ArgumentError: a number is out of its range, there is not one weight for each style, the options would
            rescale spectrograms, or the backbone is for images in colour.

    Source:
        Ulyanov and Lebedev, "Audio texture synthesis and style transfer", 2016 (a blog post), for random
        networks over time with the bins as channels.

    Differs:
        Griffin-Lim starts from the content's phases.

    Example:
        >>> import numpy as np
        >>> from audiocnn import stylize_sound
        >>> tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 16000).astype(np.float32)
        >>> noise = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
        >>> samples, sample_rate = stylize_sound((tone, 16000), (noise, 16000))
        >>> samples.shape, sample_rate
        ((1, 8000), 16000)
    """
    single = isinstance(style, str | os.PathLike | tuple)
    styles = cast(Sequence[Sound], [style] if single else style)
    if not styles:
        raise ArgumentError("no style given, expected at least one")
    check_arguments(len(styles), weights=weights, strength=strength)
    _check_scales(options)
    waveforms, sample_rate = _read(content)
    torch.manual_seed(options.seed)  # also of random weights
    network = _find_network(backbone, Spectra(sample_rate, 1.0).n_bins)
    if network.backbone.dims == 2 and network.backbone.in_channels != 1:
        expected = "a backbone of 1 channel, as a spectrogram has"
        raise ArgumentError(
            f"backbone is {backbone!r}, of {network.backbone.in_channels}, expected {expected}"
        )
    extractor, options = extractor_of(network, options, device)
    shortest = extractor.min_size
    spectrograms = [_style_spectrogram(one, sample_rate, shortest).to(device) for one in styles]
    pairs = zip(spectrograms, weights or [1.0] * len(styles), strict=True)
    painting = _Painting([Style(*pair) for pair in pairs], extractor, options, strength, progress)
    channels = [torch.from_numpy(waveform) for waveform in waveforms]
    painting.n_blocks = sum(len(_blocks_of(channel, sample_rate)) for channel in channels)
    return torch.stack(
        [_stylize_channel(channel, sample_rate, painting) for channel in channels]
    ).numpy(), sample_rate


def _check_scales(options: StyleOptions) -> None:
    for name in ("coarsest", "style_scale"):
        if (value := getattr(options, name)) is not None:
            raise ArgumentError(
                f"{name} is {value}, expected None: spectrograms are not rescaled as images are"
            )


def _read(sound: Sound) -> tuple[np.ndarray, int]:
    if not isinstance(sound, tuple):
        return audio.load_channels(sound)
    samples, rate = sound
    return np.atleast_2d(samples).astype(np.float32), rate


def _style_spectrogram(sound: Sound, sample_rate: int, n_frames: int) -> Tensor:
    """(1, 1, bins, frames), relative to its loudest magnitude; silence follows what has fewer frames."""
    waveform = torch.from_numpy(np.concatenate([*audio.stream(sound, sample_rate, audio.N_READ)]))
    spectra = Spectra(sample_rate, find_max_magnitude(waveform, sample_rate))
    n_missing = max(0, (n_frames - 1) * spectra.hop_length - len(waveform))
    waveform = torch.nn.functional.pad(waveform, (0, n_missing))
    return spectra.spectrogram(spectra.stft(waveform))


def _find_network(name: str, n_bins: int) -> Network:
    if name == "random":
        return Network(VGG(dims=1, in_channels=n_bins, **RANDOM), (0.0,), (1.0,))
    return find_network(name)


@dataclass
class _Painting:
    """The optimisation of all blocks, whose steps are reported as those of one."""

    styles: Sequence[Style]
    extractor: Extractor
    options: StyleOptions
    strength: float
    progress: Callable[[Step], object] | None
    n_blocks: int = 1
    n_painted: int = 0

    def paint(self, spectrogram: Tensor) -> Tensor:
        """Stylize a spectrogram (1, 1, bins, frames)."""
        if not self.strength:
            return spectrogram
        painted = optimise(spectrogram, self.styles, self.extractor, self.options, self._report)
        self.n_painted += 1
        return torch.lerp(spectrogram, painted, self.strength)

    def _report(self, step: Step) -> None:
        if self.progress:
            done = self.n_painted * step.total + step.done
            self.progress(step._replace(done=done, total=self.n_blocks * step.total))


def _stylize_channel(waveform: Tensor, sample_rate: int, painting: _Painting) -> Tensor:
    """Stylize (samples,): first the spectrograms of all blocks, crossfaded, then their phases."""
    spectra = Spectra(sample_rate, find_max_magnitude(waveform, sample_rate))
    blocks = _blocks_of(waveform, sample_rate)
    painted = torch.zeros(spectra.n_bins, 1 + len(waveform) // spectra.hop_length)
    for (begin, end), fade in zip(blocks, _fades(blocks), strict=True):
        spectrogram = spectra.spectrogram(_frames(spectra, waveform, begin, end))
        painted[:, begin:end] += (
            painting.paint(spectrogram.to(painting.extractor.mean.device))[0, 0].cpu() * fade
        )
    return _invert(painted, spectra, waveform, blocks, PHASE_STEPS if painting.strength else 0)


def _invert(
    painted: Tensor, spectra: Spectra, waveform: Tensor, blocks: Sequence[tuple[int, int]], n_steps: int
) -> Tensor:
    """The waveform of a spectrogram (bins, frames), block by block; the initial phases are `waveform`'s."""
    hop, n_frames = spectra.hop_length, painted.shape[1]
    output = torch.zeros_like(waveform)
    n_done = 0  # samples
    for begin, end in blocks:
        first, last = begin * hop, len(waveform) if end == n_frames else (end - 1) * hop
        magnitudes = spectra.magnitudes(painted[None, None, :, begin:end])
        start = _frames(spectra, waveform, begin, end)
        sound = spectra.reconstruct(magnitudes, start, last - first, n_steps)
        n_shared = n_done - first if begin else 0
        sound[:n_shared] = crossfade(output[first:n_done][:n_shared], sound[:n_shared])
        output[first:last], n_done = sound, last
    return output


def crossfade(before: Tensor, after: Tensor) -> Tensor:
    """Join two sounds by a crossfade of constant power.

    A linear crossfade has constant power only for identical sounds; the less they are correlated, the more
    the power drops in the middle. The linear crossfade is divided by the amplitude expected from the
    correlation.

    Args:
        before: (samples,).
        after: of the same length.

    Returns:
        (samples,): the crossfade from the first to the second.
    """
    share = torch.linspace(0, 1, len(after))
    correlation = (before @ after / (before.norm() * after.norm()).clamp(min=1e-9)).clamp(0, 1)
    power = share.square() + (1 - share).square() + 2 * correlation * share * (1 - share)
    return torch.lerp(before, after, share) / power.sqrt()


def _blocks_of(waveform: Tensor, sample_rate: int) -> list[tuple[int, int]]:
    """The frames where each block of a waveform's spectrogram begins and ends."""
    hop = Spectra(sample_rate, 1.0).hop_length
    n_block, n_overlap = (round(duration_s * sample_rate / hop) for duration_s in (BLOCK_S, OVERLAP_S))
    return _blocks(1 + len(waveform) // hop, n_block, n_overlap)


def _blocks(n_frames: int, n_block: int, n_overlap: int) -> list[tuple[int, int]]:
    """Where blocks begin and end: all of one length but for the last, which is longer."""
    step = n_block - n_overlap
    n_blocks = max((n_frames - n_overlap) // step, 1)
    return [(i * step, i * step + n_block if i < n_blocks - 1 else n_frames) for i in range(n_blocks)]


def _fades(blocks: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    """The crossfade weights of each block at its frames: 1 except where two blocks overlap."""
    for i, (begin, end) in enumerate(blocks):
        fade = torch.ones(end - begin)
        if i:
            n_shared = blocks[i - 1][1] - begin
            fade[:n_shared] = torch.linspace(0, 1, n_shared)
        if i < len(blocks) - 1:
            n_shared = end - blocks[i + 1][0]
            fade[-n_shared:] = torch.linspace(1, 0, n_shared)
        yield fade


def _frames(spectra: Spectra, waveform: Tensor, begin: int, end: int) -> Tensor:
    """Some frames of a waveform's spectrogram, complex (bins, frames)."""
    hop = spectra.hop_length
    first = max(begin - HOPS, 0)
    excerpt = waveform[first * hop : (end + HOPS) * hop]
    return spectra.stft(excerpt)[:, begin - first : end - first]
