"""`audiocnn stylize`: images or sounds in; the same in another's style, beside them or in a folder."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from audiocnn import files
from audiocnn.cli import interrupts
from audiocnn.cli.arguments import Group, UsageError, checked
from audiocnn.style.options import StyleOptions

if TYPE_CHECKING:
    from audiocnn.style.optimise import Step
    from audiocnn.style.tiles import Plan


def stylize(
    content: Path,
    style: Sequence[Path] = (),
    weights: Sequence[float] = (),
    masks: Sequence[Path] = (),
    output: Path | None = None,
    model: str | None = None,
    backbone: str | None = None,
    size: int = 512,
    strength: float = 1.0,
    colours: Literal["style", "luminance", "histogram"] = "style",
    every: int = 0,
    device: str = "cpu",
    overwrite: bool = False,
    **options: Annotated[Any, Group(StyleOptions, "how it is painted")],
) -> int:
    """Paints a image, or all images in a folder, in the style of others; with a sound as style, sounds.

    cat.jpg and the style starry_night.jpg give cat.starry_night.jpg. What is there already stays. What cannot
    be read or written is told in one line and the others go on; the exit status is then 1. Of what is said
    below, masks, size, colours and every are for images; sounds have a content_weight of 0.2, and the
    statistic gram, where not told otherwise.

    Args:
        content: a image or sound, or a folder to search for them.
        style: one image or sound, or several.
        weights: how much of each style; the same of all where not given.
        masks: a image for each style, white where it goes; where none goes the content stays.
        output: file to write, or folder where the content is one; without it, what is written stands beside
            the content.
        model: a file or name of a network that paints images in one pass, see configs/style_*.yaml; a
            --style of one that has several is then its name, one with a single style needs none.
        backbone: vgg, this project's own, for images; vgg19 and others with torchvision's ImageNet weights,
            fetched once; genre and other models (see `audiocnn models`) or a model file; or random, a network
            that has learned nothing, for sounds. By default vgg or random.
        size: longer side of the result, in pixels; 0 for the content's own.
        strength: 0 gives the content back, 1 the styled image or sound.
        colours: of the style; or the content's, luminance keeps them in Lab, histogram as much of each.
        every: writes the image so far after so many steps too; 0 for never.
        device: what the network runs on, such as cpu or cuda.
        overwrite: paints anew what is there already.
    """
    if not style and not model:
        raise UsageError("no --style given, expected a picture or sound, or several")
    from audiocnn import audio, images

    of_sound = bool(style) and style[0].suffix.lower() in audio.SOUND_SUFFIXES | audio.VIDEO_SUFFIXES
    with checked():
        told = _sound_knobs(masks, options) if of_sound else StyleOptions(**options)
    suffix = "." + "+".join(path.stem for path in style or [Path(str(model))])
    failed = False
    with interrupts.held():
        for source in audio.find_recordings(content) if of_sound else images.find_images(content):
            target = _target(source, content, output, suffix)
            if target.exists() and not overwrite:
                print(f"{source}: done already, see {target}")
                continue
            settings = {"weights": weights, "strength": strength, "device": device}
            settings["backbone"] = backbone or ("random" if of_sound else "vgg")
            settings["options"] = told
            of_images = {"model": model, "masks": masks, "size": size or None, "colours": colours}
            try:
                if of_sound:
                    _sound(source, style, target, settings)
                else:
                    _paint(source, style, target, every, settings | of_images)
            except (files.FileError, ConnectionError, MemoryError) as error:
                print(error if isinstance(error, files.FileError) else f"{source}: {error}", file=sys.stderr)
                failed = True
    return int(failed)


def _sound_knobs(masks: Sequence[Path], options: dict[str, Any]) -> StyleOptions:
    from audiocnn.style.sounds import SOUND

    if masks:
        raise ValueError("masks are given, expected none: sounds have no regions")
    return replace(SOUND, **options)


def _target(source: Path, content: Path, output: Path | None, suffix: str) -> Path:
    name = f"{source.stem}{suffix}{source.suffix}"
    if output is None:
        return source.with_name(name)
    return output / source.parent.relative_to(content) / name if content.is_dir() else output


def _paint(source: Path, style: Sequence[Path], target: Path, every: int, settings: dict[str, Any]) -> None:
    from audiocnn import images
    from audiocnn.style.images import stylize

    original = images.read_image(source)

    def so_far(step: "Step") -> None:
        if every and step.done % every == 0 and step.done < step.total:
            pixels = step.image[0].cpu().numpy()
            path = target.with_name(f"{target.stem}.{step.done:04}{target.suffix}")
            images.write_image(images.with_pixels(original, pixels), path)

    def planned(plan: "Plan") -> None:
        rows, columns = plan.size
        tiles = f"{len(plan.tiles)} tiles of {plan.side}" if len(plan.tiles) > 1 else "in one piece"
        told = f"{columns} × {rows} pixels, {tiles}, about {plan.memory / 1e9:.1f} GB of memory"
        print(f"{source}: {told}", flush=True)

    with _progress(source.name, so_far) as progress, checked():
        made = stylize(original, list(style), progress=progress, planned=planned, **settings)
    images.write_image(made, target)
    print(f"{source} -> {target}", flush=True)


def _sound(source: Path, style: Sequence[Path], target: Path, settings: dict[str, Any]) -> None:
    import numpy as np

    from audiocnn import audio
    from audiocnn.style import sounds

    with _progress(source.name, lambda step: None) as progress, checked():
        made, rate = sounds.stylize_sound(source, list(style), progress=progress, **settings)
    audio.save(target, made / max(np.abs(made).max(), 1.0), rate)
    print(f"{source} -> {target}", flush=True)


@contextmanager
def _progress(name: str, then: Callable[["Step"], None]) -> Iterator[Callable[["Step"], None]]:
    """A bar of steps with the loss, on the standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
    ]
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(name, total=None, loss=0.0)

        def tell(step: "Step") -> None:
            interrupts.check()
            bar.update(task, completed=step.done, total=step.total, loss=step.loss)
            then(step)

        yield tell
