"""How a function becomes a command line: types, words, flags, groups, config files, and errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from audiocnn import files
from audiocnn.cli.parser import OptionGroup, build_parser, parse


@dataclass(frozen=True)
class Cooking:
    """How it is cooked.

    Args:
        heat_c: in degrees, 100 % of the time.
        herbs: what is added; None for nothing.
    """

    heat_c: float = 90.0
    herbs: tuple[str, ...] | None = None


def cook(
    paths: Sequence[Path],
    *,
    model: str = "soup",
    formats: Sequence[Literal["hot", "cold"]] = ("hot",),
    output: Path | None = None,
    tempo: float | None = None,
    batch_size: int = 1,
    whole: bool = False,
    **options: Annotated[Any, OptionGroup(Cooking, "cooking", own_defaults=False)],
) -> None:
    """Cook.

    Args:
        paths: what.
        model: which.
        formats: how.
        output: where.
        tempo: how fast.
        batch_size: how much.
        whole: all of it.
    """


def look(pattern: str = "*", *, detail: bool = True) -> None:
    """Look.

    Args:
        pattern: for what.
        detail: how closely.
    """


def parsed(*words: str) -> dict[str, Any]:
    return parse(build_parser(cook, "audiocnn cook", "audiocnn cook soup"), words)


DEFAULTS = {
    "paths": (Path("a"),),
    "model": "soup",
    "formats": ("hot",),
    "output": None,
    "tempo": None,
    "batch_size": 1,
    "whole": False,
}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a", {}),
        ("a b/", {"paths": (Path("a"), Path("b/"))}),
        (
            "1e3 null yes",
            {"paths": (Path("1e3"), Path("null"), Path("yes"))},
        ),  # names, whatever YAML makes of them
        ("a --model 12", {"model": "12"}),
        ("a --formats cold hot --tempo 3", {"formats": ("cold", "hot"), "tempo": 3.0}),
        ("a --output out --batch-size 2", {"output": Path("out"), "batch_size": 2}),
        ("a --whole", {"whole": True}),
        ("a --no-whole", {"whole": False}),
        ("a --heat-c 80", {"heat_c": 80.0}),
        ("a --herbs dill mint", {"herbs": ("dill", "mint")}),
        ("a --tempo null", {}),
    ],
)
def test_words(words: str, expected: dict[str, Any]) -> None:
    assert parsed(*words.split()) == {**DEFAULTS, **expected}


def test_what_is_before_a_star_is_positional() -> None:
    parser = build_parser(look, "audiocnn look", "audiocnn look")
    assert parse(parser, []) == {"detail": True}
    assert parse(parser, ["res*", "--no-detail"]) == {"pattern": "res*", "detail": False}
    assert parser.usage == "audiocnn look [PATTERN] [options]"


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("paths: [a]\nformats: [cold]\nheat_c: 80", "", {"formats": ("cold",), "heat_c": 80.0}),
        ("paths: [b]\nwhole: true", "a --no-whole", {}),
        ("tempo: null\noutput: out", "a", {"output": Path("out")}),
    ],
)
def test_config(tmp_path: Path, text: str, words: str, expected: dict[str, Any]) -> None:
    (tmp_path / "cook.yaml").write_text(text)
    assert parsed("--config", str(tmp_path / "cook.yaml"), *words.split()) == {**DEFAULTS, **expected}


def test_no_such_config() -> None:
    with pytest.raises(files.FileError, match=r"^nowhere\.yaml: no such file, and no shipped config"):
        parsed("a", "--config", "nowhere.yaml")


def test_a_config_can_be_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="0"):
        parsed("a", "--heat-c", "80", "--print-config")
    (tmp_path / "cook.yaml").write_text(capsys.readouterr().out)
    assert parsed("--config", str(tmp_path / "cook.yaml")) == {**DEFAULTS, "heat_c": 80.0}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("", "the following arguments are required: paths"),
        ("a --tempo fast", "--tempo is 'fast', expected a finite number"),
        ("a --batch-size 1.5", "--batch-size is '1.5', expected a whole number"),
        ("a --formats hot lukewarm", "--formats is 'lukewarm', expected one of hot, cold"),
        ("a --formats", "argument --formats: expected at least one argument"),
        ("a --heat-c high", "--heat-c is 'high', expected a finite number"),
        ("a --batch_size 2", "unrecognized arguments: --batch_size 2"),
        ("a --batch 2", "unrecognized arguments: --batch 2"),
    ],
)
def test_wrong_words(capsys: pytest.CaptureFixture[str], words: str, reason: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        parsed(*words.split())
    assert capsys.readouterr().err == f"audiocnn cook: {reason} (see audiocnn cook --help)\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("taste: good", "Option 'taste' is not accepted"),
        ("formats: hot", "--formats is 'hot' in FILE, expected a list"),
        ("whole: maybe", "--whole is 'maybe' in FILE, expected true or false"),
        ("tempo: fast", "--tempo is 'fast', expected a finite number"),
        ("[a, b", "Problems parsing config: while parsing a flow sequence"),
    ],
)
def test_wrong_config(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "cook.yaml").write_text(text)
    with pytest.raises(SystemExit, match="2"):
        parsed("a", "--config", str(tmp_path / "cook.yaml"))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"audiocnn cook: {reason.replace('FILE', str(tmp_path / 'cook.yaml'))}")


def test_an_argument_that_the_verb_refuses_is_spelled_as_it_was_given(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        build_parser(cook, "audiocnn cook", "").error("batch_size is 0, expected 1 or more")
    expected = "audiocnn cook: --batch-size is 0, expected 1 or more (see audiocnn cook --help)\n"
    assert capsys.readouterr().err == expected


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    build_parser(cook, "audiocnn cook", "audiocnn cook soup").print_help()
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("usage: audiocnn cook PATHS ... [options] Cook. example: audiocnn cook soup")
    for part in (
        "--formats NAME [NAME ...] how (one of hot, cold; default: hot)",
        "--whole, --no-whole all of it (default: no)",
        "cooking: --heat-c X in degrees, 100 % of the time --herbs NAME [NAME ...] what is added; null",
    ):
        assert part in text


def test_an_empty_list_where_something_is_needed(run, tmp_path) -> None:
    (tmp_path / "config.yaml").write_text("paths: []\n")
    done = run("classify", "--config", tmp_path / "config.yaml")
    assert (done.status, done.out) == (2, [])
    assert "PATHS is [] in " in done.err[0] and ", expected a list of one or more" in done.err[0]


@pytest.mark.parametrize("line", ["model: null", "top: null"])
def test_null_where_something_is_needed(run, tmp_path, line: str) -> None:
    (tmp_path / "config.yaml").write_text(f"paths: [a.wav]\n{line}\n")
    done = run("classify", "--config", tmp_path / "config.yaml")
    assert (done.status, len(done.err)) == (2, 1)
