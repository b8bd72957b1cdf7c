"""`audiocnn fit`, `validate` and `test`: the short help and all of it, names of configs, wrong options."""

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
        ("--config jazz", 1, "jazz: no such file, and no shipped config (those are contrastive, "),
    ],
)
@pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")
def test_wrong_words(run, words: str, status: int, reason: str) -> None:
    done = run("fit", *words.split())
    assert (done.status, done.out, len(done.err)) == (status, [], 1)
    assert done.err[0].startswith(reason)


def test_configs(run) -> None:
    done = run("configs")
    assert (done.status, done.err) == (0, [])
    assert [line.split()[0] for line in done.out[:-2]] == [*list_configs()]
    assert done.out[-1] == str(FOLDER)
