"""The command line, `audiocnn VERB ...`: each verb is a function, imported when it is called for.

Exit status: 0 when all went well, 1 when a file failed, 2 for wrong arguments, 130 after Ctrl-C. That, and
what a file is to blame for (`path: reason`), is told in one line on the standard error.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from audiocnn import __version__, files
from audiocnn.cli import interrupts

# verb -> (module:function here, what it does)
VERBS = {
    "transcribe": ("transcribe:transcribe", "audio files and folders -> notes: MIDI, table, picture"),
    "classify": ("classify:classify", "audio files and folders -> genre or instruments, along time"),
    "explain": ("explain:explain", "audio files and folders and a model -> pages that show what it used"),
    "stylize": ("stylize:stylize", "pictures and a style -> pictures in that style"),
    "listen": ("listen:listen", "raw sound from the standard input -> notes, told as they come"),
    "evaluate notes": ("evaluate:evaluate_notes", "recordings with their notes -> precision, recall, F1"),
    "evaluate genre": ("evaluate:evaluate_genre", "clips with their genre -> accuracy, F1, pictures"),
    "evaluate instrument": ("evaluate:evaluate_instrument", "clips with instruments -> the same of those"),
    "data list": ("data:list_data", "the data sets there are"),
    "data info": ("data:info", "a data set -> where it comes from, its licence and split"),
    "data check": ("data:check", "clips -> their counts; what is broken, leaks, or is there twice"),
    "data shard": ("prepare:shard", "clips -> tar files to stream from disk or object storage"),
    "data prepare clips": ("prepare:prepare_clips", "clips -> the cache that training reads, made ahead"),
    "data prepare instruments": (
        "prepare:prepare_instruments",
        "MIDI files and soundfonts -> clips with instruments to train on",
    ),
    "data prepare maps": ("prepare:prepare_maps", "MAPS piano recordings -> a cache to train on"),
    "data prepare render": ("prepare:prepare_render", "MIDI files and soundfonts -> a cache to train on"),
    "data prepare speech": ("prepare:prepare_speech", "voices without notes -> a cache to train on"),
    "fit": ("training:lightning", "a config -> a trained model, in checkpoints"),
    "validate": ("training:lightning", "a config and a checkpoint -> its validation scores"),
    "test": ("training:lightning", "a config and a checkpoint -> its test scores"),
    "search": (
        "search:command",
        "a config and what cells are made of -> the config of the best network found",
    ),
    "export": ("export:export", "a checkpoint or a model -> a model file (.safetensors) or ONNX"),
    "models": ("models:list_models", "the models and networks there are, with what they cost here"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line, that of the process when None, and gives its exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    verb = next((verb for verb in VERBS if arguments[: len(verb.split())] == verb.split()), None)
    try:
        return _help(arguments) if verb is None else _run(verb, arguments[len(verb.split()) :])
    except files.FileError as error:
        print(error, file=sys.stderr)
        return 1
    except (
        BrokenPipeError
    ):  # whoever reads our output has had enough; the interpreter flushes once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _run(verb: str, arguments: list[str]) -> int:
    module, _, name = VERBS[verb][0].partition(":")
    with interrupts.held():
        function = getattr(import_module(f"{__name__}.{module}"), name)
    if module in ("training", "search"):  # what takes a config has a parser of its own
        return function(verb, arguments)
    from audiocnn.cli.arguments import UsageError, parser_of

    parser = parser_of(function, f"audiocnn {verb}")
    try:
        return function(**vars(parser.parse_args(arguments))) or 0
    except UsageError as error:
        parser.error(str(error))


def _help(arguments: list[str]) -> int:
    """Tells the verbs; wrongly asked for where the arguments are no verb."""
    if arguments == ["--version"]:
        print(__version__)
        return 0
    asked = not arguments or not {"-h", "--help"}.isdisjoint(arguments)
    width = max(map(len, VERBS)) + 2
    print("usage: audiocnn VERB ...\n", file=None if asked else sys.stderr)
    for verb, (_, summary) in VERBS.items():
        print(f"  {verb:{width}}{summary}", file=None if asked else sys.stderr)
    print("\naudiocnn VERB --help tells a verb's arguments.", file=None if asked else sys.stderr)
    if not asked:
        print(f"\naudiocnn: no such verb: {' '.join(arguments)}", file=sys.stderr)
    return 0 if asked else 2
