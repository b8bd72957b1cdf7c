"""The contract of every verb: its help, the spelling of its options, a wrong one, and its example."""

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from audiocnn.cli import LIGHTNING_VERBS, VERBS, find_function
from audiocnn.cli.parser import VerbParser, build_parser, parse

OWN = [verb for verb in VERBS if verb not in LIGHTNING_VERBS]
# Verbs whose functions stand beside what trains, or read and write images.
NEED_TORCH = ("data prepare clips", "data shard", "data prepare mnist", "data prepare cifar10")


def parser_of(verb: str) -> VerbParser:
    return build_parser(find_function(verb), f"audiocnn {verb}", VERBS[verb].example)


@pytest.mark.parametrize("verb", VERBS)
def test_help_begins_with_what_the_verb_does_and_an_example(run, verb: str) -> None:
    done = run(*verb.split(), "--help")
    assert (done.status, done.err) == (0, [])
    assert done.out[0].startswith(f"usage: audiocnn {verb}")
    assert re.fullmatch(r"[A-Z].*[.:]", done.out[2])
    assert f"  {VERBS[verb].example}" in done.out[:8]


@pytest.mark.parametrize("verb", OWN)
def test_help_explains_every_argument(verb: str) -> None:
    for action in parser_of(verb)._actions:
        assert action.help and action.help.strip(), action.dest
        assert all(re.fullmatch(r"-h|--[a-z]+(-[a-z]+)*", option) for option in action.option_strings)


@pytest.mark.parametrize("verb", OWN)
def test_help_shows_every_default(verb: str) -> None:
    for action in parser_of(verb)._actions:
        if action.option_strings and action.default not in (None, [], "==SUPPRESS=="):
            value = action.default
            shown = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
            shown = " ".join(map(str, shown)) if isinstance(shown, list) else shown
            assert f"default: {shown})" in action.help, action.dest


@pytest.mark.parametrize("verb", VERBS)
def test_unknown_option(run, verb: str) -> None:
    done = run(*verb.split(), "--sing", "loud")
    assert (done.status, done.out, len(done.err)) == (2, [], 1)
    assert done.err[0].startswith(f"audiocnn {verb}: ")
    assert done.err[0].endswith(f"(see audiocnn {verb} --help)")


@pytest.mark.parametrize("verb", [verb for verb in OWN if verb != "search"])  # whose example is a config
def test_example_can_be_parsed_and_put_into_a_config(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program, *words = shlex.split(VERBS[verb].example.rpartition("| ")[2])
    n_words = len(verb.split())
    assert [program, *words[:n_words]] == ["audiocnn", *verb.split()]
    given = parse(parser_of(verb), words[n_words:])
    with pytest.raises(SystemExit, match="0"):
        parse(parser_of(verb), [*words[n_words:], "--print-config"])
    (tmp_path / "config.yaml").write_text(capsys.readouterr().out)
    assert parse(parser_of(verb), ["--config", str(tmp_path / "config.yaml")]) == given


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in NEED_TORCH])
def test_help_needs_no_torch(verb: str) -> None:
    words = [*verb.split(), "--help"]
    code = f"import sys; from audiocnn.cli import main\ntry: main({words})\n"
    code += "finally: assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def numbers_of(parser: VerbParser) -> list[argparse.Action]:
    """The arguments that are numbers, or several of them."""
    hints = {action: getattr(action, "_typehint", None) for action in parser._actions}
    return [action for action, hint in hints.items() if {int, float} & {hint, *get_args(hint)}]


@pytest.mark.parametrize("verb", [verb for verb in OWN if numbers_of(parser_of(verb))])
def test_no_number_is_nan_or_infinite(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the command line, where YAML reads some spellings as numbers, and in a config file."""
    parser, example = parser_of(verb), shlex.split(VERBS[verb].example.rpartition("| ")[2])
    config = tmp_path / "config.yaml"
    for action in numbers_of(parser):
        name, given = action.option_strings[-1], example[1 + len(verb.split()) :]
        if name in given:
            del given[given.index(name) : given.index(name) + 2]
        for number in ("nan", ".nan", "inf", "-.inf", "1e999"):
            config.write_text(f"{action.dest}: {f'[{number}]' if action.nargs == '+' else number}")
            for words in ([f"{name}={number}"], ["--config", str(config)]):
                with pytest.raises(SystemExit, match="2"):
                    parse(parser, [*given, *words])
                [line] = capsys.readouterr().err.splitlines()
                assert re.search(rf": {name} is .*, expected a (finite|whole) number \(see", line), line


@pytest.mark.parametrize("number", ["nan", ".nan", ".inf", "1e999"])
def test_no_number_of_a_training_is_nan_or_infinite(run, number: str) -> None:
    for option in ("--trainer.gradient_clip_val", "--model.init_args.learning_rate"):
        done = run("fit", "--config", "digits", f"{option}={number}")
        assert (done.status, done.out, len(done.err)) == (2, [], 1)
        assert option.rpartition(".")[2] in done.err[0]


@pytest.mark.parametrize("verb", VERBS)
def test_empty_words(run, verb: str) -> None:
    """An empty word would be the current folder."""
    for words, argument in (
        (["--config", ""], "--config"),
        (["--config="], "--config"),
        ([""], "an argument"),
    ):
        done = run(*verb.split(), *words)
        assert (done.status, done.out) == (2, [])
        reason = f"{argument} is '', expected a path, a name or a number"
        assert done.err == [f"audiocnn {verb}: {reason} (see audiocnn {verb} --help)"]


def test_empty_value_in_a_config(run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("output: ''")
    done = run("transcribe", "song.wav", "--config", tmp_path / "config.yaml")
    assert (done.status, done.out, len(done.err)) == (2, [], 1)
    assert f"output is '' in {tmp_path / 'config.yaml'}, expected a path" in done.err[0]


@pytest.mark.parametrize("verb", OWN)
def test_option_given_twice(run, verb: str) -> None:
    options = {action.dest: action.option_strings for action in parser_of(verb)._actions}
    for spellings in [strings for dest, strings in options.items() if dest not in ("help", "config")]:
        if spellings:
            done = run(*verb.split(), f"{spellings[0]}=1", f"{spellings[-1]}=2")
            assert (done.status, done.out, len(done.err)) == (2, [], 1)
            assert f"{spellings[0]} is given 2 times, expected once" in done.err[0]


@pytest.mark.parametrize("verb", VERBS)
def test_config_that_is_no_text(run, verb: str, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_bytes(b"tempo: \xff")
    done = run(*verb.split(), "--config", config)
    assert (done.status, done.out) == (1, [])
    reason = "'utf-8' codec can't decode byte 0xff in position 7: invalid start byte"
    assert done.err == [f"{config}: no YAML: {reason}"]
