"""The stages of a backbone, as transfer learning treats them: frozen, or with learning rates of their own."""

from __future__ import annotations

from typing import Any

from torch import nn

from audiocnn.backbones import Backbone
from audiocnn.ranges import ArgumentError


def list_stages(backbone: Backbone) -> list[nn.Module]:
    """List the parts of a backbone that hold weights, from its input to its output.

    They are its children in the order in which it was given them; those in a list are parts of their own.
    Parameters of the backbone outside its children count with the first part.

    Args:
        backbone: with any children.

    Returns:
        Modules with at least one tensor.
    """
    children = [list(child) if isinstance(child, nn.ModuleList) else [child] for child in backbone.children()]
    return [part for parts in children for part in parts if part.state_dict()]


def freeze_stages(backbone: Backbone, n_stages: int) -> None:
    """Freeze the first stages, weights and statistics of norms, and let the others train.

    Args:
        backbone: changed in place.
        n_stages: number of stages to freeze.

    Raises:
        ArgumentError: n_stages is negative or more than there are.
    """
    stages = list_stages(backbone)
    if not 0 <= n_stages <= len(stages):
        raise ArgumentError(f"n_stages is {n_stages}, expected 0 to {len(stages)}")
    for parameter in backbone.parameters(recurse=False):
        parameter.requires_grad_(not n_stages)
    for i, stage in enumerate(stages):
        stage.train(i >= n_stages).requires_grad_(i >= n_stages)


def group_by_learning_rate(
    groups: list[dict[str, Any]], backbone: Backbone, learning_rate: float, rate_decay: float
) -> list[dict[str, Any]]:
    """Split an optimizer's groups by learning rate: a stage's is that of the stage above it, over rate_decay.

    Args:
        groups: as an optimizer takes them: {"params": [...], ...}.
        backbone: whose stages get lower rates.
        learning_rate: of the head, above all stages.
        rate_decay: divisor from each stage to the one below it, at least 1.

    Returns:
        Groups with a learning rate each, "lr".

    Source:
        Howard and Ruder, "Universal language model fine-tuning", 2018, section 3.2.
    """
    stages = list_stages(backbone)
    depth = {id(p): len(stages) for p in backbone.parameters(recurse=False)}
    for i, stage in enumerate(reversed(stages), start=1):
        depth |= {id(p): i for p in stage.parameters()}
    found: dict[tuple[int, float], dict[str, Any]] = {}
    for i, group in enumerate(groups):
        for p in group["params"]:
            rate = learning_rate / rate_decay ** depth.get(id(p), 0)
            found.setdefault((i, rate), {**group, "params": [], "lr": rate})["params"].append(p)
    return list(found.values())
