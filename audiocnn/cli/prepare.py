"""`audiocnn data prepare`: what was fetched or composed -> caches to train on."""

import functools
import sys
from collections.abc import Callable

from audiocnn.datasets.clips import loader, shards
from audiocnn.datasets.notes import maps
from audiocnn.synthesis import instruments, render, speech


def _verb(prepare: Callable[..., int]) -> Callable[..., int]:
    """The verb of a function that prepares: the same arguments, faults in one line."""

    @functools.wraps(prepare)
    def verb(**arguments) -> int:
        try:
            n_recordings = prepare(**arguments)
        except (ImportError, OSError, ValueError, RuntimeError) as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{n_recordings} recordings written to {arguments['out']}")
        return 0

    return verb


prepare_clips = _verb(loader.prepare)
prepare_instruments = _verb(instruments.prepare)
prepare_maps = _verb(maps.prepare)
prepare_render = _verb(render.prepare)
prepare_speech = _verb(speech.prepare)
shard = _verb(shards.write)
