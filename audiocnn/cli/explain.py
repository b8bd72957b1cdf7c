"""`audiocnn explain`: recordings and a model -> a page for each that explains the predictions."""

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
    each label its saliency maps, the recording filtered by them, and the spectrogram that maximises its
    score; the channels that contribute most to it; the model's kernels and receptive fields. Of a model that
    transcribes notes one note is explained. Existing pages are kept. A file that cannot be read or written is
    reported in one line and the others go on; the exit status is then 1.

    Args:
        paths: audio files, and folders to search for them.
        model: a model's name (see `audiocnn models`) or file.
        label: labels to explain; by default the most probable.
        top: number of most probable labels to explain.
        time: explain the prediction at this time, in seconds; by default where each label is most probable,
            or at the loudest note.
        note: pitch of the note to explain, as a MIDI note number.
        layer: layer at which class activation maps and Grad-CAM are computed, by its name in the network.
        among: folder of recordings to search for the patches that most activate a channel; by default the
            recording that is explained.
        output: folder to write to, with the subfolders of the folders searched; by default the pages are
            written beside the recordings.
        device: device that the network runs on, such as cpu or cuda.
        overwrite: overwrite existing pages.

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
