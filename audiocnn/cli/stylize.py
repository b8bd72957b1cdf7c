"""`audiocnn stylize`: images or sounds -> the same in another style, beside them or in a folder."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from audiocnn import files
from audiocnn.cli import terminal
from audiocnn.cli.parser import OptionGroup, UsageError, usage_errors
from audiocnn.style.options import StyleOptions

if TYPE_CHECKING:
    from audiocnn.style.optimise import Step
    from audiocnn.style.tiles import Plan


def stylize(
    content: Path,
    *,
    style: Sequence[Path] = (),
    weights: Sequence[float] = (),
    masks: Sequence[Path] = (),
    output: Path | None = None,
    model: str | None = None,
    backbone: str | None = None,
    size: int | None = 512,
    strength: float = 1.0,
    colours: Literal["style", "luminance", "histogram"] = "style",
    every: int | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    **options: Annotated[Any, OptionGroup(StyleOptions, "optimisation, without --model")],
) -> int:
    """Transfer the style of images to an image, or to all in a folder; with a sound as style, to sounds.

    cat.jpg and the style starry_night.jpg give cat.starry_night.jpg. Existing files are kept. What cannot be
    read or written is reported in one line and the others go on; the exit status is then 1. Masks, size,
    colours and every are for images; for sounds the default content weight is 0.2, and the statistic gram.

    Args:
        content: an image or sound, or a folder to search for them.
        style: images or sounds; for a model with built-in styles, their names.
        weights: share of each style; by default equal.
        masks: a mask image for each style, white where the style applies; where none applies, the content is
            kept.
        output: file to write, or folder where the content is one; by default the results are written beside
            the content.
        model: name or file of a feed-forward style transfer network (see `audiocnn models`); by default the
            image is optimised.
        backbone: vgg, this project's own, for images; vgg19 and others with torchvision's ImageNet weights,
            fetched once; genre and other models (see `audiocnn models`) or a model file; or random, an
            untrained network, for sounds. By default vgg or random.
        size: longer side of the result, in pixels; None keeps the content's own.
        strength: 0 for the content, 1 for the stylized image or sound, values between them for a blend.
        colours: those of the style, or of the content: luminance transfers only the lightness (CIELAB),
            histogram matches the histogram of each colour channel.
        every: also write the image so far, each time after this number of steps.
        device: device that the network runs on, such as cpu or cuda.
        overwrite: overwrite existing files.
        **options: the fields of `StyleOptions`.

    Returns:
        The exit status.
    """
    if not style and not model:
        raise UsageError("no --style given, expected one or more images or sounds")
    from audiocnn import audio, images

    settings = {"weights": weights, "strength": strength, "device": device}
    is_sound = bool(style) and style[0].suffix.lower() in audio.SOUND_SUFFIXES | audio.VIDEO_SUFFIXES
    with usage_errors():
        if is_sound:
            settings |= {"backbone": backbone or "random", "options": _sound_options(masks, options)}
        else:
            settings |= {"backbone": backbone or "vgg", "options": StyleOptions(**options)}
            settings |= {"model": model, "masks": masks, "size": size, "colours": colours}
    run = partial(_stylize_sound, style) if is_sound else partial(_stylize_image, style, every)
    suffix = "." + "+".join(path.stem for path in style or [Path(str(model))])
    sources = audio.find_recordings(content) if is_sound else images.find_images(content)
    targets = [(source, _target(source, content, output, suffix)) for source in sources]
    done = [_run(run, source, target, settings, overwrite) for source, target in targets]
    return int(not all(done))


def _run(
    run: Callable[..., None], source: Path, target: Path, settings: dict[str, Any], overwrite: bool
) -> bool:
    """Write a target unless it exists, and report on it; return whether that went well."""
    if target.exists() and not overwrite:
        print(f"{source}: already done, see {target}")
        return True
    try:
        run(source, target, settings)
    except (files.FileError, ConnectionError, MemoryError) as error:
        print(error if isinstance(error, files.FileError) else f"{source}: {error}", file=sys.stderr)
        return False
    print(f"{source} -> {target}", flush=True)
    return True


def _sound_options(masks: Sequence[Path], options: dict[str, Any]) -> StyleOptions:
    from audiocnn.style.sounds import SOUND

    if masks:
        raise ValueError("masks are given, expected none: sounds have no regions")
    return replace(SOUND, **options)


def _target(source: Path, content: Path, output: Path | None, suffix: str) -> Path:
    name = f"{source.stem}{suffix}{source.suffix}"
    if output is None:
        return source.with_name(name)
    return output / source.parent.relative_to(content) / name if content.is_dir() else output


def _stylize_image(
    style: Sequence[Path], every: int | None, source: Path, target: Path, settings: dict[str, Any]
) -> None:
    from audiocnn import images
    from audiocnn.style.images import stylize

    original = images.read_image(source)

    def write_so_far(step: "Step") -> None:
        if every and step.done % every == 0 and step.done < step.total:
            pixels = step.image[0].cpu().numpy()
            path = target.with_name(f"{target.stem}.{step.done:04}{target.suffix}")
            images.write_image(images.with_pixels(original, pixels), path)

    def print_plan(plan: "Plan") -> None:
        rows, columns = plan.size
        tiles = f"{len(plan.tiles)} tiles of {plan.side}" if len(plan.tiles) > 1 else "untiled"
        memory = f"about {plan.memory / 1e9:.1f} GB of memory"
        print(f"{source}: {columns} × {rows} pixels, {tiles}, {memory}", flush=True)

    with _show_progress(source.name, write_so_far) as progress, usage_errors():
        result = stylize(original, list(style), progress=progress, planned=print_plan, **settings)
    images.write_image(result, target)


def _stylize_sound(style: Sequence[Path], source: Path, target: Path, settings: dict[str, Any]) -> None:
    import numpy as np

    from audiocnn import audio
    from audiocnn.style import sounds

    with _show_progress(source.name) as progress, usage_errors():
        samples, sample_rate = sounds.stylize_sound(source, list(style), progress=progress, **settings)
    audio.save(target, samples / max(np.abs(samples).max(), 1.0), sample_rate)


@contextmanager
def _show_progress(
    name: str, then: Callable[["Step"], None] = lambda step: None
) -> Iterator[Callable[["Step"], None]]:
    """Show a bar of steps with the loss; yield the callback of each step, which calls `then`."""
    from rich.progress import TextColumn, TimeRemainingColumn

    with terminal.create_bar(TextColumn("loss {task.fields[loss]:.4f}"), TimeRemainingColumn()) as bar:
        task = bar.add_task(name, total=None, loss=0.0)

        def update(step: "Step") -> None:
            bar.update(task, completed=step.done, total=step.total, loss=step.loss)
            then(step)

        yield update
