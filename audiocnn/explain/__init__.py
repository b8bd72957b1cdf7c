"""Understanding a model: what its filters look like, what excites them, where it looked, how that sounds.

Place in the flow: a model and a spectrogram -> maps, crops and spectrograms, and sounds of all of them. The pieces
are functions from tensors to tensors; `drawing` makes figures of them, `page` a page about a recording.
"""

from audiocnn.explain.embeddings import clickable, data_url, embed, onto_plane
from audiocnn.explain.fields import alone, measure_fields, spans
from audiocnn.explain.kernels import (
    as_spectrograms,
    by_peak,
    first_kernels,
    frequency_response,
    linear_weights,
)
from audiocnn.explain.maximisation import Readable, maximise
from audiocnn.explain.network import Target, network_of, randomised, upto
from audiocnn.explain.patches import Patch, top_patches
from audiocnn.explain.plots import (
    draw_embeddings,
    draw_fields,
    draw_kernels,
    draw_maps,
    draw_patches,
    draw_responses,
)
from audiocnn.explain.saliency import (
    class_activation,
    deconvolution,
    deleted,
    fall,
    grad_cam,
    guided_backprop,
    occlusion,
    share,
)
from audiocnn.explain.sonify import cropped, filtered, sound_of

__all__ = [
    "Patch",
    "Readable",
    "Target",
    "alone",
    "as_spectrograms",
    "by_peak",
    "class_activation",
    "clickable",
    "cropped",
    "data_url",
    "deconvolution",
    "deleted",
    "draw_embeddings",
    "draw_fields",
    "draw_kernels",
    "draw_maps",
    "draw_patches",
    "draw_responses",
    "embed",
    "fall",
    "filtered",
    "first_kernels",
    "frequency_response",
    "grad_cam",
    "guided_backprop",
    "linear_weights",
    "maximise",
    "measure_fields",
    "network_of",
    "occlusion",
    "onto_plane",
    "randomised",
    "share",
    "sound_of",
    "spans",
    "top_patches",
    "upto",
]
