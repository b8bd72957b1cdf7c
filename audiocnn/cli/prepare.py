"""`audiocnn data prepare` and `data shard`: downloaded or synthesised data -> what training reads."""

import functools
from collections.abc import Callable
from importlib import import_module

from audiocnn.cli import interrupts, terminal
from audiocnn.cli.parser import usage_errors
from audiocnn.ranges import COUNT, NOT_NEGATIVE, check

# Verb -> its function, imported when it is called: some of the modules need torch.
HOMES = {
    "prepare_cifar10": "datasets.images.cifar10:prepare_cifar10",
    "prepare_clips": "datasets.clips.loader:prepare_clips",
    "prepare_instruments": "synthesis.instruments:prepare_instruments",
    "prepare_maps": "datasets.notes.maps:prepare_maps",
    "prepare_mnist": "datasets.images.mnist:prepare_mnist",
    "prepare_render": "synthesis.render:prepare_render",
    "prepare_sentiment": "datasets.text.sentiment:prepare_sentiment",
    "prepare_speech": "synthesis.speech:prepare_speech",
    "shard": "datasets.clips.sharding:write_shards",
}
# What they write; the others write recordings.
NOUNS = {"prepare_cifar10": "images", "prepare_mnist": "images", "prepare_sentiment": "sentences"}
# Numbers that several of them take.
RANGES = {
    "hours": NOT_NEGATIVE,
    "minutes": COUNT,
    "recordings_hours": NOT_NEGATIVE,
    "sample_rate": COUNT,
    "seed": NOT_NEGATIVE,
    "shard_mb": COUNT,
    "validation_hours": NOT_NEGATIVE,
    "workers": NOT_NEGATIVE,
}


def __getattr__(name: str) -> Callable[..., int]:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, function = HOMES[name].partition(":")
    return _as_verb(getattr(import_module(f"audiocnn.{module}"), function), NOUNS.get(name, "recordings"))


def _as_verb(prepare: Callable[..., int], noun: str = "recordings") -> Callable[..., int]:
    """Return the verb of a function that prepares data: the same arguments, checked."""

    @functools.wraps(prepare)
    def verb(**arguments) -> int:
        with usage_errors(), interrupts.raised():  # so that temporary folders are removed
            for name, value in arguments.items():
                if name in RANGES:
                    check(name, value, RANGES[name])
            n_written = prepare(**arguments)
        terminal.tell(f"{n_written} {noun} written to {arguments['out']}")
        return 0

    return verb
