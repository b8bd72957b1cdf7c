"""Explaining a model: kernels, receptive fields, saliency maps, activation maximisation, sonification.

Place in the flow: a model and a spectrogram -> saliency maps, crops, spectrograms, and sounds of them. The
parts are functions from tensors to tensors; `plots` makes figures of them, and `page.write_page` a page about
a recording.

Example:
    Which times and frequencies make a model predict a piano?

    >>> import audiocnn
    >>> import torch
    >>> from audiocnn import audio, explain
    >>> model = audiocnn.load("instrument")
    >>> network = explain.strip_front_end(model)
    >>> samples = audio.load("data/examples/menuet_piano.flac", model.sample_rate)
    >>> window = model.split_windows(torch.from_numpy(samples))[0]
    >>> spectrogram = model.spectrogram(window[None])
    >>> piano = model.outputs.index("piano")
    >>> saliency_map = explain.grad_cam(network, spectrogram, piano)
    >>> saliency_map.shape == spectrogram[:, 0].shape
    True
    >>> figure = explain.plot_saliency_maps(spectrogram[0, 0], {"Grad-CAM": saliency_map[0]}, model.front_end)
    >>> gains = explain.normalise(saliency_map)[0]
    >>> sound = explain.filter_waveform(window, gains, model.front_end)
"""

from audiocnn.explain.activation_maximisation import MaximisationOptions, maximise_activation
from audiocnn.explain.embeddings import (
    embed_recordings,
    encode_data_url,
    make_clickable_plot,
    project_to_plane,
)
from audiocnn.explain.kernels import (
    compute_frequency_response,
    get_first_kernels,
    get_linear_weights,
    kernels_to_spectrograms,
    sort_by_peak_frequency,
)
from audiocnn.explain.network import Target, randomise_weights, strip_front_end, truncate
from audiocnn.explain.patches import Patch, find_top_patches
from audiocnn.explain.plots import (
    plot_crops,
    plot_embeddings,
    plot_frequency_responses,
    plot_kernels,
    plot_patches,
    plot_saliency_maps,
)
from audiocnn.explain.receptive_fields import align_crop, locate_crop, measure_receptive_fields
from audiocnn.explain.saliency import (
    channel_contributions,
    class_activation,
    deconvolution,
    delete_salient,
    grad_cam,
    guided_backprop,
    normalise,
    occlusion,
    run_deletion_test,
)
from audiocnn.explain.sonify import crop_waveform, filter_waveform, invert_spectrogram

__all__ = [
    "MaximisationOptions",
    "Patch",
    "Target",
    "align_crop",
    "channel_contributions",
    "class_activation",
    "compute_frequency_response",
    "crop_waveform",
    "deconvolution",
    "delete_salient",
    "embed_recordings",
    "encode_data_url",
    "filter_waveform",
    "find_top_patches",
    "get_first_kernels",
    "get_linear_weights",
    "grad_cam",
    "guided_backprop",
    "invert_spectrogram",
    "kernels_to_spectrograms",
    "locate_crop",
    "make_clickable_plot",
    "maximise_activation",
    "measure_receptive_fields",
    "normalise",
    "occlusion",
    "plot_crops",
    "plot_embeddings",
    "plot_frequency_responses",
    "plot_kernels",
    "plot_patches",
    "plot_saliency_maps",
    "project_to_plane",
    "randomise_weights",
    "run_deletion_test",
    "sort_by_peak_frequency",
    "strip_front_end",
    "truncate",
]
