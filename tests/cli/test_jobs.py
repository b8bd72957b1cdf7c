"""Batches: which files are inputs, what is told of them, and what one file may do to the others."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import audiocnn
from tests.verb_cases import CASES, TONES, Case

QUICK = [name for name in CASES if name not in ("explain", "transcribe to sound")]
STRANGE = {
    "newline": "a\nb",
    "escape sequence": "\x1b[31mred\x07",
    "markup": "[bold]x[red] [x]",
    "dash": "--help",
    "spaces": " a  b ",
    "not UTF-8": os.fsdecode(b"caf\xe9"),
    "another script": "月光🎹",
    "direction": "a\u202egpj",
    "pattern": "*?[a-z]",
    "quotes": "'\"$HOME`id`\\",
}


@pytest.fixture(params=[*QUICK, pytest.param("explain", marks=pytest.mark.slow)])
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def words(case: Case, one_tone: Path, tmp_path: Path) -> list[object]:
    """The command line without inputs; the folder "in" holds one good input."""
    case.write(tmp_path / "in" / f"good{case.suffix}")
    case.write_network(tmp_path / case.network, one_tone)
    return [case.option, tmp_path / case.network, *case.options]


@pytest.fixture
def ask(run, case: Case, words: list[object], tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """Runs the verb on the folder, or on other paths."""

    def ask(*paths: object, more=()) -> SimpleNamespace:
        return run(case.verb, *(paths or [tmp_path / "in"]), *more, *words)

    return ask


def written(folder: Path, case: Case) -> set[str]:
    """The outputs in a folder, of the input "song"."""
    return {
        os.fspath(path.relative_to(folder)) for path in folder.rglob(f"*{case.output.removeprefix('song')}")
    }


def test_results_hidden_files_and_other_types_are_no_inputs(ask, case: Case, tmp_path: Path) -> None:
    (tmp_path / "in" / "notes.txt").touch()
    case.write(tmp_path / "in" / f".hidden{case.suffix}")
    case.write(tmp_path / "in" / ".trash" / f"a{case.suffix}")
    kind = "image" if case.verb == "stylize" else "audio"
    for ours in ("", " 1 is a result of audiocnn,"):
        done = ask()
        assert done.status == 0
        assert done.err == [f"{tmp_path}/in: 1 file is no {kind},{ours} 2 are hidden: skipped"]
    assert "already done" in done.out[-1]
    assert len(written(tmp_path / "in", case)) == 1


def test_sound_that_was_written_is_no_input(run, tmp_path: Path) -> None:
    case = CASES["transcribe to sound"]
    case.write(tmp_path / "song.wav")
    case.write_network(tmp_path / case.network, TONES)
    case.write(tmp_path / "duet.notes.wav")  # whose name alone does not make it one of ours
    command = ("transcribe", tmp_path, "--model", tmp_path / case.network, "--formats", "wav")
    assert len(run(*command).out) == 2
    done = run(*command)
    assert (done.status, len(done.out)) == (0, 2)
    assert "2 are results of audiocnn" in done.err[0]


def test_what_cannot_be_read_in_a_folder_is_named(ask, case: Case, tmp_path: Path) -> None:
    (tmp_path / "in" / "closed").symlink_to("gone")
    os.mkfifo(tmp_path / "in" / f"pipe{case.suffix}")
    (tmp_path / "in" / "loop").symlink_to("loop")
    done = ask()
    assert (done.status, len(written(tmp_path / "in", case))) == (1, 1)
    assert done.err == [
        f"{tmp_path}/in/closed: links to gone, which does not exist",
        f"{tmp_path}/in/loop: Too many levels of symbolic links",
        f"{tmp_path}/in/pipe{case.suffix}: is a pipe, expected a file",
    ]


def test_a_pipe_as_an_argument(ask, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = ask(tmp_path / "pipe")
    assert (done.status, done.out) == (1, [])
    assert done.err == [f"{tmp_path}/pipe: is a pipe, expected a file"]


def test_one_file_named_twice_is_processed_once(run, case: Case, words: list, tmp_path: Path) -> None:
    if case.verb == "stylize":
        pytest.skip("takes one path")
    good = tmp_path / "in" / f"good{case.suffix}"
    paths = [good, good, tmp_path / "in", os.path.relpath(good), tmp_path / "in" / ".." / "in" / good.name]
    done = run(case.verb, *paths, *words)
    assert (done.status, len(done.out), done.err) == (0, 1, [])


def test_one_file_by_two_names_is_processed_once(ask, case: Case, tmp_path: Path) -> None:
    (tmp_path / "in" / f"z{case.suffix}").symlink_to(f"good{case.suffix}")
    done = ask()
    line = f"{tmp_path}/in/z{case.suffix}: is the same file as {tmp_path}/in/good{case.suffix}"
    assert (done.status, done.err) == (0, [f"{line}, which is processed once"])
    assert len(written(tmp_path / "in", case)) == 1


def test_strange_names(ask, case: Case, tmp_path: Path) -> None:
    sources = [tmp_path / "in" / name / f"{name}{case.suffix}" for name in STRANGE.values()]
    for source in sources:
        source.parent.mkdir()
        source.with_suffix(".txt").touch()
        source.write_bytes((tmp_path / "in" / f"good{case.suffix}").read_bytes())
    done = ask()
    assert (done.status, len(done.err)) == (0, 1), done.err
    assert all(line.isprintable() for line in done.out)
    assert sum(" -> " in line for line in done.out) == len(sources) + 1
    for source in sources:
        assert (source.parent / case.output.replace("song", source.stem, 1)).stat().st_size > 0
    assert all("already done" in line for line in ask().out)


def test_names_that_are_too_long(ask, case: Case, tmp_path: Path) -> None:
    for letter in "ab":
        case.write(tmp_path / "in" / f"{letter * (255 - len(case.suffix))}{case.suffix}")
    done = ask()
    outputs = written(tmp_path / "in", case)
    if case.output == "song.mid":  # as long as song.wav
        assert (done.status, len(outputs)) == (0, 3)
        assert all("already done" in line for line in ask().out)
    else:
        assert (done.status, len(outputs), len(done.err)) == (1, 1, 2)
        assert all(line.endswith(": File name too long") for line in done.err)


# A target that is an input -> the arguments, besides those of the network.
CLASHES: dict[str, tuple[str, Callable[[Path], list[object]]]] = {
    "the content": ("stylize", lambda folder: [folder / "good.png", "--output", folder / "good.png"]),
    "a link to it": ("stylize", lambda folder: [folder / "good.png", "--output", folder / "link.png"]),
    "the style": ("stylize", lambda folder: [folder / "good.png", "--output", folder.parent / "night.png"]),
    "a recording named as notes": ("transcribe", lambda folder: [folder / "song.mid"]),
    "a link from the notes": ("transcribe", lambda folder: [folder / "good.wav"]),
}


@pytest.mark.parametrize("clash", CLASHES)
@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_inputs_are_never_overwritten(run, tmp_path: Path, one_tone: Path, clash: str, more: list) -> None:
    verb, arguments = CLASHES[clash]
    case, folder = CASES[verb], tmp_path / "in"
    good = case.write(folder / f"good{case.suffix}")
    case.write_network(tmp_path / case.network, one_tone)
    (folder / "song.mid").write_bytes(good.read_bytes())
    (folder / "link.png").symlink_to(good)
    (folder / "good.mid").symlink_to(good)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    done = run(verb, *arguments(folder), *more, case.option, tmp_path / case.network, *case.options)
    assert (done.status, done.out, len(done.err)) == (1, [], 1)
    assert done.err[0].endswith(": is one of the inputs, expected another output")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()} == before


def test_a_folder_where_the_output_would_be(ask, case: Case, tmp_path: Path) -> None:
    (tmp_path / "in" / case.output.replace("song", "good", 1)).mkdir(parents=True)
    for more in ([], ["--overwrite"]):
        done = ask(more=more)
        assert (done.status, done.out, len(done.err)) == (1, [], 1)
        assert "is a folder, expected a file to write" in done.err[0]


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("by zero"), IndexError(3), KeyError("k"), AssertionError()]
)
def test_an_error_that_nobody_expected_loses_its_own_file_only(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    case = CASES["transcribe"]
    for name in ("bad", "good"):
        case.write(tmp_path / f"{name}.wav")
    case.write_network(tmp_path / case.network, TONES)
    transcribe = audiocnn.transcribe

    def fail(source: Path, *arguments, **options):
        if source.stem == "bad":
            raise error
        return transcribe(source, *arguments, **options)

    monkeypatch.setattr(audiocnn, "transcribe", fail, raising=False)
    done = run("transcribe", tmp_path / "bad.wav", tmp_path / "good.wav", "--model", tmp_path / case.network)
    assert (done.status, len(done.out), len(done.err)) == (1, 1, 1)
    assert done.err[0].startswith(f"{tmp_path}/bad.wav: {type(error).__name__}")
    trace = Path(done.err[0].rpartition("traceback in ")[2].rstrip(")"))
    assert "in fail" in trace.read_text()
    assert (tmp_path / "good.mid").exists()


@pytest.mark.slow
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("case", [CASES["transcribe"]], ids=["transcribe"])
def test_two_processes_on_one_folder(case: Case, words: list, tmp_path: Path, program, same: bool) -> None:
    for number in range(3):
        case.write(tmp_path / "in" / f"{number}{case.suffix}", seed=number)
    folder, changed = tmp_path / "in", words if same else [*words[:2], *case.changed]
    commands = [[*program, case.verb, folder, *one] for one in (words, changed)]
    running = [
        subprocess.Popen([*map(str, one)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for one in commands
    ]
    said = [one.communicate(timeout=300) for one in running]
    assert "Traceback" not in str(said)
    assert len(written(folder, case)) == 4
    assert [path.name for path in folder.glob(".*")] == [".audiocnn"]
    # Whoever was last: everything can be done again, and then it is done.
    for expected in ("", "already done"):
        done = subprocess.run([*map(str, commands[0])], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stderr, said)
        assert all(expected in line for line in done.stdout.splitlines())


def test_two_models_of_one_name(run, tmp_path: Path, one_tone: Path, alto: Path) -> None:
    for name, model in (("a", one_tone), ("b", alto)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.safetensors").write_bytes(model.read_bytes())
    models = [tmp_path / name / "m.safetensors" for name in "ab"]
    song = CASES["classify"].write(tmp_path / "song.wav")
    done = run("classify", song, "--formats", "json", "--model", *models)
    assert (done.status, done.out, len(done.err)) == (2, [], 1)
    assert f"models are {models[0]} {models[1]}, expected files of different names" in done.err[0]
