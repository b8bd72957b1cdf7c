"""The sections of a page that explains a recording: figures and sounds with their captions."""

from __future__ import annotations

import re
import textwrap
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import Tensor, nn

from audiocnn import audio
from audiocnn.explain import kernels, plots, saliency, sonify
from audiocnn.explain.activation_maximisation import maximise_activation
from audiocnn.explain.excerpts import NOTE_FRAMES, Excerpt, compute_spectrogram
from audiocnn.explain.network import Target, truncate
from audiocnn.explain.patches import find_top_patches_by_channel
from audiocnn.explain.receptive_fields import ReceptiveFields, locate_crop, measure_receptive_fields
from audiocnn.frontends.waveform import Waveform
from audiocnn.models.base import Model
from audiocnn.models.clips import ClipModel
from audiocnn.models.notes import NotesModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_REASON = 200  # characters that are told of an error
MAX_NAME = 60  # characters of a label in the names of files
N_CHANNELS = 3  # channels that contribute most to the first label
NOTE_WINDOW = 9, 6  # bins and frames that occlusion silences in a note's spectrogram


class Element(NamedTuple):
    """A figure, a sound or a text on a page, or why there is none.

    Attributes:
        name: name of its file.
        content: a figure, the samples of a sound, or the error that was raised instead; None for a text.
        caption: text beside it.
    """

    name: str
    content: Figure | Tensor | Exception | None
    caption: str


def describe_failure(what: str, error: Exception) -> Element:
    """Describe what cannot be computed of a model, in the place where it would stand.

    Args:
        what: its name.
        error: that was raised.
    """
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    return Element("", error, f"{what} cannot be computed: {textwrap.shorten(reason, MAX_REASON)}")


def generate_sections(
    network: nn.Module,
    model: Model,
    waveform: Tensor,
    excerpts: Sequence[Excerpt],
    layer: str,
    among: Sequence[Path],
) -> Iterator[tuple[str, Iterator[Element]]]:
    """Generate the sections of a page.

    Args:
        network: the model without its front end.
        model: model to explain.
        waveform: of the recording, (samples,).
        excerpts: excerpts to explain, at least one.
        layer: layer at which class activation maps and Grad-CAM are computed.
        among: recordings searched for the patches that most activate a channel.

    Returns:
        Titles and elements, computed lazily.
    """
    silence = float(compute_spectrogram(model, torch.zeros(model.front_end.reach * 2 + 1)).min())
    for excerpt in excerpts:
        elements = _explain_excerpt(network, model, excerpt, layer, silence)
        yield f"Saliency maps: {excerpt.title}", elements
    if isinstance(model, ClipModel):
        yield "Activation maximisation", _maximise_labels(network, model, excerpts, silence)
        title = f"Channels that contribute most to {excerpts[0].name}"
        yield title, _explain_channels(network, model, excerpts[0], among, silence)
    yield "Kernels and receptive fields", _show_network(network, model, waveform, excerpts[0])


def _explain_excerpt(
    network: nn.Module, model: Model, excerpt: Excerpt, layer: str, silence: float
) -> Iterator[Element]:
    maps: dict[str, Tensor] = {}
    for method, saliency_map in _list_methods(network, model, excerpt, layer, silence).items():
        try:
            maps[method] = saliency_map()[0].cpu()
        except Exception as error:  # not every method is for every model and layer
            yield describe_failure(method, error)
    figure = plots.plot_saliency_maps(_plain(excerpt.spectrogram), maps, model.front_end, excerpt.start_s)
    name = name_file(excerpt.name)
    yield Element(f"{name}.png", figure, f"Red: evidence for {excerpt.name}; blue: evidence against it.")
    yield Element(f"{name}.wav", excerpt.waveform, "recording")
    for method, saliency_map in maps.items():
        gains = saliency.normalise(saliency_map[None])[0]
        sound = sonify.filter_waveform(excerpt.waveform, gains, model.front_end)
        yield Element(f"{name}.{_slug(method)}.wav", sonify.normalise_level(sound), f"filtered by {method}")


def _list_methods(
    network: nn.Module, model: Model, excerpt: Excerpt, layer: str, silence: float
) -> dict[str, Callable[[], Tensor]]:
    """The methods that explain an excerpt by saliency maps."""
    spectrogram, target = excerpt.spectrogram, excerpt.target
    window = NOTE_WINDOW if isinstance(model, NotesModel) else None
    return {
        "class activation": partial(saliency.class_activation, network, spectrogram, target, layer),
        "Grad-CAM": partial(saliency.grad_cam, network, spectrogram, target, layer),
        "occlusion": partial(saliency.occlusion, network, spectrogram, target, window, silence),
        "guided backpropagation": partial(saliency.guided_backprop, network, spectrogram, target),
        "deconvolution": partial(saliency.deconvolution, network, spectrogram, target),
    }


def _maximise_labels(
    network: nn.Module, model: Model, excerpts: Sequence[Excerpt], silence: float
) -> Iterator[Element]:
    spectrograms = {
        excerpt.name: _maximise(network, excerpt.target, excerpt.spectrogram, model, silence)
        for excerpt in excerpts
    }
    figure = plots.plot_patches(list(spectrograms.values()), model.front_end, list(spectrograms))
    caption = (
        "Spectrograms that maximise each score, found by gradient ascent from noise (time to the right)."
    )
    yield Element("maximal.png", figure, caption)
    for name, spectrogram in spectrograms.items():
        sound = sonify.invert_spectrogram(spectrogram, model.front_end)
        yield Element(f"maximal.{name_file(name)}.wav", sound, name)


def _maximise(network: nn.Module, target: Target, like: Tensor, model: Model, silence: float) -> Tensor:
    """Maximise a target by a spectrogram of the size and level of another one, (bins, frames)."""
    highest = float(like.max())
    lowest = -highest if isinstance(model.front_end, Waveform) else silence
    return _plain(maximise_activation(network, target, like.shape[1:], highest, lowest))


def _explain_channels(
    network: nn.Module, model: ClipModel, excerpt: Excerpt, among: Sequence[Path], silence: float
) -> Iterator[Element]:
    """Explain the channels that contribute most by their top patches and by activation maximisation.

    The channels are those of the last stage whose receptive field is shorter than a window.
    """
    n_frames = excerpt.spectrogram.shape[-1]
    fields = _measure_stages(network, model, excerpt.spectrogram)
    (stage,) = [name for name in fields if fields[name][-1].size < n_frames][-1:] or list(fields)[:1]
    layer = truncate(network, stage)
    contributions = saliency.channel_contributions(network, excerpt.spectrogram, excerpt.target, stage)[0]
    channels = contributions.topk(min(N_CHANNELS, len(contributions))).indices.tolist()
    spectrograms = (compute_spectrogram(model, one) for one in _iterate_windows(model, among))
    top = find_top_patches_by_channel(layer, spectrograms, channels)
    wanted = {patch.spectrogram for patches in top.values() for patch in patches}
    windows = {i: one for i, one in enumerate(_iterate_windows(model, among)) if i in wanted}
    for channel, patches in top.items():
        crops = [
            compute_spectrogram(model, windows[patch.spectrogram])[(..., *patch.crop)] for patch in patches
        ]
        maximal = _maximise(layer, channel, crops[0], model, silence)
        names = [f"{patch.activation:.2f}" for patch in patches]
        places = [*(patch.crop for patch in patches), patches[0].crop]
        titles = [*names, "maximal"]
        figure = plots.plot_patches([*map(_plain, crops), maximal], model.front_end, titles, places)
        caption = (
            f"Channel {channel} of {stage}: patches with their activations, and activation maximisation."
        )
        yield Element(f"channel_{channel}.png", figure, caption)
        for i, patch in enumerate(patches):
            sound = sonify.crop_waveform(windows[patch.spectrogram], patch.crop, model.front_end)
            yield Element(f"channel_{channel}.{i}.wav", sonify.normalise_level(sound), names[i])


def _iterate_windows(model: ClipModel, recordings: Sequence[Path]) -> Iterator[Tensor]:
    """Iterate over all windows of recordings, each (samples,)."""
    for recording in recordings:
        yield from model.split_windows(torch.from_numpy(audio.load(recording, model.sample_rate)))


def _show_network(network: nn.Module, model: Model, waveform: Tensor, excerpt: Excerpt) -> Iterator[Element]:
    weights = kernels.get_first_kernels(network).cpu()
    if isinstance(model.front_end, Waveform):
        gains, hz = kernels.compute_frequency_response(weights, model.sample_rate)
        order = kernels.sort_by_peak_frequency(gains)
        weights = weights[order]
        figure = plots.plot_frequency_responses(gains[order].sum(1), hz)
        yield Element("responses.png", figure, "Frequency responses of the first layer's filters.")
    figure = plots.plot_kernels(kernels.kernels_to_spectrograms(weights))
    yield Element("kernels.png", figure, "Kernels of the first layer. Red: positive; blue: negative.")
    if isinstance(model, NotesModel):
        figure = _plot_field_of_note(model, waveform, excerpt)
        yield Element("fields.png", figure, "Receptive field of the note's score.")
        return
    spectrogram, crops = excerpt.spectrogram, {}
    for name, fields in _measure_stages(network, model, spectrogram).items():
        axes = zip(spectrogram.shape[2:], fields, strict=True)
        crops[name] = locate_crop(
            fields, [int(size / 2 // field.stride) for size, field in axes], spectrogram
        )
    figure = plots.plot_crops(_plain(spectrogram), crops, model.front_end, excerpt.start_s)
    yield Element("fields.png", figure, "Receptive fields in the middle of each stage's feature map.")


def _measure_stages(network: nn.Module, model: Model, spectrogram: Tensor) -> dict[str, ReceptiveFields]:
    """Measure the receptive fields of each stage's feature map."""
    names = [f"backbone.stages.{i}" for i in range(len(model.backbone.stages))]
    return {name: measure_receptive_fields(truncate(network, name), spectrogram) for name in names}


def _plot_field_of_note(model: NotesModel, waveform: Tensor, excerpt: Excerpt) -> Figure:
    """Plot the receptive field of a note's score: the backbone's attribute, as measuring it is slow."""
    spectrogram = _plain(compute_spectrogram(model, waveform))
    n_frames, frame_s = spectrogram.shape[1], model.front_end.frame_s
    _, _, index = cast(tuple[int, int, int], excerpt.target)
    frame = round(excerpt.start_s / frame_s) + index * model.backbone.time_stride
    reach = int(min(model.backbone.receptive_field // 2, n_frames))
    field = slice(max(frame - reach, 0), min(frame + reach + 1, n_frames))
    first = max(field.start - NOTE_FRAMES, 0)
    crop = {excerpt.name: (slice(field.start - first, field.stop - first),)}
    shown = spectrogram[:, first : field.stop + NOTE_FRAMES]
    return plots.plot_crops(shown, crop, model.front_end, first * frame_s)


def _plain(spectrogram: Tensor) -> Tensor:
    """Drop batch and channel: (bins, frames)."""
    return spectrogram.detach().cpu().reshape(spectrogram.shape[-2:])


def _slug(name: str) -> str:
    return re.sub(r"\W+", "_", name.lower(), flags=re.ASCII)


def name_file(label: str) -> str:
    """Turn any label into a file name, another for each: by a checksum where letters are lost.

    Args:
        label: any text.
    """
    name = _slug(label)[:MAX_NAME]
    if name.replace("_", " ") == label:
        return name
    return f"{name}_{zlib.crc32(label.encode(errors='surrogatepass')):08x}"
