"""A corpus with broken files: a result for each good one, a line for each broken one."""

from pathlib import Path

import pytest

from audiocnn.cli import main
from tests.fuzz import golden

# Words of the verb -> suffix of its outputs.
VERBS = {
    "transcribe --model {models}/notes.safetensors": ".mid",
    "classify --model {models}/clips.safetensors --formats json": ".clips.json",
}


@pytest.mark.parametrize("words", VERBS)
@pytest.mark.parametrize(
    ("n_files", "n_broken"), [(30, 6), pytest.param(1_000, 20, marks=pytest.mark.slow)], ids=["30", "1000"]
)
def test_broken_files_are_reported_and_the_others_done(
    words: str, n_files: int, n_broken: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.safetensors").write_bytes(golden.MODEL.read_bytes())
    (tmp_path / "clips.safetensors").write_bytes(golden.clip_model())
    broken = {number * n_files // n_broken for number in range(n_broken)}
    sound = golden.sound("WAV")
    stems = [Path(f"{number % 10}", f"{number:04}") for number in range(n_files)]
    for number, stem in enumerate(stems):
        path = tmp_path / "corpus" / f"{stem}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sound[: 20 + number % 9] if number in broken else sound)
    verb, *options = words.format(models=tmp_path).split()
    command = [verb, str(tmp_path / "corpus"), *options, "--output", str(tmp_path / "out")]
    wanted = {Path(f"{stem}{VERBS[words]}") for number, stem in enumerate(stems) if number not in broken}
    for said in ("->", "already done"):
        assert main(command) == 1
        out, err = (text.splitlines() for text in capsys.readouterr())
        assert sorted(int(Path(line.partition(":")[0]).stem) for line in err) == sorted(broken)
        assert len(out) == n_files - n_broken and all(said in line for line in out)
        found = (tmp_path / "out").rglob(f"*{VERBS[words]}")
        assert {path.relative_to(tmp_path / "out") for path in found} == wanted
