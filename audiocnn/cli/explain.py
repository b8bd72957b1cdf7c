"""`audiocnn explain`: recordings and a model -> for each recording a page on what the model used."""

from collections.abc import Sequence
from pathlib import Path

from audiocnn import audio
from audiocnn.cli import jobs
from audiocnn.cli.loading import load_model
from audiocnn.cli.parser import UsageError, usage_errors

PAGE = "index.html"


def explain(
    paths: Sequence[Path],
    *,
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
    """Show why a model predicts what it predicts: a page with plots and sounds for each recording.

    song.mp3 and the model genre give the folder song.genre.explained with index.html, plots and sounds: for
    each label where in time and frequency the model looked, the recording filtered by that, and the
    spectrogram that would excite it most; the channels that spoke for it; its kernels and receptive fields.
    Of a model of notes one note is explained. Pages that exist stay. A file that cannot be read or written is
    reported in one line and the others go on; the exit status is then 1.

    Args:
        paths: audio files, and folders to search for them.
        model: a model's name (see `audiocnn models`) or file.
        label: the labels to explain; by default the likeliest.
        top: labels to explain, at most.
        time: explain the prediction at this time, in seconds; by default where each label is likeliest, or at
            the loudest note.
        note: the pitch of the note to explain, as a MIDI number.
        layer: the layer whose feature maps are shown, by its name in the network.
        among: a folder of recordings, in all of which the patches are sought that most excite a channel; by
            default in the one that is explained.
        output: folder to write to, with the subfolders of the folders searched; by default the pages stand
            beside the recordings.
        device: what the network runs on, such as cpu or cuda.
        overwrite: write pages that exist anew.

    Returns:
        The exit status.
    """
    if top < 1:
        raise UsageError(f"top is {top}, expected 1 or more")
    if time is not None and time < 0:
        raise UsageError(f"time is {time}, expected 0 or more")
    network = load_model(model, device)
    from audiocnn.explain.excerpts import ExplanationOptions
    from audiocnn.explain.page import write_page

    options = ExplanationOptions(labels=label, top=top, time_s=time, midi=note, layer=layer)
    with usage_errors():
        options.check(network)
    corpus = audio.find_recordings(among) if among else []

    def process(source: Path, targets: dict[str, Path], progress: jobs.Progress) -> str:
        return write_page(source, network, targets[PAGE], options, corpus, progress)

    suffixes = {PAGE: f".{network.name}.explained/{PAGE}"}
    return jobs.process_files(paths, output, suffixes, overwrite, lambda: process)
