"""`audiocnn classify`: recordings in; what they are, as lines and in files beside them or in a folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import audiocnn
from audiocnn.cli import recordings
from audiocnn.cli.arguments import UsageError, questions

if TYPE_CHECKING:
    from audiocnn.inference.classify import Classification

Format = Literal["json", "csv", "png"]
LEAST_SHOWN = 0.005  # a probability that is told as 0 % is not told


def classify(
    paths: Sequence[Path],
    model: Sequence[str] = ("genre", "instrument"),
    top: int = 5,
    timeline: bool = False,
    formats: Sequence[Format] = (),
    output: Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
) -> int:
    """Tells what audio files are, and all audio files in folders: their genre, the instruments in them.

    A line for each: its likeliest labels, or unknown. With formats, song.mp3 and the model genre give
    song.genre.json (all that is known), song.genre.csv (the probabilities along time) and song.genre.png (the
    same under the spectrogram). What is there already stays, and its recording is not heard again. A file
    that cannot be read or written is told in one line and the others go on; the exit status is then 1.

    Args:
        paths: audio files, and folders to search for them.
        model: a model's name (see `audiocnn models`) or file; of several with the same labels the mean is
            taken, others answer one after the other.
        top: how many labels are told, at most.
        timeline: tells also what is heard when.
        formats: what to write, of json, csv and png; json where only an output is given.
        output: folder to write to, with the subfolders of the folders searched; without it, what is written
            stands beside the recordings.
        device: what the network runs on, such as cpu or cuda.
        overwrite: writes anew what is there already.
    """
    if top < 1:
        raise UsageError(f"top is {top}, expected 1 or more")
    if output is not None and not formats:
        formats = ("json",)
    asked = questions(model, device)
    suffixes = {f"{name}.{kind}": f".{name}.{kind}" for name in asked for kind in formats}

    def hear(source: Path, targets: dict[str, Path], progress: recordings.Progress) -> str:
        pass

        said, stretches = [], []
        for name, models in asked.items():
            writes = [kind for kind in formats if f"{name}.{kind}" in targets]
            if formats and not writes:
                continue
            heard = audiocnn.classify(source, models, device=device, progress=progress)
            for kind in writes:
                getattr(heard, f"to_{kind}")(targets[f"{name}.{kind}"])
            title = f"{name}: " if len(asked) > 1 else ""
            said.append(title + whole(heard, top))
            stretches += [f"  {title}{line}" for line in along(heard, top)] if timeline else []
        return "\n".join(["; ".join(said), *stretches])

    return recordings.hear(paths, output, suffixes, overwrite, lambda: hear)


def whole(heard: "Classification", top: int) -> str:
    """The likeliest labels of a recording."""
    from audiocnn.labels import format_predictions

    labels = [] if heard.unknown else heard.labels[:top]
    return format_predictions([one for one in labels if one.probability >= LEAST_SHOWN])


def along(heard: "Classification", top: int) -> Iterator[str]:
    """A line for each stretch in which the same is heard."""
    from audiocnn.labels import format_predictions

    for part in heard.segments:
        yield f"{clock(part.start_s):>9} - {clock(part.end_s):>9}  {format_predictions(part.heard[:top])}"


def clock(time_s: float) -> str:
    """Hours, where there are any, minutes, and seconds to tenths: 1:02:03.4."""
    minutes, tenths = divmod(round(10 * time_s), 600)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}:{minutes:02}" if hours else f"{minutes}") + f":{tenths / 10:04.1f}"
