"""Outputs that are there already: when they are made again, and when they are left alone, by each verb."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import audiocnn
from tests.verb_cases import CASES, Case

# Pages take seconds each; and one format of the notes stands for all.
SLOW = {"explain", "transcribe to sound"}


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in CASES])
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def ask(run, case: Case, one_tone: Path, tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """Runs the verb on a song."""
    case.write(tmp_path / "in" / f"song{case.suffix}")
    case.write_network(tmp_path / case.network, one_tone)

    def ask(*more: object, path: str = f"song{case.suffix}", options=case.options) -> SimpleNamespace:
        network = [] if case.option in more else [case.option, tmp_path / case.network]
        return run(case.verb, tmp_path / "in" / path, *more, *network, *options)

    return ask


@pytest.fixture
def output(ask, case: Case, tmp_path: Path) -> Path:
    """The output of the song."""
    done = ask()
    assert (done.status, done.err) == (0, [])
    assert (tmp_path / "in" / case.output).stat().st_size > 0
    return tmp_path / "in" / case.output


def number(path: Path) -> int:
    """Return a file's number, which is another one when it is written again."""
    return path.stat().st_ino


def test_everything_alike_is_not_done_again(ask, case: Case, output: Path) -> None:
    before = number(output)
    done = ask()
    line = f"{output.parents[case.output.count('/')]}/song{case.suffix}: already done, see {output}"
    assert (done.status, done.err) == (0, [])
    assert done.out == [f"{line} (--overwrite does it again)"]
    assert number(output) == before
    assert ask("--overwrite").status == 0
    assert number(output) != before


def change_input(case: Case, output: Path, folder: Path, one_tone: Path) -> None:
    case.write(folder / "in" / f"song{case.suffix}", seed=1)


def change_network(case: Case, output: Path, folder: Path, one_tone: Path) -> None:
    case.write_network(folder / case.network, one_tone, seed=1)


def empty_output(case: Case, output: Path, folder: Path, one_tone: Path) -> None:
    output.write_bytes(b"")


def tear_output(case: Case, output: Path, folder: Path, one_tone: Path) -> None:
    before = output.stat().st_mtime_ns
    output.write_bytes(output.read_bytes()[:10])
    os.utime(output, ns=(before, before))


def remove_output(case: Case, output: Path, folder: Path, one_tone: Path) -> None:
    output.rename(folder / "removed")


@pytest.mark.parametrize("change", [change_input, change_network, empty_output, tear_output, remove_output])
def test_done_again_when_something_differs(
    ask, case: Case, output: Path, tmp_path: Path, one_tone: Path, change: Callable[..., None]
) -> None:
    before = number(output)
    change(case, output, tmp_path, one_tone)
    done = ask()
    assert (done.status, done.err) == (0, [])
    assert "already done" not in done.out[-1]
    what = "style" if case.verb == "stylize" else "model"
    replaced = f" (in place of the result with another {what})"
    assert done.out[-1].endswith(replaced) == (change is change_network)
    assert number(output) != before and output.stat().st_size > 10
    assert "already done" in ask().out[-1]


def test_done_again_by_another_version(ask, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiocnn, "__version__", "99.0")
    before = number(output)
    done = ask()
    assert (done.status, number(output) != before) == (0, True)
    assert done.out[-1].endswith("(in place of the result with another version of audiocnn)")


def test_done_again_with_other_options(ask, case: Case, output: Path) -> None:
    if not case.changed:
        pytest.skip("no option shapes the output")
    for options in (case.changed, case.options):
        before = number(output)
        done = ask(options=options)
        assert done.status == 0
        assert number(output) != before
        changed = str(case.changed[-2]).removeprefix("--").replace("-", "_")
        assert done.out[-1].endswith(f"(in place of the result with another {changed})")


def test_what_somebody_changed_is_kept(ask, output: Path) -> None:
    output.write_text("precious")
    done = ask()
    assert (done.status, done.out, len(done.err)) == (1, [], 1)
    assert done.err[0].endswith(": was changed since audiocnn wrote it: kept (--overwrite replaces it)")
    assert output.read_text() == "precious"
    assert ask("--overwrite").status == 0
    assert output.read_bytes() != b"precious"


def test_what_somebody_else_wrote_is_kept(ask, case: Case, tmp_path: Path) -> None:
    output = tmp_path / "in" / case.output
    output.parent.mkdir(exist_ok=True)
    output.write_text("precious")
    done = ask()
    assert (done.status, done.out, len(done.err)) == (1, [], 1)
    assert done.err[0].endswith(": is there and was not written by audiocnn: kept (--overwrite replaces it)")
    assert output.read_text() == "precious"


def test_the_output_of_another_input_is_kept(ask, case: Case, output: Path, tmp_path: Path) -> None:
    before = output.read_bytes()
    other = f"song{case.other_suffix}"
    case.write(tmp_path / "in" / other, seed=1)
    for _ in range(2):
        done = ask(path=other)
        assert (done.status, done.err) == (0, [])
    if case.verb == "stylize":  # whose outputs have the suffixes of their inputs
        assert done.out[-1].endswith(f"see {tmp_path}/in/song.night.webp (--overwrite does it again)")
    else:
        name = case.output.replace("song", other, 1)
        assert done.out == [
            f"{tmp_path}/in/{other}: already done, see {tmp_path}/in/{name} (--overwrite does it again)"
        ]
    assert output.read_bytes() == before


def test_inputs_of_one_name_in_a_folder_and_from_two(ask, case: Case, tmp_path: Path) -> None:
    case.write(tmp_path / "in" / "b" / f"song{case.suffix}", seed=1)
    case.write(tmp_path / "in" / "b" / f"song{case.other_suffix}", seed=2)
    assert ask(path="").status == 0
    again = ask(path="")
    assert (again.status, len([line for line in again.out if "already done" in line])) == (0, 3)
    both = [tmp_path / "in" / f"song{case.suffix}", tmp_path / "in" / "b" / f"song{case.suffix}"]
    if case.verb != "stylize":  # which takes one path
        done = ask(both[1], "--output", tmp_path / "out")
        assert (done.status, done.err) == (0, [])
        assert (tmp_path / "out" / case.output).exists()
        assert (tmp_path / "out" / "b" / case.output).exists()


def test_into_one_folder_one_after_the_other(ask, case: Case, tmp_path: Path) -> None:
    case.write(tmp_path / "in" / "b" / f"song{case.suffix}", seed=1)
    case.write(tmp_path / "in" / "c" / f"song{case.suffix}", seed=2)
    (tmp_path / "out").mkdir()
    places = []
    for folder in ("", "b/", "c/"):
        done = ask("--output", tmp_path / "out", path=f"{folder}song{case.suffix}")
        assert (done.status, done.err) == (0, [])
        places.append(done.out[-1].rpartition(" -> ")[2])
    assert len(set(places)) == 3
    for folder, place in zip(("", "b/", "c/"), places, strict=True):
        done = ask("--output", tmp_path / "out", path=f"{folder}song{case.suffix}")
        assert f"already done, see {place} (" in done.out[-1]


@pytest.mark.parametrize(
    ("wrong", "status", "reason"),
    [
        (["--device", "abacus"], 2, "--device is 'abacus': "),
        (["--device", "meta"], 2, "--device is 'meta': "),
        (["--model", "nobody"], 1, "nobody: no such model, expected a file or one of "),
    ],
)
def test_arguments_are_checked_before_what_is_done(
    ask, case: Case, output: Path, wrong: list, status: int, reason: str
) -> None:
    done = ask(*wrong, options=() if case.verb == "stylize" else case.options)
    assert (done.status, done.out, len(done.err)) == (status, [], 1)
    assert reason in done.err[0]


def test_arguments_are_checked_before_files(ask, case: Case) -> None:
    done = ask("--device", "abacus", path="missing")
    assert (done.status, len(done.err)) == (2, 1)


def test_a_record_that_cannot_be_written(ask, case: Case, tmp_path: Path) -> None:
    (tmp_path / "in" / ".audiocnn").write_text("in the way")
    done = ask()
    assert (done.status, len(done.err)) == (0, 1)
    assert "is written without a record of how" in done.err[0]
    assert (tmp_path / "in" / case.output).exists()


def test_folders_that_are_moved_with_their_outputs(ask, case: Case, output: Path, tmp_path: Path) -> None:
    (tmp_path / "in").rename(tmp_path / "out")
    (tmp_path / "in").symlink_to("out")
    assert "already done" in ask().out[-1]


@pytest.mark.slow
def test_a_page_has_no_files_of_the_one_before(run, tmp_path: Path, one_tone: Path) -> None:
    song = CASES["explain"].write(tmp_path / "song.wav")
    page = tmp_path / "song.one.explained"
    for label in ("low", "high"):
        assert run("explain", song, "--model", one_tone, "--label", label).status == 0
        (page / "mine.txt").touch()
        names = [path.name for path in page.iterdir()]
        assert any(label in name for name in names) and "mine.txt" in names
    assert not any("low" in name for name in names)
