"""`audiocnn fit`, `validate` and `test`: Lightning's command line over every task and data set."""

import sys


def lightning(verb: str, arguments: list[str]) -> int:
    """Runs Lightning's verb with its arguments.

    A config has the sections trainer, model and data. `--ckpt_path last` goes on from the last checkpoint of
    the config's ModelCheckpoint, and begins anew where there is none: the same command trains and, after a
    kill, resumes. The config that a run used is written among its logs.
    """
    from lightning import LightningDataModule
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch.cli import LightningCLI

    from audiocnn.tasks.base import Task

    sys.argv = ["audiocnn", verb, *arguments]  # where it reads them: it warns of any other way
    try:
        LightningCLI(
            Task,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_kwargs={"overwrite": True},
        )
    except (FileNotFoundError, MisconfigurationException) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
