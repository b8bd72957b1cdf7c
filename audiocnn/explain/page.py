"""A recording and a model -> a page that explains what the model made of it: HTML, with spectrograms and sounds.

A model of labels is explained by the window in which each label was likeliest, one of notes by a note. The
page comes last: where it is there, all that it shows is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from audiocnn import audio, files
from audiocnn.explain import kernels, plots, saliency, sonify
from audiocnn.explain.fields import Fields, measure_fields, spans
from audiocnn.explain.maximisation import maximise
from audiocnn.explain.network import Target, layer_of, network_of, upto
from audiocnn.explain.patches import top_patches
from audiocnn.frontends.waveform import Waveform
from audiocnn.inference.classify import classify
from audiocnn.inference.transcribe import transcribe
from audiocnn.labels import UNKNOWN, format_predictions
from audiocnn.models.base import Model
from audiocnn.models.clips import ClipModel
from audiocnn.models.notes import NotesModel
from audiocnn.notes import LOWEST_MIDI, Note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "index.html"
N_CHANNELS = 3  # those that spoke most for the first label
NOTE_FRAMES = 16  # to each side of a note's onset that are explained
NOTE_WINDOW = 9, 6  # bins and frames that occlusion hides of a note's spectrogram
STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}"
    "img{max-width:100%}figure{margin:0 0 1em}figcaption{color:#555}"
    "span{display:inline-block;margin:0 1.5em .7em 0}audio{display:block;width:15em}"
)


@dataclass(frozen=True)
class Excerpt:
    """A piece of a recording as the network is given it, and what is asked about it.

    Attributes:
        target: the score that is explained.
        name: of it.
        title: what is said of it.
        waveform: (samples,).
        spectrogram: with the batch.
        start_s: where it begins in the recording.
    """

    target: Target
    name: str
    title: str
    waveform: Tensor
    spectrogram: Tensor
    start_s: float


class Piece(NamedTuple):
    """Something on the page: a figure or a sound with the name of its file, and what is said of it."""

    name: str
    content: Figure | Tensor
    caption: str


def write_page(
    source: Path,
    model: Model,
    path: Path,
    *,
    labels: Sequence[str] = (),
    top: int = 3,
    time_s: float | None = None,
    midi: int | None = None,
    layer: str = "backbone",
    among: Sequence[Path] = (),
    progress: Callable[[float], object] | None = None,
) -> str:
    """Writes the page and beside it what it shows; gives in words what is explained.

    Args:
        path: of the page; its folder is its own.
        labels: those to explain; by default the likeliest.
        top: how many of these.
        time_s: explain what is heard there; by default where each label is likeliest, or the loudest note.
        midi: the note to explain.
        layer: of the network, whose map the class activation and Grad-CAM are of.
        among: the recordings in which channels' patches are looked for; this one by default.
        progress: told the seconds heard so far.
    Raises: AudioError when a recording cannot be read; FileError when no such note is heard in it, or the
        page cannot be written; ValueError as `check`.
    """
    check(model, labels, midi, layer)
    network = network_of(model)
    waveform = torch.from_numpy(audio.load(source, model.sample_rate))
    if isinstance(model, NotesModel):
        heard, excerpts = _of_note(source, model, waveform, time_s, midi)
    else:
        assert isinstance(model, ClipModel)
        heard, excerpts = _of_labels(source, model, waveform, labels, top, time_s)
    sections = [f"<h1>{html.escape(source.name)}: {html.escape(heard)}</h1>"]
    sections += [f"<p>What {html.escape(model.name)} used, and what it is made of.</p>"]
    done_s = 0.0
    for title, pieces in _sections(network, model, waveform, excerpts, layer, among or [source]):
        sections.append(f"<h2>{html.escape(title)}</h2>")
        sections += [_written(piece, path.parent, model) for piece in pieces]
        done_s += len(waveform) / model.sample_rate / (len(excerpts) + 3)
        if progress:
            progress(done_s)
    title = f"<title>{html.escape(source.name)}</title>"
    head = f'<!doctype html><meta charset="utf-8">{title}<style>{STYLE}</style>'
    with files.write_atomically(path) as partial:
        partial.write_text("\n".join([head, *sections, ""]), encoding="utf-8")
    return "; ".join(excerpt.title for excerpt in excerpts)


def check(model: Model, labels: Sequence[str] = (), midi: int | None = None, layer: str = "backbone") -> None:
    """Raises ValueError when a model has no such label, note or layer."""
    known = model.outputs if isinstance(model, ClipModel) else []
    for label in labels:
        if label not in known:
            expected = f"one of {', '.join(known)}" if known else f"none: {model.name} hears notes"
            raise ValueError(f"label is {label!r}, expected {expected}")
    if midi is not None and not isinstance(model, NotesModel):
        raise ValueError(f"note is {midi}, expected none: {model.name} hears labels")
    layer_of(network_of(model), layer)


def _of_labels(
    source: Path, model: ClipModel, waveform: Tensor, labels: Sequence[str], top: int, time_s: float | None
) -> tuple[str, list[Excerpt]]:
    """What is heard, and each label's window."""
    found = classify(source, model, device=str(model.device))
    timeline = found.timeline
    windows = model.windows(waveform)
    middles_s = timeline.starts_s + timeline.window_s / 2
    excerpts = []
    for label in labels or [one.label for one in found.labels[:top]]:
        column = model.outputs.index(label)
        likelihoods = timeline.probabilities[:, column]
        number = int(likelihoods.argmax() if time_s is None else np.abs(middles_s - time_s).argmin())
        start_s = float(timeline.starts_s[number])
        title = f"{label}, {100 * likelihoods[number]:.0f} % from {start_s:.1f} s on"
        spectrogram = _seen(model, windows[number])
        excerpts.append(Excerpt(column, label, title, windows[number], spectrogram, start_s))
    return format_predictions(found.heard) if found.heard else UNKNOWN, excerpts


def _of_note(
    source: Path, model: NotesModel, waveform: Tensor, time_s: float | None, midi: int | None
) -> tuple[str, list[Excerpt]]:
    """How many notes are heard, and the spectrogram around the onset of the one that is asked for."""
    notes = transcribe(source, model, device=str(model.device)).notes
    note = chosen(notes, time_s, midi)
    if note is None:
        asked = "note" if midi is None else f"note {midi}"
        raise files.FileError(source, f"no {asked} is heard in it that could be explained")
    hop = model.front_end.hop_length
    grid = model.backbone.time_grid
    frame = round(note.onset_s / model.front_end.frame_s)
    first = max(frame - NOTE_FRAMES, 0) // grid * grid
    spectrogram = _seen(model, waveform)[..., first : frame + NOTE_FRAMES]
    piece = waveform[first * hop : (frame + NOTE_FRAMES) * hop]
    target = 0, note.midi - LOWEST_MIDI, (frame - first) // model.backbone.time_stride
    title = f"note {note.midi} at {note.onset_s:.2f} s, {100 * note.confidence:.0f} %"
    start_s = first * model.front_end.frame_s
    return f"{len(notes)} notes", [Excerpt(target, f"note {note.midi}", title, piece, spectrogram, start_s)]


def chosen(notes: Sequence[Note], time_s: float | None, midi: int | None) -> Note | None:
    """The note that is asked for: of those of this pitch the nearest in time, or the loudest."""
    asked = [note for note in notes if midi in (None, note.midi)]
    if time_s is None:
        return max(asked, key=lambda note: (note.velocity, note.confidence), default=None)
    return min(asked, key=lambda note: abs(note.onset_s - time_s), default=None)


def _seen(model: Model, waveform: Tensor) -> Tensor:
    with torch.no_grad():
        return model.spectrogram(waveform[None].to(model.device))


def _sections(
    network: nn.Module,
    model: Model,
    waveform: Tensor,
    excerpts: Sequence[Excerpt],
    layer: str,
    among: Sequence[Path],
) -> Iterator[tuple[str, Iterator[Piece]]]:
    quiet = float(_seen(model, torch.zeros(model.front_end.reach * 2 + 1)).min())
    for excerpt in excerpts:
        yield f"Why {excerpt.title}", _looked(network, model, excerpt, layer, quiet)
    if isinstance(model, ClipModel) and excerpts:
        yield "What it listens for", _maximal(network, model, excerpts, quiet)
        yield f"What spoke for {excerpts[0].name}", _channels(network, model, excerpts[0], among, quiet)
    yield "What it is made of", _made_of(network, model, waveform, excerpts[0])


def _looked(network: nn.Module, model: Model, excerpt: Excerpt, layer: str, quiet: float) -> Iterator[Piece]:
    spectrogram, target = excerpt.spectrogram, excerpt.target
    window = NOTE_WINDOW if isinstance(model, NotesModel) else None
    found = {
        "class activation": saliency.class_activation(network, spectrogram, target, layer),
        "Grad-CAM": saliency.grad_cam(network, spectrogram, target, layer),
        "occlusion": saliency.occlusion(network, spectrogram, target, window, quiet),
        "guided backpropagation": saliency.guided_backprop(network, spectrogram, target),
        "deconvolution": saliency.deconvolution(network, spectrogram, target),
    }
    found = {name: map[0].cpu() for name, map in found.items()}
    figure = plots.draw_maps(_plain(spectrogram), found, model.front_end, excerpt.start_s)
    name = _slug(excerpt.name)
    yield Piece(f"{name}.png", figure, "Red speaks for it, blue against it; frequencies over seconds.")
    yield Piece(f"{name}.wav", excerpt.waveform, "the recording")
    for method, map in found.items():
        sound = sonify.filtered(excerpt.waveform, saliency.share(map[None])[0], model.front_end)
        yield Piece(f"{name}.{_slug(method)}.wav", sonify.levelled(sound), f"what {method} lets through")


def _maximal(network: nn.Module, model: Model, excerpts: Sequence[Excerpt], quiet: float) -> Iterator[Piece]:
    found = {}
    for excerpt in excerpts:
        found[excerpt.name] = _maximised(network, excerpt.target, excerpt.spectrogram, model, quiet)
    figure = plots.draw_patches(list(found.values()), list(found))
    yield Piece("maximal.png", figure, "Pictures found from noise that excite each label most.")
    for name, spectrogram in found.items():
        yield Piece(f"maximal.{_slug(name)}.wav", sonify.sound_of(spectrogram, model.front_end), name)


def _maximised(network: nn.Module, target: Target, like: Tensor, model: Model, quiet: float) -> Tensor:
    """The spectrogram that most excites a target, as large and loud as another one: (bins, frames)."""
    highest = float(like.max())
    lowest = -highest if isinstance(model.front_end, Waveform) else quiet
    return _plain(maximise(network, target, like.shape[1:], highest, lowest))


def _channels(
    network: nn.Module, model: ClipModel, excerpt: Excerpt, among: Sequence[Path], quiet: float
) -> Iterator[Piece]:
    """The channels that spoke most for a label, by what excites them, found in recordings and from noise.

    They are of the last stage whose cells see less than all of a window: so there is something to show.
    """
    size = excerpt.spectrogram.shape[-1]
    seen = {name: axes[-1].size for name, axes in _fields(network, model, excerpt.spectrogram).items()}
    (stage,) = [name for name in seen if seen[name] < size][-1:] or list(seen)[:1]
    layer = upto(network, stage)
    shares = saliency.channel_shares(network, excerpt.spectrogram, excerpt.target, stage)[0]
    for channel in shares.topk(min(N_CHANNELS, len(shares))).indices.tolist():
        patches = top_patches(layer, (_seen(model, one) for one in _windows(model, among)), channel)
        wanted = {patch.spectrogram for patch in patches}
        windows = {i: one for i, one in enumerate(_windows(model, among)) if i in wanted}
        crops = [_seen(model, windows[patch.spectrogram])[(..., *patch.crop)] for patch in patches]
        ideal = _maximised(layer, channel, crops[0], model, quiet)
        names = [f"{patch.activation:.2f}" for patch in patches]
        figure = plots.draw_patches([*map(_plain, crops), ideal], [*names, "from noise"])
        caption = f"Channel {channel} of {stage}: what excites it, and how much; and what does so the most."
        yield Piece(f"channel_{channel}.png", figure, caption)
        for i, patch in enumerate(patches):
            sound = sonify.cropped(windows[patch.spectrogram], patch.crop, model.front_end)
            yield Piece(f"channel_{channel}.{i}.wav", sonify.levelled(sound), names[i])


def _windows(model: ClipModel, recordings: Sequence[Path]) -> Iterator[Tensor]:
    """All windows of recordings, one after the other: (samples,)."""
    for recording in recordings:
        yield from model.windows(torch.from_numpy(audio.load(recording, model.sample_rate)))


def _made_of(network: nn.Module, model: Model, waveform: Tensor, excerpt: Excerpt) -> Iterator[Piece]:
    weights = kernels.first_kernels(network).cpu()
    if isinstance(model.front_end, Waveform):
        gains, hz = kernels.frequency_response(weights, model.sample_rate)
        order = kernels.by_peak(gains)
        weights = weights[order]
        figure = plots.draw_responses(gains[order].sum(1), hz)
        yield Piece("responses.png", figure, "What its first filters pass.")
    caption = "The kernels of its first layer: red above 0, blue below."
    yield Piece("kernels.png", plots.draw_kernels(kernels.as_spectrograms(weights)), caption)
    if isinstance(model, NotesModel):
        figure = _field_of_note(model, waveform, excerpt)
        yield Piece("fields.png", figure, "What the score of the note sees.")
        return
    spectrogram, crops = excerpt.spectrogram, {}
    for name, axes in _fields(network, model, spectrogram).items():
        middle = [
            int(size / 2 // field.stride) for size, field in zip(spectrogram.shape[2:], axes, strict=True)
        ]
        crops[name] = spans(axes, middle, spectrogram)
    figure = plots.draw_fields(_plain(spectrogram), crops, model.front_end, excerpt.start_s)
    yield Piece("fields.png", figure, "What a cell in the middle of each map sees of the picture.")


def _fields(network: nn.Module, model: Model, spectrogram: Tensor) -> dict[str, Fields]:
    """The receptive fields of each stage's map."""
    names = [f"backbone.stages.{i}" for i in range(len(model.backbone.stages))]
    return {name: measure_fields(upto(network, name), spectrogram) for name in names}


def _field_of_note(model: NotesModel, waveform: Tensor, excerpt: Excerpt) -> Figure:
    """What a note's score sees of all the spectrogram: by the backbone's word, as it is long to measure."""
    spectrogram = _plain(_seen(model, waveform))
    n_frames, frame_s = spectrogram.shape[1], model.front_end.frame_s
    _, _, cell = cast(tuple[int, int, int], excerpt.target)
    frame = round(excerpt.start_s / frame_s) + cell * model.backbone.time_stride
    reach = int(min(model.backbone.receptive_field // 2, n_frames))
    seen = slice(max(frame - reach, 0), min(frame + reach + 1, n_frames))
    first = max(seen.start - NOTE_FRAMES, 0)
    crop = {excerpt.name: (slice(seen.start - first, seen.stop - first),)}
    shown = spectrogram[:, first : seen.stop + NOTE_FRAMES]
    return plots.draw_fields(shown, crop, model.front_end, first * frame_s)


def _plain(spectrogram: Tensor) -> Tensor:
    """Without batch and channel: (bins, frames)."""
    return spectrogram.detach().cpu().reshape(spectrogram.shape[-2:])


def _slug(name: str) -> str:
    """A name of a file for any label."""
    return re.sub(r"\W+", "_", name.lower())


def _written(piece: Piece, folder: Path, model: Model) -> str:
    """Writes a figure or sound; gives the HTML that shows it."""
    path, caption = folder / piece.name, html.escape(piece.caption)
    if isinstance(piece.content, Tensor):
        audio.save(path, piece.content.detach().cpu().numpy(), model.sample_rate)
        return f'<span>{caption}<audio controls preload="none" src="{piece.name}"></audio></span>'
    with files.write_atomically(path) as partial:
        piece.content.savefig(partial, format="png")
    return f'<figure><img src="{piece.name}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
