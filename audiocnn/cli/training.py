"""`audiocnn fit`, `validate` and `test`: Lightning's command line over every task and data set."""

import sys
from typing import Any

import torch
from jsonargparse import ArgumentParser, Namespace
from lightning import LightningDataModule
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningCLI

from audiocnn.datasets.clips.loader import ClipsDataModule
from audiocnn.training.base import Task


def lightning(verb: str, arguments: list[str]) -> int:
    """Runs Lightning's verb with its arguments.

    A config has the sections trainer, model and data. `--ckpt_path last` goes on from last.ckpt, which a
    ModelCheckpoint of the config writes after each epoch (Lightning's `save_last` writes it only when the
    best is), and begins anew where there is none: the same command trains and, after a kill, resumes. The
    config that a run used is written among its logs.
    """
    sys.argv = ["audiocnn", verb, *arguments]  # where it reads them: it warns of any other way
    try:
        CommandLine(save_config_kwargs={"overwrite": True})
    except (FileNotFoundError, MisconfigurationException) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


class CommandLine(LightningCLI):
    """Lightning's, over our tasks; a task of labels is told those of its data.

    Half precision on a processor that has no instructions for it, which would take ten times as long, becomes
    full precision.
    """

    def __init__(self, **options: Any) -> None:
        modes = {"subclass_mode_model": True, "subclass_mode_data": True}
        super().__init__(Task, LightningDataModule, **modes, **options)

    def before_instantiate_classes(self) -> None:
        """Puts the labels into the config, which are not linked: links break arguments of create_backbone."""
        config = self.config[self.subcommand] if self.subcommand else self.config
        trainer = config.trainer
        on_processor = trainer.accelerator == "cpu" or not torch.accelerator.is_available()
        if trainer.precision == "bf16-mixed" and on_processor and not has_half():
            print("precision: 32-true for bf16-mixed, which this processor can't", file=sys.stderr)
            trainer.precision = "32-true"
        model, data = config.get("model"), config.get("data")
        if not model or "labels" not in model.init_args or model.init_args.labels:
            return
        parser = ArgumentParser()
        parser.add_subclass_arguments(LightningDataModule, "data")
        module = parser.instantiate_classes(Namespace(data=data))["data"]
        if isinstance(module, ClipsDataModule):
            model.init_args.labels = data.init_args.labels = labels_of(module)


def has_half() -> bool:
    """Whether the processor has instructions for bfloat16."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def labels_of(data: ClipsDataModule) -> list[str]:
    """The labels of clips, in the order of their targets; the data may have to be read first."""
    if not data.labels:
        with torch.random.fork_rng(devices=[]):  # what is drawn after does not depend on the cache
            data.prepare_data()
            data.setup()
    return data.labels
