"""The sections of a page that explains how an image is classified: figures with their captions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from audiocnn.explain import kernels, photo_plots, saliency
from audiocnn.explain.excerpts import ExplanationOptions
from audiocnn.explain.image_maximisation import maximise_image
from audiocnn.explain.network import randomise_weights, strip_front_end, truncate
from audiocnn.explain.patches import find_top_patches_by_channel
from audiocnn.explain.receptive_fields import ReceptiveFields, locate_crop, measure_receptive_fields
from audiocnn.explain.sanity import Method, judge
from audiocnn.explain.sections import N_CHANNELS, Element, describe_failure, name_file
from audiocnn.inference.images import classify_image, read_input
from audiocnn.labels import format_predictions
from audiocnn.models.image import ImageModel

MAXIMAL_SIZE = 160  # pixels of a side of the images that maximise a score
OCCLUDED_SHARE = 6  # of a side: the window of occlusion is one of so many


class Explained(NamedTuple):
    """A class that is explained for an image.

    Attributes:
        target: its output.
        name: its label.
        title: the label and its probability.
    """

    target: int
    name: str
    title: str


def select_classes(
    source: Path, model: ImageModel, options: ExplanationOptions
) -> tuple[str, Tensor, list[Explained]]:
    """Select the classes that are explained: those of `options.labels`, or the most probable.

    Args:
        source: image file.
        model: model of images.
        options: labels, or how many.

    Returns:
        What is predicted, as text; the pixels that the model sees, (1, channels, size, size); the classes.

    Raises:
        FileError: the image cannot be read.
    """
    result = classify_image(source, [model])
    names = dict.fromkeys(options.labels) or [one.label for one in result.ranked_labels[: options.top]]
    explained = []
    for name in names:
        target = model.outputs.index(name)
        explained.append(Explained(target, name, f"{name}, {100 * result.probabilities[target]:.0f} %"))
    return format_predictions(result.predictions), read_input(source, model), explained


def generate_photo_sections(
    model: ImageModel, pixels: Tensor, explained: Sequence[Explained], layer: str, among: Sequence[Path]
) -> Iterator[tuple[str, Iterator[Element]]]:
    """Generate the sections of a page.

    Args:
        model: model of images.
        pixels: of the image, as the model sees it.
        explained: classes to explain, at least one.
        layer: layer at which class activation maps and Grad-CAM are computed.
        among: images searched for the patches that most activate a channel.

    Returns:
        Titles and elements, computed lazily.
    """
    network = strip_front_end(model)
    shuffled = randomise_weights(network)
    for one in explained:
        yield f"Saliency maps: {one.title}", _explain_class(network, shuffled, model, pixels, one, layer)
    yield "Activation maximisation", _maximise_classes(network, model, explained)
    title = f"Channels that contribute most to {explained[0].name}"
    yield title, _explain_channels(network, model, pixels, explained[0], among)
    yield "Kernels and receptive fields", _show_network(network, model, pixels)


def list_methods(inputs: Tensor, target: int, layer: str) -> dict[str, Method]:
    """List the saliency methods for images, each a function of the network.

    Args:
        inputs: normalised image, (1, channels, rows, columns).
        target: output to explain.
        layer: layer at which class activation maps and Grad-CAM are computed.
    """
    rows, columns = inputs.shape[-2:]
    window = max(rows // OCCLUDED_SHARE, 1), max(columns // OCCLUDED_SHARE, 1)
    return {
        "class activation": lambda network: saliency.class_activation(network, inputs, target, layer),
        "Grad-CAM": lambda network: saliency.grad_cam(network, inputs, target, layer),
        "occlusion": lambda network: saliency.occlusion(network, inputs, target, window),
        "guided backpropagation": lambda network: saliency.guided_backprop(network, inputs, target),
        "deconvolution": lambda network: saliency.deconvolution(network, inputs, target),
    }


def _explain_class(
    network: nn.Module, shuffled: nn.Module, model: ImageModel, pixels: Tensor, one: Explained, layer: str
) -> Iterator[Element]:
    inputs = model.normalise(pixels)
    grey = float(model.normalise(torch.full_like(pixels, 0.5)).mean())
    maps, verdicts = {}, {}
    for name, method in list_methods(inputs, one.target, layer).items():
        try:
            found, verdicts[name] = judge(method, network, shuffled, inputs, one.target, grey)
            maps[name] = found[0].cpu()
        except Exception as error:  # not every method is for every model and layer
            yield describe_failure(name, error)
    failed = [name for name, verdict in verdicts.items() if verdict.failures]
    figure = photo_plots.plot_photo_maps(photo_plots.to_rgb(pixels[0]), maps, failed)
    yield Element(f"{name_file(one.name)}.png", figure, f"Red: evidence for {one.name}; blue: against it.")
    for name, verdict in verdicts.items():
        yield Element("", None, f"{name} {verdict}.")


def _maximise_classes(
    network: nn.Module, model: ImageModel, explained: Sequence[Explained]
) -> Iterator[Element]:
    found = [_maximise(network, one.target, model) for one in explained]
    names = []
    for one, image in zip(explained, found, strict=True):
        with torch.no_grad():
            scores = network(model.normalise(image[None].to(model.device)))[0].softmax(0)
        names.append(f"{one.name}, {100 * float(scores[one.target]):.0f} %")
    figure = photo_plots.plot_photos(found, names, columns=3)
    caption = "Images that maximise each score, found by gradient ascent from noise; the probability there."
    yield Element("maximal.png", figure, caption)


def _maximise(network: nn.Module, target: int, model: ImageModel) -> Tensor:
    size = min(model.size or MAXIMAL_SIZE, MAXIMAL_SIZE)
    image = maximise_image(network, target, size, model.normalise, model.backbone.in_channels)
    return photo_plots.to_rgb(image[0])


def _explain_channels(
    network: nn.Module, model: ImageModel, pixels: Tensor, one: Explained, among: Sequence[Path]
) -> Iterator[Element]:
    """Explain the channels that contribute most, of the last stage that sees less than the whole image."""
    inputs = model.normalise(pixels)
    fields = _measure_stages(network, model, inputs)
    inside = [name for name in fields if max(field.size for field in fields[name]) < inputs.shape[-1]]
    stage = inside[-1] if inside else next(iter(fields))
    layer = truncate(network, stage)
    contributions = saliency.channel_contributions(network, inputs, one.target, stage)[0]
    channels = contributions.topk(min(N_CHANNELS, len(contributions))).indices.tolist()
    images = (model.normalise(read_input(path, model)) for path in among)
    for channel, patches in find_top_patches_by_channel(layer, images, channels).items():
        crops = [
            photo_plots.to_rgb(read_input(among[patch.spectrogram], model)[0])[(..., *patch.crop)]
            for patch in patches
        ]
        maximal = _maximise(layer, channel, model)
        names = [f"{patch.activation:.2f}" for patch in patches]
        figure = photo_plots.plot_photos([*crops, maximal], [*names, "maximal"])
        caption = (
            f"Channel {channel} of {stage}: patches with their activations, and activation maximisation."
        )
        yield Element(f"channel_{channel}.png", figure, caption)


def _show_network(network: nn.Module, model: ImageModel, pixels: Tensor) -> Iterator[Element]:
    weights = kernels.get_first_kernels(network).cpu()
    figure = photo_plots.plot_photos(photo_plots.scale_kernels(weights), columns=16)
    yield Element("kernels.png", figure, "Kernels of the first layer, as colours; grey: 0.")
    inputs, crops = model.normalise(pixels), {}
    for name, fields in _measure_stages(network, model, inputs).items():
        axes = zip(inputs.shape[2:], fields, strict=True)
        crops[name] = locate_crop(fields, [int(size / 2 // field.stride) for size, field in axes], inputs)
    figure = photo_plots.plot_photo_crops(photo_plots.to_rgb(pixels[0]), crops)
    yield Element("fields.png", figure, "Receptive fields in the middle of each stage's feature map.")


def _measure_stages(network: nn.Module, model: ImageModel, inputs: Tensor) -> dict[str, ReceptiveFields]:
    """Measure the receptive fields of each stage's feature map, as far as that has rows and columns."""
    names = [f"backbone.stages.{i}" for i in range(len(model.backbone.stages))]
    measure = partial(measure_receptive_fields, spectrogram=inputs)
    return {name: measure(truncate(network, name)) for name in names}
