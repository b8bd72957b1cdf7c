"""The command line, `audiocnn VERB ...`: each verb is a function, imported when it is called.

Exit status: 0 when all that was asked was done, 1 when a file failed, 2 for wrong arguments, 128 + its number
after a signal: 130 after Ctrl-C. Whatever fails is reported in one line on the standard error.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import pairwise
from typing import NamedTuple

from audiocnn import __version__, files
from audiocnn.cli import errors, streams


class Verb(NamedTuple):
    """A verb of the command line.

    Attributes:
        home: its module in this package, and its function there.
        summary: what goes in -> what comes out.
        example: an example of its command line.
    """

    home: str
    summary: str
    example: str


VERBS = {
    "transcribe": Verb(
        "transcribe:transcribe",
        "audio files and folders -> notes: MIDI, tables, piano rolls",
        "audiocnn transcribe song.mp3 album/ --formats mid csv --output notes/",
    ),
    "classify": Verb(
        "classify:classify",
        "audio files or images -> genre, instruments or what is seen, also over time",
        "audiocnn classify song.mp3 --timeline --formats json png",
    ),
    "explain": Verb(
        "explain:explain",
        "audio files or images, and a model -> a page for each that explains its predictions",
        "audiocnn explain song.mp3 --model genre --label jazz blues",
    ),
    "stylize": Verb(
        "stylize:stylize",
        "images or sounds and a style -> images or sounds in that style",
        "audiocnn stylize cat.jpg --style starry_night.jpg --size 1024",
    ),
    "listen": Verb(
        "listen:listen",
        "raw samples on the standard input -> notes, in real time",
        "arecord -q -t raw -f S16_LE -r 44100 -c 1 | audiocnn listen --low-latency",
    ),
    "evaluate notes": Verb(
        "evaluate:evaluate_notes",
        "recordings with their notes -> precision, recall, F1",
        "audiocnn evaluate notes recordings/ --model notes-piano --output scores.json",
    ),
    "evaluate genre": Verb(
        "evaluate:evaluate_genre",
        "clips with their genre -> accuracy, F1, a page of plots",
        "audiocnn evaluate genre gtzan/ --split test --output report/",
    ),
    "evaluate instrument": Verb(
        "evaluate:evaluate_instrument",
        "clips with their instruments -> accuracy, F1, a page of plots",
        "audiocnn evaluate instrument irmas/ --split test --output report/",
    ),
    "evaluate images": Verb(
        "evaluate:evaluate_images",
        "folders of images, one for each class -> top-1 and top-5 accuracy",
        "audiocnn evaluate images photographs/ --model my.safetensors",
    ),
    "data list": Verb("data:list_data", "the data sets whose layout is known", "audiocnn data list"),
    "data info": Verb(
        "data:info", "a data set -> where it comes from, its licence and split", "audiocnn data info gtzan"
    ),
    "data check": Verb(
        "data:check",
        "clips -> their counts; unreadable files, leaks, duplicates",
        "audiocnn data check my_music/",
    ),
    "data shard": Verb(
        "prepare:shard",
        "clips -> tar files to stream from disk or object storage",
        "audiocnn data shard my_music/ shards/ --shard-mb 256",
    ),
    "data prepare cifar10": Verb(
        "prepare:prepare_cifar10",
        "CIFAR-10, its binary version -> a folder of images for each class",
        "audiocnn data prepare cifar10 cifar-10-binary.tar.gz",
    ),
    "data prepare clips": Verb(
        "prepare:prepare_clips",
        "clips -> the cache that training reads",
        "audiocnn data prepare clips my_music/ --sample-rate 22050",
    ),
    "data prepare instruments": Verb(
        "prepare:prepare_instruments",
        "MIDI files and soundfonts -> clips with their instruments",
        "audiocnn data prepare instruments midi/ cache/instruments --soundfonts general.sf2 --hours 4",
    ),
    "data prepare maps": Verb(
        "prepare:prepare_maps",
        "MAPS piano recordings -> recordings with their notes",
        "audiocnn data prepare maps MAPS/ cache/maps",
    ),
    "data prepare mnist": Verb(
        "prepare:prepare_mnist",
        "MNIST as it is downloaded -> the files that training reads",
        "audiocnn data prepare mnist downloads/mnist",
    ),
    "data prepare render": Verb(
        "prepare:prepare_render",
        "MIDI files and soundfonts -> recordings with their notes",
        "audiocnn data prepare render midi/ cache/render --soundfonts general.sf2 --hours 8",
    ),
    "data prepare sentiment": Verb(
        "prepare:prepare_sentiment",
        "sentences of film reviews -> the tables that training reads",
        "audiocnn data prepare sentiment CNN_sentence/",
    ),
    "data prepare speech": Verb(
        "prepare:prepare_speech",
        "speech without notes -> negative examples",
        "audiocnn data prepare speech cache/speech --minutes 30",
    ),
    "fit": Verb(
        "fit:run",
        "a config -> a trained model, in checkpoints",
        "audiocnn fit --config genre_folder --data.path my_music/ --trainer.max_epochs 30",
    ),
    "validate": Verb(
        "fit:run",
        "a config and a checkpoint -> scores on the validation data",
        "audiocnn validate --config genre_folder --data.path my_music/ --ckpt_path last",
    ),
    "test": Verb(
        "fit:run",
        "a config and a checkpoint -> scores on the test data",
        "audiocnn test --config digits --ckpt_path last",
    ),
    "search": Verb(
        "search:search",
        "a config and a space of cells -> the config of the best network",
        "audiocnn search --config search_digits --output found/",
    ),
    "configs": Verb("configs:show_configs", "the shipped configs to train with, by name", "audiocnn configs"),
    "export": Verb(
        "export:export",
        "a checkpoint or a model -> a model file (.safetensors) or ONNX",
        "audiocnn export my.safetensors --checkpoint runs/genre_folder",
    ),
    "models": Verb(
        "models:list_models",
        "the shipped models, and the networks to train with their costs",
        "audiocnn models 'resnet*' --classes 10",
    ),
}

LIGHTNING_VERBS = ("fit", "validate", "test")  # their parser is Lightning's


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        arguments: words of the command line; those of the process when None, whose standard streams and
            signals are then taken care of.

    Returns:
        The exit status.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    verb = next((verb for verb in VERBS if words[: len(verb.split())] == verb.split()), None)
    if arguments is None:
        _prepare_process(verb)
    try:
        with errors.show_warnings() as shown:
            status = _show_verbs(words) if verb is None else _run(verb, words[len(verb.split()) :])
            status = status or int(files.PartWarning in shown)
        sys.stdout.flush()
    except SystemExit:  # of a parser, which has printed its line
        raise
    except BaseException as error:
        return errors.report(error, f"audiocnn {verb or ''}".rstrip())
    return status


def _prepare_process(verb: str | None) -> None:
    streams.prepare()
    errors.report_strays()
    if verb is not None:  # the list of verbs is shown sooner than this is imported
        from audiocnn.cli import interrupts

        interrupts.install()


def find_function(verb: str) -> Callable[..., int]:
    """Import a verb's function."""
    module, _, name = VERBS[verb].home.partition(":")
    return getattr(import_module(f"{__name__}.{module}"), name)


def _run(verb: str, words: list[str]) -> int:
    _refuse_empty(words)
    _check_folder()
    function = find_function(verb)
    if verb in LIGHTNING_VERBS:
        return function(verb, words)
    from audiocnn.cli.parser import UsageError, build_parser, parse

    parser = build_parser(function, f"audiocnn {verb}", VERBS[verb].example)
    try:
        return function(**parse(parser, words)) or 0
    except UsageError as error:
        parser.error(errors.describe(error))


def _check_folder() -> None:
    """Check that there is a current folder: without one, libraries end the process as they are loaded."""
    try:
        os.getcwd()
    except OSError as error:
        raise files.FileError(".", f"no current folder: {files.describe_error(error)}") from error


def _refuse_empty(words: list[str]) -> None:
    """Refuse empty words, which would mean the current folder where a path is expected."""
    for before, word in pairwise(["", *words]):
        name, equals, value = word.partition("=")
        if not value and (equals or not name):
            named = name or before
            argument = named if named.startswith("--") else "an argument"
            raise errors.UsageError(f"{argument} is '', expected a path, a name or a number")


def _show_verbs(words: list[str]) -> int:
    """Print the verbs, those of a group where its name is given (`data`); an error without --help."""
    if words == ["--version"]:
        print(__version__)
        return 0
    is_help = not words or not {"-h", "--help"}.isdisjoint(words)
    stream = sys.stdout if is_help else sys.stderr
    group = next((f"{words[0]} " for verb in VERBS if words and verb.startswith(f"{words[0]} ")), "")
    shown = {verb: summary for verb, (_, summary, _) in VERBS.items() if verb.startswith(group)}
    print(f"usage: audiocnn {group}VERB ...\n", file=stream)
    for verb, summary in shown.items():
        print(f"  {verb:{max(map(len, shown)) + 2}}{summary}", file=stream)
    print("\n`audiocnn VERB --help` shows a verb's arguments and an example.", file=stream)
    if not is_help:
        print(f"\naudiocnn: no such verb: {files.printable(' '.join(words))}", file=stream)
    return 0 if is_help else 2
