"""`audiocnn fit`, `validate` and `test`: the short help and all of it, names of configs, wrong options."""

import csv
import pickle
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
import yaml

from audiocnn.cli.configs import FOLDER, list_configs
from audiocnn.training import runs
from tests.training_warnings import FEW_WORKERS, OLD_NAMES, ignore

pytestmark = ignore(*OLD_NAMES, FEW_WORKERS)


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


TYPO = {"trainer": {"max_epoch": 3}}
NO_CLASS = {"model": {"class_path": "no_such_package.Task"}, "data": {}}


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        ("--sing loud", 2, "audiocnn fit: unrecognized arguments: --sing loud"),
        ("--trainer.max_epochs ten", 2, "audiocnn fit: --trainer.max_epochs is 'ten', expected a whole"),
        ("--trainer.max_epochs -5", 2, "audiocnn fit: `max_epochs` must be a non-negative integer"),
        ("--trainer.accelerator tpux", 2, "audiocnn fit: You selected an invalid accelerator name"),
        ("--trainer.precision 12", 2, "audiocnn fit: --trainer.precision is '12', expected 64 or 32 or 16"),
        ("--config typo.yaml", 2, "audiocnn fit: --trainer.max_epoch is no option; did you mean --trainer"),
        ("--config no_class.yaml", 2, "audiocnn fit: --model: no_such_package.Task cannot be used: No"),
        ("--config sweep_digits", 2, "audiocnn fit: --config sweep_digits is for `wandb sweep`"),
        ("--config search_digits", 2, "audiocnn fit: --config search_digits is for `audiocnn search`, "),
        ("--config jazz", 1, "jazz: no such file, and no shipped config (those are cifar10, contrastive, "),
        ("--config empty.yaml", 1, "empty.yaml: empty, expected the sections trainer, model and data"),
        ("--config list.yaml", 1, "list.yaml: a list, expected the sections trainer, model and data"),
        ("--config broken.yaml", 1, "broken.yaml: no YAML: "),
        ("--config deep.yaml", 1, "deep.yaml: no config: nested too deeply"),
        ("--model.n_classes two", 2, "audiocnn fit: --model.n_classes is 'two', expected a whole number"),
        ("--model.label_smoothing 3", 2, "audiocnn fit: --model.label_smoothing is 3.0, expected a number"),
        ("--model.backbone.name resnet_smal", 2, "audiocnn fit: backbone is 'resnet_smal', expected one of"),
        ("--model.backbone ResNett", 2, "audiocnn fit: backbone is 'ResNett', expected one of"),
        (
            "--model.backbone audiocnn.backbones.ResNet --model.backbone.norm wrong",
            2,
            "audiocnn fit: --model.backbone.norm is 'wrong', expected one of batch, instance, layer, ",
        ),
        ("--data.size 3", 2, "audiocnn fit: --data.size is 3, expected at least 8"),
        ("--model.start_from nope", 1, "nope: no such file on this machine, nor a run with best.ckpt"),
        ("--model.start_from notes-piano", 1, "notes-piano: is of another backbone: "),
        ("--trainer.default_root_dir s3://a/b", 1, "s3://a/b: expected a folder on this machine"),
        ("--trainer.default_root_dir list.yaml", 1, "list.yaml: "),
    ],
)  # fmt: skip
def test_wrong_words(fit, tmp_path: Path, words: str, status: int, reason: str) -> None:
    for name, content in {"typo": TYPO, "no_class": NO_CLASS, "list": ["a"]}.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "broken.yaml").write_text("model: [")
    (tmp_path / "deep.yaml").write_text("[" * 5000)
    done = fit(*words.split())
    assert done.status == status
    assert done.err[-1].startswith(reason)
    assert not list(tmp_path.glob("runs/*/*"))


def test_no_config(run) -> None:
    done = run("fit")
    reason = "audiocnn fit: the following arguments are required: data, model (see audiocnn fit --help)"
    assert (done.status, done.out, done.err) == (2, [], [reason])


@pytest.mark.parametrize("words", [("--data.crops.augment=null",), ("--data.crops.augment", "null")])
def test_null_is_the_value_of_any_option(run, words: tuple[str, ...]) -> None:
    done = run(
        "fit",
        "--config",
        "genre_folder",
        "--data.labels=[a,b]",
        "--model.spec_augment=null",
        *words,
        "--print_config",
    )
    assert done.status == 0
    assert {"    spec_augment: null", "      augment: null"} <= set(done.out)


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
    shown = "runs/digits" if ckpt_path == "best" else ckpt_path
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
    assert {"lr-AdamW/pg1", "train/gradient_norm", "train/loss", "val/loss"} <= rows(first)[0].keys()
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
    # Each is trained for two epochs, and so is the same, what it logs included; but the schedule is
    # another's.
    assert [row["step"] for row in rows(first)] == [row["step"] for row in rows(second)]

    again = tmp_path / "runs" / "once more"
    done = fit(
        "--trainer.max_epochs=2", "--config", f"{name}/config.yaml", f"--trainer.default_root_dir={again}"
    )
    assert shlex.split(done.out[-1])[-2:] == ["--checkpoint", str(next(again.iterdir()))]
    (third,) = again.iterdir()
    trial = fit("--trainer.fast_dev_run=true")
    told = [line for line in trial.out if line.startswith("fast_dev_run: ")]
    assert told == ["fast_dev_run: a trial, of which nothing is written", "fast_dev_run: done"]
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


@pytest.mark.slow
def test_weights_and_biases_gets_the_config_and_what_is_logged(
    program: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    logger = "--trainer.logger=lightning.pytorch.loggers.WandbLogger --trainer.logger.offline=true"
    quick = "--data.per_class=16 --trainer.log_every_n_steps=1 --trainer.max_epochs=1"
    words = f"fit --config digits {quick} {logger}"
    # As a process, with whose end the log is whole.
    subprocess.run([*program, *words.split()], check=True, capture_output=True)
    (run,) = (tmp_path / "runs" / "digits").iterdir()
    (log,) = run.glob("wandb/offline-run-*/*.wandb")
    logged = log.read_bytes()
    for text in (
        "audiocnn.training.image.ImageTask",
        "seed_everything",
        "lr-AdamW/pg1",
        "train/gradient_norm",
    ):
        assert text.encode() in logged, text
    assert f"digits-{run.name}" in log.name  # by which the same run goes on


def test_a_training_without_validation_is_refused_and_leaves_no_run(fit, run, tmp_path: Path) -> None:
    done = fit("--trainer.limit_val_batches=0")
    assert done.status == 2
    counts = "the data have 160 examples to train on, batch_size is 32"
    assert (
        f"nothing to validate on, expected 1 example or more: callbacks monitor val/accuracy; {counts}"
        in done.err[-1]
    )
    assert not [*(tmp_path / "runs" / "digits").iterdir()]
    for i in range(8):
        (tmp_path / f"music/{i % 2}").mkdir(parents=True, exist_ok=True)
        soundfile.write(
            tmp_path / f"music/{i % 2}/{i}.wav", np.random.default_rng(i).normal(0, 0.1, 8000), 16_000
        )
    words = ("--data.loader.workers=0", "--trainer.enable_progress_bar=false", "--data.split.validation=0")
    done = run("fit", "--config", "genre_folder", "--data.path", tmp_path / "music", *words)
    assert done.status == 2 and "callbacks monitor val/loss" in done.err[-1]
    assert not [*(tmp_path / "runs" / "genre_folder").iterdir()]


def test_fewer_examples_than_a_batch_are_told(fit, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    done = fit("--trainer.max_epochs=1", "--data.batch_size=500")
    assert done.status == 0
    told = (
        "each epoch is one batch that is not full: the data have 160 examples to train on, batch_size is 500"
    )
    assert told in caplog.text


def test_last_starts_from_scratch_where_there_is_none(fit, tmp_path: Path) -> None:
    done = fit("--trainer.max_epochs=1", "--ckpt_path=last")
    assert done.status == 0
    assert "runs/digits: no last.ckpt, training starts from scratch" in done.out


def test_configs(run) -> None:
    done = run("configs")
    assert (done.status, done.err, done.out[-1]) == (0, [], str(FOLDER))
    sections = "\n".join(done.out[:-2]).split("\n\n")
    verbs = [section.splitlines()[0] for section in sections]
    assert verbs == ["audiocnn fit", "audiocnn search", "wandb sweep"]
    for verb, section in zip(verbs, sections, strict=True):
        assert [line.split()[0] for line in section.splitlines()[1:]] == [*list_configs(verb)]
    assert [*list_configs("audiocnn search")] == ["search_digits"]
    assert [*list_configs("wandb sweep")] == ["sweep_digits", "sweep_genre_folder"]
