"""Lightning's command line over every task and data module: `audiocnn fit`, `validate` and `test`."""

import contextlib
import logging
import os
import re
import shlex
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import lightning
import torch
import yaml
from jsonargparse import ArgumentParser, Namespace
from lightning import LightningDataModule, __version__
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.utilities.exceptions import SIGTERMException

from audiocnn import files
from audiocnn.cli import errors, interrupts
from audiocnn.cli.configs import BASE, FIT, ConfigAction, config_errors, find_config, find_verb, list_configs
from audiocnn.cli.fit_errors import (
    find_cause,
    keep_nulls,
    name_backbones,
    reword,
    spell_option,
)
from audiocnn.cli.parser import FiniteParser, UsageError
from audiocnn.datasets.clips.loader import SPLIT_FILE, ClipsDataModule
from audiocnn.datasets.images.memory import ImagesInMemory
from audiocnn.ranges import ArgumentError
from audiocnn.training import runs
from audiocnn.training.base import Task
from audiocnn.training.callbacks.checkpoints import Checkpoints
from audiocnn.training.checkpoint import check_fit, read_checkpoint

RUN = "AUDIOCNN_RUN"  # environment variable: the run's folder, for the other processes of a training
METRICS_LOGGER = "audiocnn.training.callbacks.loggers.MetricsLogger"
# Warnings that say nothing: a run that resumes has a folder; Lightning calls what torch has renamed.
EXPECTED = (
    "Checkpoint directory .* exists and is not empty",
    ".*isinstance.treespec, LeafSpec.. is deprecated",
)


def run_lightning(verb: str, words: list[str]) -> int:
    """Run one of Lightning's verbs.

    A config is a file or the name of a shipped one; its defaults are those of configs/base.yaml. Each
    training has a folder of its own, see `training.runs`: its config, metrics and checkpoints are there.

    Args:
        verb: fit, validate or test.
        words: words of the command line, after the verb.

    Returns:
        The exit status.
    """
    # Where Lightning reads them: it warns about any other way.
    sys.argv[1:] = [verb, *keep_nulls(name_backbones(words))]
    _direct_messages()
    try:
        with warnings.catch_warnings():
            for message in EXPECTED:
                warnings.filterwarnings("ignore", message)
            CommandLine(parser_class=Parser, save_config_callback=SaveConfig)
    finally:
        run = os.environ.pop(RUN, None)
        if run and _is_first_process():
            _remove_unbegun(Path(run))
    return 0


def _direct_messages() -> None:
    """Let Lightning write to the standard error of now: it keeps the one that was there at its import."""
    for name in ("lightning", "lightning.fabric", "lightning.pytorch"):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.stream = sys.stderr  # not setStream, which flushes the old one: it may be closed


def _remove_unbegun(run: Path) -> None:
    """Remove the folder of a training that failed before it began."""
    with contextlib.suppress(OSError):
        if not (run / runs.CONFIG).exists():
            (run / SPLIT_FILE).unlink(missing_ok=True)
            run.rmdir()


class TrainingParser(LightningArgumentParser, FiniteParser):
    """Lightning's parser, which refuses nan and infinity."""


class Parser(TrainingParser):
    """Lightning's parser, which reports a wrong argument in one line instead of after screens of usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        program, verb = "audiocnn", sys.argv[1]
        line = re.sub(rf"(?<![\w-]){verb}\.", "", " ".join(message.split()))
        verbs = [action.choices[verb] for action in self._actions if isinstance(action.choices, dict)]
        options = {
            one for parser in (self, *verbs) for action in parser._actions for one in action.option_strings
        }
        line = reword(line, options, sys.argv[2:])
        self.exit(2, f"{program} {verb}: {line} (see {program} {verb} --help)\n")


class FitConfig(ConfigAction):
    """`--config` of a training, which says whose another one is."""

    def __call__(self, parser: Any, namespace: Any, value: Any, option_string: str | None = None) -> None:
        path = find_config(value)
        with config_errors(path):
            sections = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(sections, dict):
            kind = "empty" if sections is None else f"a {type(sections).__name__}"
            raise files.FileError(path, f"{kind}, expected the sections trainer, model and data")
        if (verb := find_verb(sections)) != FIT:
            raise UsageError(
                f"--config {value} is for `{verb}`, expected one of {', '.join(list_configs(FIT))}"
            )
        super().__call__(parser, namespace, value, option_string)


class SaveConfig(SaveConfigCallback):
    """Write the config of a run to its folder as training begins, and give it to the loggers."""

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Write nothing yet: data that cannot be read leave no run behind."""

    @rank_zero_only
    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        text = self.parser.dump(self.config, skip_none=False)
        with files.write_atomically(Path(trainer.default_root_dir, runs.CONFIG)) as partial:
            partial.write_text(text, encoding="utf-8")
        for logger in trainer.loggers:
            logger.log_hyperparams(yaml.safe_load(text))


class CommandLine(LightningCLI):
    """Lightning's command line over our tasks; a task of labels takes the labels of its data.

    bf16-mixed precision on a CPU without instructions for it, which would take ten times as long, is replaced
    by 32-true. Checkpoints are files on this machine, read without unpickling code.
    """

    def __init__(self, run: bool = True, parser_kwargs: dict[str, Any] | None = None, **options: Any) -> None:
        modes = {"parser_class": TrainingParser, "subclass_mode_model": True, "subclass_mode_data": True}
        own = {"default_config_files": [str(BASE)], **(parser_kwargs or {})}
        parsers = dict.fromkeys(self.subcommands(), own) if run else own
        self._checkpoint: Path | None = None
        self._restored: dict[str, Any] = {}
        self._root = self._run = Path()
        self._is_trial = False
        super().__init__(Task, LightningDataModule, run=run, parser_kwargs=parsers, **(modes | options))

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Return the verbs and those arguments of their methods that are no options."""
        verbs = LightningCLI.subcommands()
        return {verb: {*verbs[verb], "weights_only"} for verb in ("fit", "validate", "test")}

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        parser = self.parser_class(dump_header=[f"lightning.pytorch=={__version__}"], **kwargs)
        parser.add_argument(
            "-c", "--config", action=FitConfig, help="a file, or a name of `audiocnn configs`"
        )
        return parser

    def _parse_ckpt_path(self) -> None:
        """Leave the config as it is: Lightning would take classes from the checkpoint into it."""

    def before_instantiate_classes(self) -> None:
        config = self.config[self.subcommand] if self.subcommand else self.config
        self._take_labels(config)
        if self.subcommand:
            self.config_given = config.clone()
            self._place(config)
        _check_precision(config.trainer)

    def _take_labels(self, config: Namespace) -> None:
        """Put the labels of the data into the config of a task that has none."""
        model, data = config.get("model"), config.get("data")
        if model and "labels" in model.init_args and not model.init_args.labels:
            parser = ArgumentParser()
            parser.add_subclass_arguments(LightningDataModule, "data")
            with self._usage_errors():
                module = parser.instantiate_classes(Namespace(data=data))["data"]
                # Put into the config, not linked: links break the arguments of create_backbone.
                if isinstance(module, ClipsDataModule):
                    model.init_args.labels = data.init_args.labels = module.find_labels()
                elif isinstance(module, ImagesInMemory):
                    model.init_args.labels = module.find_labels()

    def instantiate_classes(self) -> None:
        with self._usage_errors():
            super().instantiate_classes()

    @contextlib.contextmanager
    def _usage_errors(self, *kinds: type[Exception]) -> Iterator[None]:
        """Turn errors into UsageErrors in the spelling of the command line.

        Args:
            *kinds: of these errors; by default all that a constructor raises for a wrong argument, also
                within those that jsonargparse tells instead.
        """
        kinds = kinds or (ValueError, TypeError, MisconfigurationException)
        try:
            yield
        except kinds as error:
            cause = find_cause(error)
            if isinstance(cause, kinds):
                config = self.config.get(str(self.subcommand), self.config)
                raise UsageError(spell_option(" ".join(str(cause).split()), config)) from error
            raise cause from None

    def _place(self, config: Namespace) -> None:
        """Find the checkpoint and the folder of the run, and place all that is written there."""
        self._root = Path(config.trainer.default_root_dir or "runs")
        if "://" in str(config.trainer.default_root_dir):
            raise files.FileError(config.trainer.default_root_dir, "expected a folder on this machine")
        wanted, config.ckpt_path = config.get("ckpt_path"), None
        self._checkpoint = self._find_checkpoint(wanted)
        if self._checkpoint:
            config.ckpt_path = str(self._checkpoint)
            self._restored = self._read(self._checkpoint)
        self._is_trial = bool(config.trainer.fast_dev_run)
        self._run = self._choose_folder()
        config.trainer.default_root_dir = str(self._run)
        config.trainer.logger = self._place_loggers(config.trainer.logger)

    def _find_checkpoint(self, wanted: str | None) -> Path | None:
        """The file that --ckpt_path means; of `last` and `best` that of the latest run."""
        if not wanted:
            return None
        name = runs.BEST if wanted == "best" else runs.LAST
        place = self._root if wanted in ("last", "best") else Path(wanted)
        found = runs.find_checkpoint(place, name)
        if found is None and not (wanted == "last" and self.subcommand == "fit"):
            reason = f"no {name} in it or in its runs" if place.is_dir() else "no such file"
            raise files.FileError(
                place, f"{reason}; ckpt_path is last, best, a checkpoint or a folder of runs on this machine"
            )
        if found is None:
            _say(f"{place}: no {name}, training starts from scratch")
        return found

    def _read(self, path: Path) -> dict[str, Any]:
        """The checkpoint, before anything is written."""
        try:
            checkpoint = read_checkpoint(path)
        except files.FileError as error:
            advice = "ckpt_path takes another one; without it training starts from scratch"
            raise files.FileError(path, f"{error.reason}; {advice}") from error
        if self.subcommand == "fit" and "loops" not in checkpoint:
            raise files.FileError(
                path, "holds weights alone, which model.start_from takes, and no state to resume"
            )
        return checkpoint

    def _choose_folder(self) -> Path:
        """The folder of this run; validation and test may write plots to one within the checkpoint's."""
        found = self._checkpoint
        if self.subcommand != "fit":
            return (found.parent if found else self._root) / str(self.subcommand)
        if found and found.name == runs.LAST and runs.is_run(found.parent):
            return found.parent
        if not _is_first_process():
            return Path(os.environ.get(RUN, self._root))
        if self._is_trial:
            return self._root
        os.environ[RUN] = str(run := runs.create_run(self._root))
        return run

    def _place_loggers(self, given: Any) -> Any:
        """Loggers with their folders in that of the run; validation and test print, and write no table."""
        if isinstance(given, bool) or given is None:
            return given
        loggers = [given] if isinstance(given, Namespace) else given
        if self.subcommand != "fit":
            loggers = [logger for logger in loggers if logger.class_path != METRICS_LOGGER]
        for logger in loggers:
            arguments = logger.get("init_args") or Namespace()
            if "save_dir" in arguments:
                arguments.save_dir = str(self._run / (arguments.save_dir or ""))
            if logger.class_path.endswith("WandbLogger") and "WANDB_RUN_ID" not in os.environ:
                arguments.id = arguments.get("id") or f"{self._root.name}-{self._run.name}"  # when it resumes
        return loggers or False

    def instantiate_trainer(self, **kwargs: Any) -> lightning.Trainer:
        if not self.subcommand:
            return super().instantiate_trainer(**kwargs)
        config = self.config[self.subcommand]
        placed, self.config[self.subcommand] = config, self.config_given  # which SaveConfig writes
        try:
            return super().instantiate_trainer(**kwargs)
        finally:
            self.config[self.subcommand] = placed

    def after_instantiate_classes(self) -> None:
        """Check that the checkpoint is of this model."""
        if self._restored and isinstance(self.model, Task):
            check_fit(str(self._checkpoint), self.model, self._restored)

    def before_fit(self) -> None:
        """Say where the run is written, and what it goes on from."""
        line = f"{self._run}: a new run"
        if self._is_trial:
            line = "fast_dev_run: a trial, of which nothing is written"
        elif self._restored:
            done = self._restored["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
            epochs = f"after {done} of {self.trainer.max_epochs} epochs"
            line = f"{self._run}: goes on from {self._checkpoint}, {epochs}"
        _say(line)

    def after_fit(self) -> None:
        """Say what is there, and what to do with it."""
        if self._is_trial:
            return _say("fast_dev_run: done")
        if not (self._run / runs.LAST).exists():
            return _say(f"{self._run}: nothing was trained")
        best = next((one for one in self.trainer.checkpoint_callbacks if isinstance(one, Checkpoints)), None)
        value = best.best_model_score if best else None
        score = f", {best.monitor} {value:.4g}" if best and value is not None else ""
        command = f"audiocnn export my.safetensors --checkpoint {shlex.quote(str(self._run))}"
        return _say(f"{self._run}: done{score}; next: {command}")

    def before_validate(self) -> None:
        """Say which checkpoint is scored."""
        _say(f"{self._checkpoint or 'without --ckpt_path: the model as its config makes it, untrained'}")

    before_test = before_validate

    def _run_subcommand(self, subcommand: str) -> None:
        """Run the verb; where a signal ends it, say how it goes on."""
        try:
            with self._usage_errors(ArgumentError), interrupts.replaced():
                super()._run_subcommand(subcommand)
        except (SystemExit, errors.Stopped) as error:
            if subcommand == "fit":
                _say(f"{self._run}: stopped; --ckpt_path last goes on")
            if isinstance(error, SIGTERMException):  # with Lightning's exit status, 0
                raise errors.Stopped(signal.SIGTERM) from None
            raise


def _check_precision(trainer: Namespace) -> None:
    on_processor = trainer.accelerator == "cpu" or not torch.accelerator.is_available()
    if trainer.precision == "bf16-mixed" and on_processor and not has_bf16():
        print("precision: 32-true for bf16-mixed, for which this CPU has no instructions", file=sys.stderr)
        trainer.precision = "32-true"


def _is_first_process() -> bool:
    """Say whether this process is the only one of the training, or its first."""
    return not rank_zero_only.rank  # pyright: ignore[reportFunctionMemberAccess], Lightning has set it


@rank_zero_only
def _say(line: str) -> None:
    print(line, flush=True)


def has_bf16() -> bool:
    """Say whether the CPU has instructions for bfloat16."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()
