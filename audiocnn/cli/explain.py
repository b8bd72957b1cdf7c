"""`audiocnn explain`: recordings and a model in; for each a page that shows what the model used."""

from collections.abc import Sequence
from pathlib import Path

from audiocnn import audio
from audiocnn.cli import recordings
from audiocnn.cli.arguments import UsageError, checked, loaded

PAGE = "index.html"


def explain(
    paths: Sequence[Path],
    model: str = "genre",
    label: Sequence[str] = (),
    top: int = 3,
    time: float | None = None,
    note: int | None = None,
    layer: str = "backbone",
    among: Path | None = None,
    output: Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
) -> int:
    """Shows why a model heard what it heard, and what it is made of: a page for each recording, to listen to.

    song.mp3 and the model genre give the folder song.genre.explained with index.html, spectrograms and sounds:
    for each label where in time and frequency the model looked, the recording filtered by that, and the
    spectrogram that would excite it most; the channels that spoke for it; its kernels and receptive fields. Of a
    model of notes one note is explained. What is there already stays. A file that cannot be read or written
    is told in one line and the others go on; the exit status is then 1.

    Args:
        paths: audio files, and folders to search for them.
        model: a model's name (see `audiocnn models`) or file.
        label: the labels to explain; by default the likeliest.
        top: how many of these, at most.
        time: explain what is heard there, in seconds; by default where each label is likeliest, or the
            loudest note.
        note: the pitch of the note to explain, as a MIDI number.
        layer: whose map is shown, by its name in the network.
        among: a folder of recordings, in all of which the patches are sought that most excite a channel; by
            default in the one that is explained.
        output: folder to write to, with the subfolders of the folders searched; without it, what is written
            stands beside the recordings.
        device: what the network runs on, such as cpu or cuda.
        overwrite: writes anew what is there already.
    """
    if top < 1:
        raise UsageError(f"top is {top}, expected 1 or more")
    if time is not None and time < 0:
        raise UsageError(f"time is {time}, expected 0 or more")
    task = loaded(model, device)
    from audiocnn.explain import page

    with checked():
        page.check(task, label, note, layer)
    data = audio.find_recordings(among) if among else []

    def hear(source: Path, targets: dict[str, Path], progress: recordings.Progress) -> str:
        return page.write_page(
            source,
            task,
            targets[PAGE],
            labels=label,
            top=top,
            time_s=time,
            midi=note,
            layer=layer,
            among=data,
            progress=progress,
        )

    suffixes = {PAGE: f".{task.name}.explained/{PAGE}"}
    return recordings.hear(paths, output, suffixes, overwrite, lambda: hear)
