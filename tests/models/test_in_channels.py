"""Every backbone is a model of sound by its name alone: its input channels follow the front end."""

import pytest
import torch

from audiocnn import create_backbone, list_backbones
from audiocnn.backbones import Backbone, backbone_family
from audiocnn.frontends import Cqt, FrontEnd, LogMel, Waveform
from audiocnn.models.base import fit_in_channels
from audiocnn.models.file import describe, rebuild
from audiocnn.ranges import ArgumentError
from audiocnn.training.clips import GenreTask

RATE, BINS = 8000, 36
# Families that take something else than a spectrogram of any bins.
TEXT = {"DynamicCNN", "TextCNN"}  # tokens of a vocabulary
WAVEFORM = {"MNet", "SampleCNN"}  # samples
PITCHES = {"HarmonicNet", "HarmonicUNet"}  # rows of semitones
LARGE = 3_000_000  # parameters; networks with more are built and not computed
NAMES = [name for name in list_backbones() if backbone_family(name).__name__ not in TEXT]
TEXT_NAMES = sorted({*list_backbones()} - {*NAMES})


def front_end(name: str) -> FrontEnd:
    family = backbone_family(name).__name__
    if family in WAVEFORM:
        return Waveform(RATE)
    if family in PITCHES:
        return Cqt(RATE, 128, fmin=27.5, n_bins=252, bins_per_octave=36, max_length=1022)
    return LogMel(RATE, n_fft=256, hop_length=128, n_mels=BINS)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_built_by_its_name_alone(name: str) -> None:
    of_sound = front_end(name)
    with torch.device("meta"):
        backbone = fit_in_channels(create_backbone(name), of_sound)
    assert backbone.in_channels == (of_sound.n_bins if backbone.dims == 1 else 1)


@pytest.mark.parametrize("name", [name for name in NAMES if "harmonic" not in name])
@pytest.mark.parametrize("in_channels", [0, -1, 1.5, "1"])
def test_channels_that_cannot_be(name: str, in_channels: object) -> None:
    with pytest.raises(ValueError, match=f"in_channels is {in_channels!r}, expected 1 or more"):
        create_backbone(name, in_channels=in_channels)


def is_small(backbone: Backbone) -> bool:
    return sum(one.numel() for one in backbone.parameters()) < LARGE


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_small") or "_" not in name])
def test_it_learns_a_step_by_its_name_alone(name: str) -> None:
    with torch.device("meta"):
        if not is_small(create_backbone(name)):
            pytest.skip("is large, and has the family of a small one")
    task = GenreTask(front_end(name), create_backbone(name), ["low", "high"], window_s=0.6)
    n_samples = max(task.n_window, task.min_samples)
    logits = task(torch.randn(2, n_samples))
    task.loss(logits, torch.eye(3)[:2]).backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in task.head.parameters())
    assert all(one.grad is not None for one in [*task.backbone.parameters()][:1])  # a linear one has none


@pytest.mark.parametrize("dims", [1, 2])
def test_the_channels_are_in_the_description_of_a_model(dims: int) -> None:
    task = GenreTask(front_end("tcn"), create_backbone("lenet5", dims=dims), ["low", "high"], window_s=0.6)
    expected = BINS if dims == 1 else 1
    assert rebuild(describe(task.backbone)).in_channels == task.backbone.in_channels == expected


@pytest.mark.parametrize(
    ("dims", "given", "message"),
    [
        (1, 4, "in_channels is 4, expected 36: the front end LogMel with dims=1 has 36 channels, its bins"),
        (2, 3, "in_channels is 3, expected 1: the front end LogMel with dims=2 has 1 channel"),
    ],
)
def test_channels_that_are_given_and_do_not_fit_are_refused(dims: int, given: int, message: str) -> None:
    backbone = create_backbone("lenet5", dims=dims, in_channels=given)
    with pytest.raises(ValueError, match=message):
        fit_in_channels(backbone, front_end("lenet5"))


@pytest.mark.parametrize("name", [name for name in NAMES if backbone_family(name).__name__ in WAVEFORM])
def test_networks_of_waveforms_take_no_spectrogram(name: str) -> None:
    with torch.device("meta"):
        backbone = create_backbone(name)
    expected = r"front_end is LogMel with 36 bins, expected audiocnn\.frontends\.Waveform: "
    with pytest.raises(ArgumentError, match=expected):
        fit_in_channels(backbone, front_end("lenet5"))


@pytest.mark.parametrize("name", [name for name in NAMES if backbone_family(name).__name__ in PITCHES])
@pytest.mark.parametrize(
    "front_end",
    [
        LogMel(RATE, n_fft=256, hop_length=128, n_mels=BINS),
        Cqt(RATE, 128, fmin=27.5, n_bins=84, bins_per_octave=12),
        Cqt(RATE, 128, fmin=27.5, n_bins=250, bins_per_octave=36),
        Waveform(RATE),
    ],
    ids=["mel", "semitones", "part of one", "waveform"],
)
def test_networks_of_pitches_name_the_front_end_that_they_need(name: str, front_end: FrontEnd) -> None:
    with torch.device("meta"):
        backbone = create_backbone(name)
    expected = (
        r"expected audiocnn\.frontends\.Cqt with bins_per_octave=36 and a multiple of 3 bins: the rows of"
    )
    with pytest.raises(ArgumentError, match=expected):
        fit_in_channels(backbone, front_end)


@pytest.mark.parametrize("n_mels", [BINS, 128])
@pytest.mark.parametrize("name", TEXT_NAMES)
def test_networks_of_text_say_so(name: str, n_mels: int) -> None:
    of_sound = LogMel(RATE, n_fft=1024, hop_length=128, n_mels=n_mels)
    with pytest.raises(
        ArgumentError, match=r"backbone is \w+, which takes a sequence of tokens, such as words"
    ):
        fit_in_channels(create_backbone(name), of_sound)


def test_given_channels_stay_and_so_do_weights() -> None:
    backbone = create_backbone("lenet5", dims=1, in_channels=BINS)
    assert fit_in_channels(backbone, front_end("lenet5")) is backbone


def test_wrong_names_are_told_with_those_that_there_are() -> None:
    for arguments, message in (
        ({"name": "resnt18"}, "backbone is 'resnt18', expected one of alexnet, .*; did you mean resnet18 or"),
        ({"name": "lenet5", "norm": "bacth"}, "norm is 'bacth', expected one of batch, .*did you mean batch"),
        ({"name": "lenet5", "act": "rellu"}, "act is 'rellu', expected one of relu, .*; did you mean relu"),
        ({"name": "lenet5", "pool": "avrage"}, "pool is 'avrage', expected one of .*; did you mean average"),
        (
            {"name": "lenet5", "norm": "x"},
            "norm is 'x', expected one of batch, instance, layer, layer_all, group, none$",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            create_backbone(**arguments)
