"""`audiocnn fit`, `validate` and `test`: the short help and all of it, names of configs, wrong options."""

import pickle
from pathlib import Path

import pytest

from audiocnn.cli.configs import FOLDER, list_configs


@pytest.mark.parametrize("verb", ["fit", "validate", "test"])
def test_help_fits_a_screen_and_names_the_configs(run, verb: str) -> None:
    done = run(verb, "--config", "digits", "--help")
    assert (done.status, done.err) == (0, [])
    assert len(done.out) < 50
    names = [line.split()[0] for line in done.out if line[:3].strip() and line.startswith("  ")]
    assert {"genre_folder", "notes_piano", "--ckpt_path", "--help-all"} <= set(names)
    assert not {"base", "search_digits", "sweep_digits"} & set(names)


def test_all_of_the_help(run) -> None:
    done = run("fit", "--help-all")
    assert done.status == 0
    assert sum(line.lstrip().startswith("--trainer.") for line in done.out) > 40


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        ("--config digits --sing loud", 2, "audiocnn fit: unrecognized arguments: --sing loud"),
        ("--config digits --trainer.max_epochs ten", 2, 'audiocnn fit: Parser key "trainer.max_epochs": '),
        ("", 2, "audiocnn fit: the following arguments are required: data, model (see audiocnn fit --help)"),
        ("--config jazz", 1, "jazz: no such file, and no shipped config (those are contrastive, "),
    ],
)
@pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")
def test_wrong_words(run, words: str, status: int, reason: str) -> None:
    done = run("fit", *words.split())
    assert (done.status, done.out, len(done.err)) == (status, [], 1)
    assert done.err[0].startswith(reason)


class Code:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


@pytest.mark.parametrize(
    ("ckpt_path", "reason"),
    [
        (
            "http://localhost/bad.ckpt",
            "http://localhost/bad.ckpt: no such file, expected last or a checkpoint",
        ),
        ("bad.ckpt", "ckpt_path: damaged, or no checkpoint of tensors alone"),
    ],
)
@pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")
def test_only_tensors_of_local_checkpoints_are_read(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ckpt_path: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.ckpt").write_bytes(pickle.dumps({"state_dict": Code()}, protocol=2))
    done = run("fit", "--config", "digits", "--ckpt_path", ckpt_path)
    assert (done.status, done.err[-1][: len(reason)]) == (1, reason)
    assert not (tmp_path / "unpickled").exists()


def test_configs(run) -> None:
    done = run("configs")
    assert (done.status, done.err) == (0, [])
    assert [line.split()[0] for line in done.out[:-2]] == [*list_configs()]
    assert done.out[-1] == str(FOLDER)
