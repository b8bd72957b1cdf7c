"""`audiocnn fit`, `validate` and `test`: the short help and all of it, names of configs, wrong options."""

import csv
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from audiocnn.cli.configs import FOLDER, list_configs
from audiocnn.training import runs

# Lightning's: on old names that it uses, and on what a training of seconds on two cores does not have.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{warning}")
    for warning in (
        ":jsonargparse._deprecated.JsonargparseDeprecationWarning",
        ".*isinstance\\(treespec, LeafSpec\\)",
        ".*does not have many workers",
    )
]


@pytest.fixture
def fit(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SimpleNamespace]:
    """Runs a training verb on the digits in an empty folder, quietly."""
    monkeypatch.chdir(tmp_path)
    quiet = [f"--trainer.{name}=false" for name in ("enable_progress_bar", "enable_model_summary")]

    def fit(*words: str, verb: str = "fit") -> SimpleNamespace:
        return run(
            verb, "--config", "digits", "--data.per_class=16", "--trainer.log_every_n_steps=1", *quiet, *words
        )

    return fit


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


ADVICE = "ckpt_path is last, best, a checkpoint or a folder of runs on this machine"
NO_FILE = f"no such file; {ADVICE}"
DAMAGED = (
    "damaged, or no checkpoint of tensors alone; ckpt_path takes another one; without it training starts"
)


@pytest.mark.parametrize(
    ("ckpt_path", "reason"),
    [
        ("http://localhost/bad.ckpt", NO_FILE),
        ("s3://bucket/bad.ckpt", NO_FILE),
        ("gs://bucket/bad.ckpt", NO_FILE),
        ("hf://someone/something", NO_FILE),
        ("file:///tmp/bad.ckpt", NO_FILE),
        ("registry", NO_FILE),
        ("hpc", NO_FILE),
        ("best", f"no such file; {ADVICE}"),
        ("bad.ckpt", DAMAGED),
        ("empty.ckpt", DAMAGED),
        ("plain.ckpt", "no checkpoint of a training: it has no state_dict; ckpt_path takes another one"),
        ("weights.ckpt", "holds weights alone, which model.start_from takes, and no state to resume"),
        (".", f"no last.ckpt in it or in its runs; {ADVICE}"),
    ],
)
def test_only_tensors_of_local_checkpoints_are_read(fit, tmp_path: Path, ckpt_path: str, reason: str) -> None:
    (tmp_path / "bad.ckpt").write_bytes(pickle.dumps({"state_dict": Code()}, protocol=2))
    (tmp_path / "empty.ckpt").write_bytes(b"")
    torch.save({"a": 1}, tmp_path / "plain.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "weights.ckpt")
    before = sorted(tmp_path.iterdir())
    done = fit("--ckpt_path", ckpt_path)
    shown = str(Path("runs/digits" if ckpt_path == "best" else ckpt_path))
    assert (done.status, done.err[-1][: len(shown) + 2]) == (1, f"{shown}: ")
    assert reason in done.err[-1]
    assert sorted(tmp_path.iterdir()) == before  # no run is begun, nothing is unpickled


@pytest.mark.parametrize("verb", ["validate", "test"])
@pytest.mark.parametrize("ckpt_path", ["last", "best", "http://localhost/bad.ckpt", "bad.ckpt"])
def test_no_checkpoint_to_score(fit, tmp_path: Path, verb: str, ckpt_path: str) -> None:
    (tmp_path / "bad.ckpt").write_bytes(pickle.dumps({"state_dict": Code()}, protocol=2))
    done = fit("--ckpt_path", ckpt_path, verb=verb)
    assert done.status == 1
    assert "no such file" in done.err[-1] or "damaged, or no checkpoint of tensors alone" in done.err[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["bad.ckpt"]


def test_start_from_is_a_file_on_this_machine(fit, tmp_path: Path) -> None:
    (tmp_path / "bad.ckpt").write_bytes(pickle.dumps({"state_dict": Code()}, protocol=2))
    for start_from, reason in (
        ("http://localhost/bad.ckpt", "no such file on this machine"),
        ("bad.ckpt", "damaged, or no checkpoint of tensors alone"),
    ):
        done = fit("--model.start_from", start_from)
        assert done.status != 0
        assert reason in " ".join(done.err)
    assert not (tmp_path / "unpickled").exists()


def test_weights_only_is_no_option(fit) -> None:
    done = fit("--weights_only", "false")
    assert (done.status, len(done.err)) == (2, 1)


def rows(run: Path) -> list[dict[str, str]]:
    with open(run / "metrics.csv") as file:
        return [*csv.DictReader(file)]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def test_each_run_has_a_folder_and_goes_on_in_it(fit, tmp_path: Path) -> None:
    root = tmp_path / "runs" / "digits"
    whole = fit("--trainer.max_epochs=2")
    assert whole.status == 0
    (first,) = root.iterdir()
    name = str(first.relative_to(tmp_path))
    assert f"{name}: a new run" in whole.out
    assert whole.out[-1].startswith(f"{name}: done, val/accuracy 0.")
    assert whole.out[-1].endswith(f"; next: audiocnn export my.safetensors --checkpoint {name}")
    assert {path.name for path in first.iterdir()} == {"best.ckpt", "config.yaml", "last.ckpt", "metrics.csv"}
    kept = {path.name: path.read_bytes() for path in first.iterdir()}

    assert fit("--trainer.max_epochs=1").status == 0  # in the same second perhaps
    second = next(path for path in runs.list_runs(root) if path != first)
    assert {path.name: path.read_bytes() for path in first.iterdir()} == kept
    resumed = fit("--trainer.max_epochs=2", "--ckpt_path=last")
    assert resumed.status == 0
    line = (
        f"{second.relative_to(tmp_path)}: goes on from {second.relative_to(tmp_path)}/last.ckpt, after 1 of 2"
    )
    assert any(one.startswith(line) for one in resumed.out)
    assert len([*root.iterdir()]) == 2
    # Each is trained for two epochs, and so is the same, what it logs included; but the schedule is another's.
    assert [row["step"] for row in rows(first)] == [row["step"] for row in rows(second)]

    again = tmp_path / "runs" / "again"
    assert fit(
        "--trainer.max_epochs=2", "--config", f"{name}/config.yaml", f"--trainer.default_root_dir={again}"
    )
    (third,) = again.iterdir()
    assert all(
        torch.equal(tensor, weights(third / "last.ckpt")[key])
        for key, tensor in weights(first / "last.ckpt").items()
    )

    scored = [
        fit(f"--ckpt_path={which}", verb=verb)
        for verb in ("validate", "test")
        for which in ("best", str(root))
    ]
    assert [done.status for done in scored] == [0] * 4
    assert f"{second.relative_to(tmp_path)}/best.ckpt" in scored[0].out
    assert f"{second}/last.ckpt" in scored[1].out
    assert len([*root.iterdir()]) == 2 and len([*second.iterdir()]) == 4


def test_last_starts_from_scratch_where_there_is_none(fit, tmp_path: Path) -> None:
    done = fit("--trainer.max_epochs=1", "--ckpt_path=last")
    assert done.status == 0
    assert "runs/digits: no last.ckpt, training starts from scratch" in done.out


def test_configs(run) -> None:
    done = run("configs")
    assert (done.status, done.err) == (0, [])
    assert [line.split()[0] for line in done.out[:-2]] == [*list_configs()]
    assert done.out[-1] == str(FOLDER)
