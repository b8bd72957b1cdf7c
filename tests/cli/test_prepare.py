"""audiocnn data prepare and data shard: wrong arguments in one line; unexpected errors are not hidden."""

from pathlib import Path

import pytest

from audiocnn.cli import prepare

WRONG = {
    "prepare clips in": ["--sample-rate", "0"],
    "prepare instruments in out": ["--recordings-hours", "-1"],
    "prepare render in out": ["--hours", "-1"],
    "prepare render in out ": ["--workers", "-1"],
    "prepare speech out": ["--minutes", "0"],
    "shard in out": ["--shard-mb", "0"],
    "shard in out ": ["--layout", "none_such"],
}


@pytest.mark.parametrize("verb", WRONG)
def test_wrong_arguments_are_one_line(run, tmp_path: Path, verb: str) -> None:
    (tmp_path / "in").mkdir()
    words = [str(tmp_path / word) if word in ("in", "out") else word for word in verb.split()]
    option, value = WRONG[verb]
    done = run("data", *words, option, value)
    assert (done.status, done.out) == (2, [])
    assert f"{option} is " in done.err[-1]
    assert value in done.err[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("error", [ValueError("of the program"), RuntimeError("of the program")])
def test_errors_of_the_program_are_none_of_the_data(error: Exception) -> None:
    def fail(out: Path) -> int:
        raise error

    with pytest.raises(type(error), match="of the program") as caught:
        prepare._as_verb(fail)(out=Path("out"))
    assert caught.value is error
