"""Arguments of data modules that, where they are not given, are those of the model that is trained.

So a config says them once, of the model. Where both say them, `training.checks.check_data` compares them.
"""

from __future__ import annotations

from typing import TypeVar

import lightning

from audiocnn.ranges import ArgumentError

T = TypeVar("T")


def default_of_model(
    data: lightning.LightningDataModule, name: str, given: T | None, otherwise: T | None = None
) -> T:
    """Return an argument of a data module.

    Args:
        data: the data module, with the trainer of its training.
        name: of the argument, and of the attribute of the model.
        given: its value, or None for that of the model.
        otherwise: its value where the model has none; None where there must be one.

    Raises:
        ArgumentError: it is given, and is another than that of the model; or it is not given, and there is no
            model that has it.
    """
    task = data.trainer.lightning_module if data.trainer else None
    of_model = getattr(task, name, None)
    if given is not None and of_model not in (None, given):
        raise ArgumentError(
            f"{name} of the data is {given}, expected that of the model, {of_model}, which it is where it is "
            "not given"
        )
    found = next((one for one in (given, of_model, otherwise) if one is not None), None)
    if found is None:
        whose = f"{type(task).__name__} has none" if task else "there is no model whose it could be"
        raise ArgumentError(f"{name} of the data is not given, expected a number: {whose}")
    return found
