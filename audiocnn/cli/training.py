"""Lightning's command line over every task and data module: `audiocnn fit`, `validate` and `test`."""

import pickle
import sys
from pathlib import Path
from typing import Any, NoReturn

import torch
from jsonargparse import ArgumentParser, Namespace
from lightning import LightningDataModule, __version__
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from audiocnn import files
from audiocnn.cli.configs import BASE, ConfigAction
from audiocnn.cli.parser import FiniteParser
from audiocnn.datasets.clips.loader import ClipsDataModule
from audiocnn.training.base import Task


def run_lightning(verb: str, words: list[str]) -> int:
    """Run one of Lightning's verbs.

    A config is a file or the name of a shipped one; its defaults are those of configs/base.yaml.
    `--ckpt_path last` resumes from last.ckpt in the trainer's folder, where `Checkpoints` writes it after an
    epoch, and starts from scratch where there is none: the same command trains and, after a kill, resumes.
    The config of a run is written among its logs.

    Args:
        verb: fit, validate or test.
        words: words of the command line, after the verb.

    Returns:
        The exit status.
    """
    sys.argv = ["audiocnn", verb, *words]  # where Lightning reads them: it warns about any other way
    try:
        CommandLine(parser_class=Parser, save_config_kwargs={"overwrite": True})
    except (FileNotFoundError, MisconfigurationException, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except pickle.UnpicklingError:
        print("ckpt_path: damaged, or no checkpoint of tensors alone", file=sys.stderr)
        return 1
    return 0


class TrainingParser(LightningArgumentParser, FiniteParser):
    """Lightning's parser, which refuses nan and infinity."""


class Parser(TrainingParser):
    """Lightning's parser, which reports a wrong argument in one line instead of after screens of usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        program, verb = sys.argv[:2]
        line = " ".join(message.replace(f" {verb}.", " ").split())
        self.exit(2, f"{program} {verb}: {line} (see {program} {verb} --help)\n")


class CommandLine(LightningCLI):
    """Lightning's command line over our tasks; a task of labels takes the labels of its data.

    bf16-mixed precision on a CPU without instructions for it, which would take ten times as long, is replaced
    by 32-true.
    """

    def __init__(self, run: bool = True, parser_kwargs: dict[str, Any] | None = None, **options: Any) -> None:
        modes = {"parser_class": TrainingParser, "subclass_mode_model": True, "subclass_mode_data": True}
        own = {"default_config_files": [str(BASE)], **(parser_kwargs or {})}
        parsers = dict.fromkeys(self.subcommands(), own) if run else own
        self._data: ClipsDataModule | None = None
        super().__init__(Task, LightningDataModule, run=run, parser_kwargs=parsers, **(modes | options))

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        parser = self.parser_class(dump_header=[f"lightning.pytorch=={__version__}"], **kwargs)
        parser.add_argument(
            "-c", "--config", action=ConfigAction, help="a file, or a name of `audiocnn configs`"
        )
        return parser

    def before_instantiate_classes(self) -> None:
        config = self.config[self.subcommand] if self.subcommand else self.config
        _check_precision(config.trainer)
        _place_in_folder(config)
        _check_checkpoint(config)
        model, data = config.get("model"), config.get("data")
        if model and "labels" in model.init_args and not model.init_args.labels:
            parser = ArgumentParser()
            parser.add_subclass_arguments(LightningDataModule, "data")
            module = parser.instantiate_classes(Namespace(data=data))["data"]
            if isinstance(module, ClipsDataModule):
                # Put into the config, not linked: links break the arguments of create_backbone.
                model.init_args.labels = data.init_args.labels = read_labels(module)
                self._data = module

    def after_instantiate_classes(self) -> None:
        """Train on the data module that has been read already, for its labels."""
        if self._data is not None:
            self.datamodule = self._data


def _check_precision(trainer: Namespace) -> None:
    on_processor = trainer.accelerator == "cpu" or not torch.accelerator.is_available()
    if trainer.precision == "bf16-mixed" and on_processor and not has_bf16():
        print("precision: 32-true for bf16-mixed, for which this CPU has no instructions", file=sys.stderr)
        trainer.precision = "32-true"


def _place_in_folder(config: Namespace) -> None:
    """Place relative folders of loggers, and the checkpoint `last`, in the trainer's folder."""
    folder = Path(config.trainer.default_root_dir or ".")
    loggers = config.trainer.logger or []
    for logger in loggers if isinstance(loggers, list) else [loggers]:
        if isinstance(logger, Namespace) and "save_dir" in logger.get("init_args", {}):
            logger.init_args.save_dir = str(folder / logger.init_args.save_dir)
    if config.get("ckpt_path") == "last":
        last = folder / "last.ckpt"
        config.ckpt_path = str(last) if last.exists() else None


def _check_checkpoint(config: Namespace) -> None:
    """Let Lightning read local checkpoints of tensors alone: it would also unpickle what is at a URL."""
    path = config.get("ckpt_path")
    if path and not Path(path).is_file():
        raise files.FileError(path, "no such file, expected last or a checkpoint on this machine")
    if path:
        config.weights_only = True


def has_bf16() -> bool:
    """Say whether the CPU has instructions for bfloat16."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def read_labels(data: ClipsDataModule) -> list[str]:
    """Return the labels of clips, in the order of their targets; the data may have to be read first."""
    if not data.labels:
        with torch.random.fork_rng(devices=[]):  # later random numbers do not depend on the cache
            data.prepare_data()
            data.setup()
    return data.labels
