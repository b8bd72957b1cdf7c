"""`audiocnn stylize`: images or sounds -> the same in another style, beside them or in a folder."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from audiocnn.cli import jobs, terminal
from audiocnn.cli.loading import check_device
from audiocnn.cli.parser import OptionGroup, UsageError, usage_errors
from audiocnn.cli.staging import Output, Work, describe_file, describe_making
from audiocnn.models.weights import path as find_weights
from audiocnn.ranges import ArgumentError
from audiocnn.style.options import StyleOptions

if TYPE_CHECKING:
    from audiocnn.style.optimise import Step
    from audiocnn.style.tiles import Plan

PAINTED = "painted"  # the one format
SIZE = 512  # longer side of an image, in pixels


def stylize(
    content: Path,
    *,
    style: Sequence[Path] = (),
    weights: Sequence[float] = (),
    masks: Sequence[Path] = (),
    output: Path | None = None,
    model: str | None = None,
    backbone: str | None = None,
    size: int | None = SIZE,
    strength: float = 1.0,
    colours: Literal["style", "luminance", "histogram"] = "style",
    every: int | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    **options: Annotated[Any, OptionGroup(StyleOptions, "optimisation, without --model")],
) -> int:
    """Transfer the style of images to an image, or to all in a folder; with a sound as style, to sounds.

    cat.jpg and the style starry_night.jpg give cat.starry_night.jpg. A result of the same content, styles,
    network and options is not made again, as the hidden folder .audiocnn beside it records; files that
    audiocnn did not write, or that were changed since, are kept. What cannot be read or written is reported
    in one line and the others go on; the exit status is then 1. Masks, size, colours and every are for
    images; for sounds the default content weight is 0.2, and the statistic gram.

    Args:
        content: an image or sound, or a folder to search for them.
        style: images or sounds; for a model with built-in styles, their names.
        weights: share of each style; by default equal.
        masks: a mask image for each style, white where the style applies; where none applies, the content is
            kept.
        output: file to write, or folder where the content or this is one; by default the results are written
            beside the content.
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
        overwrite: stylize again, and overwrite existing files.
        **options: the fields of `StyleOptions`.

    Returns:
        The exit status.
    """
    if not style and not model:
        raise UsageError("no --style given, expected one or more images or sounds")
    if every is not None and every < 1:
        raise UsageError(f"every is {every}, expected 1 or more")
    from audiocnn import audio, images
    from audiocnn.style.images import check_arguments, load_painter

    shared = {"weights": weights, "strength": strength}
    is_sound = bool(style) and style[0].suffix.lower() in audio.SOUND_SUFFIXES | audio.VIDEO_SUFFIXES
    with usage_errors():
        check_arguments(len(style) or 1, weights=weights, masks=masks, size=size, strength=strength)
        if is_sound:
            where = "it is for images, and the style is a sound"
            given = {"size": size != SIZE, "colours": colours != "style"}
            _check_absent(where, masks=masks, model=model, every=every, **given)
            settings = shared | {"backbone": backbone or "random", "options": _sound_options(options)}
        else:
            if model is not None:
                _check_absent(
                    "a model paints in one pass",
                    backbone=backbone,
                    every=every,
                    **dict.fromkeys(options, True),
                )
            settings = shared | {"backbone": backbone or "vgg", "options": StyleOptions(**options)}
            settings |= {"model": model, "masks": masks, "size": size, "colours": colours}
    check_device(device)
    made_by = _describe_making(settings, style, every)
    painter = {} if model is None else {"model": load_painter(model, device)}  # once for all images
    target = None if output is None or content.is_dir() or output.is_dir() else output
    suffix = "." + "+".join(path.stem for path in style or [Path(str(model))])
    run = partial(_stylize_sound, style) if is_sound else partial(_stylize_image, style, every)
    batch = jobs.Batch(
        outputs={PAINTED: Output(suffix, made_by, keeps_suffix=True, name=target and target.name)},
        process=partial(run, settings | painter | {"device": device}),
        output=target.parent if target else output,
        overwrite=overwrite,
        find=audio.find_recordings if is_sound else images.find_images,
        others=[*style, *masks, *map(Path, filter(None, [model, backbone]))],
        measure=lambda source: None,
    )
    return jobs.process_files([content], batch)


def _check_absent(reason: str, **given: Any) -> None:
    """Raise ArgumentError where an argument is given that would have no effect."""
    for name, value in given.items():
        if value:
            raise ArgumentError(f"{name} is given, expected none: {reason}")


def _sound_options(options: dict[str, Any]) -> StyleOptions:
    from audiocnn.style.sounds import SOUND

    return replace(SOUND, **options)


def _describe_making(settings: dict[str, Any], style: Sequence[Path], every: int | None) -> dict[str, Any]:
    """Describe what shapes the results: networks, styles and masks by their content."""
    model, backbone, masks = settings.get("model"), settings["backbone"], settings.get("masks", ())
    networks = [backbone] if model is None and find_weights(backbone).is_file() else []
    if model is not None:
        from audiocnn.models.load import find_model

        networks = [str(find_model(model, "style"))]
    # A style that is no file is one of the model's own, by its name.
    styles = [[str(one)] if model and not one.exists() else describe_file(one) for one in style]
    inputs = {"style": styles, "masks": [*map(describe_file, masks)], "model": None, "backbone": None}
    if not networks:  # one that is known by its name alone
        inputs["backbone"] = backbone
    return describe_making("stylize", networks, **settings | inputs, every=every)


def _stylize_image(style: Sequence[Path], every: int | None, settings: dict[str, Any], work: Work) -> str:
    from audiocnn import images
    from audiocnn.style.images import stylize

    target = work.targets[PAINTED]
    images.check_suffix(target)
    original = images.read_image(work.source)

    def progress(step: "Step") -> None:
        work.update(step.done, step.total, f"loss {step.loss:.4f}")
        if every and step.done % every == 0 and step.done < step.total:
            path = target.with_name(f"{target.stem}.{step.done:04}{target.suffix}")
            images.write_image(images.with_pixels(original, step.image[0].cpu().numpy()), path)
            work.publish(path, PAINTED)

    def print_plan(plan: "Plan") -> None:
        rows, columns = plan.size
        tiles = f"{len(plan.tiles)} tiles of {plan.side}" if len(plan.tiles) > 1 else "untiled"
        memory = f"about {plan.memory / 1e9:.1f} GB of memory"
        terminal.tell(f"{work.source}: {columns} × {rows} pixels, {tiles}, {memory}")

    with usage_errors():
        result = stylize(work.source, list(style), progress=progress, planned=print_plan, **settings)
    images.write_image(result, target)
    return ""


def _stylize_sound(style: Sequence[Path], settings: dict[str, Any], work: Work) -> str:
    import numpy as np

    from audiocnn import audio
    from audiocnn.style import sounds

    target = work.targets[PAINTED]
    audio.check_suffix(target)

    def progress(step: "Step") -> None:
        work.update(step.done, step.total, f"loss {step.loss:.4f}")

    with usage_errors():
        samples, sample_rate = sounds.stylize_sound(work.source, list(style), progress=progress, **settings)
    audio.save(target, samples / max(np.abs(samples).max(), 1.0), sample_rate)
    return ""
