"""A recording or an image, and a model -> an HTML page that explains its predictions: figures and sounds.

A model of labels is explained at the window where each label is most probable, one of notes at a note. The
page is written last: where it exists, so does everything that it shows.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from audiocnn import audio, files, plots
from audiocnn.explain.excerpts import ExplanationOptions, select_note, select_windows
from audiocnn.explain.network import strip_front_end
from audiocnn.explain.photos import generate_photo_sections, select_classes
from audiocnn.explain.sections import Element, describe_failure, generate_sections
from audiocnn.models.base import BaseModel, Model
from audiocnn.models.clips import ClipModel
from audiocnn.models.image import ImageModel
from audiocnn.models.notes import NotesModel

NAME = "index.html"
STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}"
    "img{max-width:100%}figure{margin:0 0 1em}figcaption{color:#555}"
    "span{display:inline-block;margin:0 1.5em .7em 0}audio{display:block;width:15em}"
)


def write_page(
    source: Path,
    model: Model,
    path: Path,
    options: ExplanationOptions,
    among: Sequence[Path] = (),
    progress: Callable[[float], object] | None = None,
) -> str:
    """Write a page that explains a model's predictions for a recording.

    Args:
        source: audio file.
        model: model to explain.
        path: HTML file to write; figures and sounds are written to its folder.
        options: what is explained.
        among: recordings searched for the patches that most activate a channel; by default the recording
            itself.
        progress: called with the seconds of the recording explained so far.

    Returns:
        The titles of the excerpts that are explained, and what could not be computed, as text.

    Raises:
        files.FileError: a recording cannot be read, it ends before the time to explain, no such note is
            transcribed, or the page cannot be written.
        ValueError: the model has no such label, note or layer.
    """
    options.check(model)
    network = strip_front_end(model)
    waveform = torch.from_numpy(audio.load(source, model.sample_rate))
    duration_s = len(waveform) / model.sample_rate
    if options.time_s is not None and options.time_s > duration_s:
        expected = f"at most {duration_s:.2f}, its length"
        raise files.FileError(source, f"time is {options.time_s:g} s, expected {expected}")
    if isinstance(model, NotesModel):
        summary, excerpts = select_note(source, model, waveform, options)
    else:
        assert isinstance(model, ClipModel)
        summary, excerpts = select_windows(source, model, waveform, options)
    sections = generate_sections(network, model, waveform, excerpts, options.layer, among or [source])

    def count(number: int) -> None:
        if progress:
            progress(duration_s * number / (len(excerpts) + 3))

    failures = _write(path, source, summary, model, sections, count)
    return "; ".join([*(excerpt.title for excerpt in excerpts), *failures])


def write_photo_page(
    source: Path,
    model: ImageModel,
    path: Path,
    options: ExplanationOptions,
    among: Sequence[Path] = (),
    progress: Callable[[float, float], object] | None = None,
) -> str:
    """Write a page that explains how a model classifies an image.

    Args:
        source: image file.
        model: model of images to explain.
        path: HTML file to write; figures are written to its folder.
        options: what is explained.
        among: images searched for the patches that most activate a channel; by default the image itself.
        progress: called with the number of sections written so far, and of all.

    Returns:
        The classes that are explained, and what could not be computed, as text.

    Raises:
        files.FileError: an image cannot be read, or the page cannot be written.
        ArgumentError: the model has no such label or layer.
    """
    options.check(model)
    summary, pixels, explained = select_classes(source, model, options)
    sections = generate_photo_sections(model, pixels, explained, options.layer, among or [source])

    def count(number: int) -> None:
        if progress:
            progress(number, len(explained) + 3)

    failures = _write(path, source, summary, model, sections, count)
    return "; ".join([*(one.title for one in explained), *failures])


def _write(
    path: Path,
    source: Path,
    summary: str,
    model: BaseModel,
    sections: Iterator[tuple[str, Iterator[Element]]],
    count: Callable[[int], None],
) -> list[str]:
    """Write a page; return what could not be computed."""
    lines = [f"<h1>{_escape(source.name)}: {_escape(summary)}</h1>"]
    lines += [f"<p>Explanation of {_escape(model.name)}.</p>"]
    failures: list[str] = []
    sample_rate = model.sample_rate if isinstance(model, Model) else 0
    for number, (title, elements) in enumerate(sections, start=1):
        lines.append(f"<h2>{_escape(title)}</h2>")
        for element in _until_failure(elements):
            lines.append(_write_element(element, path.parent, sample_rate))
            failures += [f"{title}: {element.caption}"] * isinstance(element.content, Exception)
        count(number)
    title = f"<title>{_escape(source.name)}</title>"
    head = f'<!doctype html><meta charset="utf-8">{title}<style>{STYLE}</style>'
    with files.write_atomically(path) as partial:
        partial.write_text("\n".join([head, *lines, ""]), encoding="utf-8")
    return failures


def _escape(text: str) -> str:
    """Return a text as HTML that shows it, whatever is in it: labels and names of files are others'."""
    return html.escape(files.printable(text))


def _until_failure(elements: Iterator[Element]) -> Iterator[Element]:
    """Yield the elements of a section, and in place of those that cannot be computed why: models differ."""
    try:
        yield from elements
    except files.FileError:
        raise
    except Exception as error:
        yield describe_failure("the rest", error)


def _write_element(element: Element, folder: Path, sample_rate: int) -> str:
    """Write a figure or sound to the folder; return the HTML that shows it, or why there is none."""
    path, caption = folder / element.name, _escape(element.caption)
    if element.content is None or isinstance(element.content, Exception):
        return f"<p>{caption}</p>"
    if isinstance(element.content, Tensor):
        audio.save(path, element.content.detach().cpu().numpy(), sample_rate)
        return f'<span>{caption}<audio controls preload="none" src="{element.name}"></audio></span>'
    plots.save_figure(element.content, path)
    return f'<figure><img src="{element.name}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
