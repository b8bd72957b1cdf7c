"""The command line as a whole: its help, its faults, and the model of these tests."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import audiocnn
from audiocnn.backbones import HarmonicNet
from audiocnn.cli import VERBS
from audiocnn.frontends.cqt import Cqt
from audiocnn.models.file import describe, read_model
from audiocnn.models.notes import NotesModel


def tone_model() -> NotesModel:
    """A network of two channels: the level of the front end at each pitch, and how fast it rises."""
    front_end = Cqt(16_000, 512, fmin=26.975577, n_bins=294, bins_per_octave=36, max_length=2046)
    model = NotesModel(front_end, HarmonicNet(channels=2)).eval()
    with torch.no_grad():
        for weights in model.backbone.stages.parameters():
            weights.zero_()
        stem, head = model.backbone.stem[0].weight.zero_(), model.head.project
        stem[0, 4, 1, 1] = 1  # channel 4 is the middle bin of the pitch itself
        stem[1, 4, 1] = torch.tensor([-1.0, 0.0, 1.0])
        head.bias.copy_(torch.tensor([-6.0, -6.0, -20.0, 0.0]))
        head.weight.zero_()
        head.weight[0, 1], head.weight[1, 0], head.weight[3, 0] = 100, 150, 6
    return model


def test_golden_model_is_the_one_made_by_hand(model: Path) -> None:
    """The file of the tests is that model, as it is written today."""
    made, read = tone_model(), read_model(model)
    assert json.dumps(describe(read)) == json.dumps(describe(made, NotesModel))
    for name, tensor in made.state_dict().items():
        assert torch.equal(read.state_dict()[name], tensor), name


def test_help_lists_the_verbs_without_importing_them(program: list[str]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*program, "--help"], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert all(f"  {verb} " in done.stdout for verb in VERBS)
    # Time of the processor, which other programs running do not lengthen.
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 0.3


def test_version(run) -> None:
    assert run("--version").out == [audiocnn.__version__]


@pytest.mark.parametrize("words", [["sing"], ["data"], ["evaluate", "song.wav"]])
def test_no_such_verb(run, words: list[str]) -> None:
    done = run(*words)
    assert (done.status, done.out) == (2, [])
    assert done.err[-1] == f"audiocnn: no such verb: {' '.join(words)}"


def test_help_of_a_group_lists_its_verbs_alone(run) -> None:
    done = run("evaluate", "--help")
    assert (done.status, done.err) == (0, [])
    assert [line.split("  ")[1] for line in done.out[2:-2]] == [
        "evaluate notes",
        "evaluate genre",
        "evaluate instrument",
        "evaluate images",
    ]


def test_as_a_module() -> None:
    command = [sys.executable, "-m", "audiocnn", "--version"]
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
        == f"{audiocnn.__version__}\n"
    )
