"""Runs: a folder for each, by their time; the latest one's checkpoint."""

from pathlib import Path

import pytest

from audiocnn.files import FileError
from audiocnn.training.runs import create_run, find_checkpoint, is_run, list_runs


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path: Path) -> None:
    made = [create_run(tmp_path / "runs") for _ in range(12)]
    assert len(set(made)) == 12
    assert all(is_run(run) and not [*run.iterdir()] for run in made)
    assert list_runs(tmp_path / "runs") == made[::-1]


def test_the_latest_run_with_the_checkpoint_counts(tmp_path: Path) -> None:
    names = [
        "2026-11-28_17-40-05",
        "2026-11-28_17-40-05_2",
        "2026-11-28_17-40-05_10",
        "2026-11-29_00-00-00",
        "other",
    ]
    for name in names:
        (tmp_path / name).mkdir()
    assert find_checkpoint(tmp_path, "last.ckpt") is None
    for name in (*names[:3], "other"):
        (tmp_path / name / "last.ckpt").touch()
    latest = tmp_path / names[2] / "last.ckpt"
    assert find_checkpoint(tmp_path, "last.ckpt") == latest
    assert find_checkpoint(latest.parent, "last.ckpt") == latest
    assert find_checkpoint(latest, "best.ckpt") == latest
    assert find_checkpoint(tmp_path, "best.ckpt") is None
    assert find_checkpoint(tmp_path / "missing", "last.ckpt") is None


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="is a file, not a folder"):
        create_run(tmp_path / "file")
