"""`audiocnn explain`: recordings or images, and a model -> a page for each that explains the predictions."""

from collections.abc import Sequence
from pathlib import Path

from audiocnn import audio, inputs, ranges
from audiocnn.cli import jobs
from audiocnn.cli.loading import load_model
from audiocnn.cli.parser import usage_errors
from audiocnn.cli.staging import Output, Work, describe_making
from audiocnn.ranges import ArgumentError

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
    """Show why a model predicts what it predicts: a page with plots and sounds for each recording or image.

    song.mp3 and the model genre give the folder song.genre.explained with index.html, plots and sounds: for
    each label its saliency maps, the recording filtered by them, and the spectrogram that maximises its
    score; the channels that contribute most to it; the model's kernels and receptive fields. Of a model that
    transcribes notes one note is explained; of a model of images, such as efficientnet_lite0, an image. A
    page made from the same recording by the same model with the same options is not made again, as the hidden
    folder .audiocnn beside it records; pages that audiocnn did not write, or that were changed since, are
    kept. A file that cannot be read or written is reported in one line and the others go on; the exit status
    is then 1.

    Args:
        paths: audio files or images, and folders to search for them.
        model: a model's name (see `audiocnn models`) or file.
        label: labels to explain; by default the most probable.
        top: number of most probable labels to explain.
        time: explain the prediction at this time, in seconds; by default where each label is most probable,
            or at the loudest note.
        note: pitch of the note to explain, as a MIDI note number.
        layer: layer at which class activation maps and Grad-CAM are computed, by its name in the network.
        among: folder of recordings or images to search for the patches that most activate a channel; by
            default the one that is explained.
        output: folder to write to, with the subfolders of the folders searched; by default the pages are
            written beside the recordings.
        device: device that the network runs on, such as cpu or cuda.
        overwrite: explain again, and overwrite existing pages.

    Returns:
        The exit status.
    """
    with usage_errors():
        ranges.check("top", top, ranges.COUNT)
        ranges.check("time", time, ranges.NOT_NEGATIVE)
        ranges.check("note", note, ranges.Range(0, 127))
    network = load_model(model, device)
    from audiocnn import images
    from audiocnn.explain.excerpts import ExplanationOptions
    from audiocnn.explain.page import write_page, write_photo_page
    from audiocnn.models.base import Model
    from audiocnn.models.image import ImageModel
    from audiocnn.models.notes import NotesModel

    options = ExplanationOptions(labels=label, top=top, time_s=time, midi=note, layer=layer)
    with usage_errors():
        options.check(network)
        if top != ExplanationOptions.top and (label or isinstance(network, NotesModel)):
            reason = "labels are given" if label else f"{network.name} transcribes notes"
            raise ArgumentError(f"top is given, expected none: {reason}")
    find = images.find_images if isinstance(network, ImageModel) else audio.find_recordings
    corpus = inputs.Found("files") if among is None else find(among)
    if among is not None:
        jobs.report_found(among, corpus)

    def process(work: Work) -> str:
        page = work.targets[PAGE]
        if isinstance(network, ImageModel):
            return write_photo_page(work.source, network, page, options, corpus.paths, work.update)
        assert isinstance(network, Model)
        return write_page(work.source, network, page, options, corpus.paths, work.update)

    searched = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in corpus]
    made_by = describe_making("explain", [model], explanation=options, among=searched)
    batch = jobs.Batch(
        outputs={PAGE: Output(f".{network.name}.explained/{PAGE}", made_by)},
        process=process,
        output=output,
        overwrite=overwrite,
        find=find,
        others=[Path(model), *corpus],
        measure=(lambda source: None) if isinstance(network, ImageModel) else audio.read_duration_s,
    )
    return jobs.process_files(paths, batch) or int(bool(corpus.unreadable))
