"""Pages that explain a recording."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audiocnn import files
from audiocnn.backbones import create_backbone
from audiocnn.explain import page, sections
from audiocnn.explain.activation_maximisation import MaximisationOptions, maximise_activation
from audiocnn.explain.excerpts import ExplanationOptions
from audiocnn.frontends.mel import LogMel
from audiocnn.frontends.waveform import Waveform
from audiocnn.models.clips import ClipModel
from audiocnn.models.notes import NotesModel

RATE = 8000


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    time_s = np.arange(2 * RATE) / RATE
    path = tmp_path / "a & b.wav"
    soundfile.write(path, 0.1 * np.sin(2 * np.pi * 440 * time_s), RATE)
    return path


def sources(path: Path) -> set[str]:
    return set(re.findall(r'src="([^"]*)"', path.read_text()))


@pytest.mark.parametrize(
    ("name", "dims"), [("resnet18", 2), ("resnet18", 1), ("m5_small", 1)], ids=["2-D", "1-D", "waveform"]
)
def test_page_of_labels(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, dims: int
) -> None:
    torch.manual_seed(0)
    quick = partial(maximise_activation, options=MaximisationOptions(steps=4))
    monkeypatch.setattr(sections, "maximise_activation", quick)
    front_end = Waveform(RATE) if name == "m5_small" else LogMel(RATE, n_fft=512, hop_length=256, n_mels=32)
    channels = 32 if dims == 1 and name == "resnet18" else 1
    widths = {"widths": (8, 8, 8, 8)} if name == "resnet18" else {}
    backbone = create_backbone(name, dims=dims, in_channels=channels, **widths)
    model = ClipModel(front_end, backbone, ["no", "yes or no"], window_s=0.8).eval()
    path = tmp_path / "out" / page.NAME
    other = tmp_path / "other.wav"
    soundfile.write(other, np.random.default_rng(0).normal(0, 0.1, 2 * RATE), RATE)
    options = ExplanationOptions(labels=["yes or no"], time_s=1.3)
    explained = page.write_page(recording, model, path, options, among=[recording, other])
    assert re.fullmatch(r"yes or no, \d+ % from 0.8 s on", explained)
    there = {file.name for file in path.parent.iterdir()}
    assert there == sources(path) | {page.NAME}
    named = {"yes_or_no.png", "yes_or_no.wav", "yes_or_no.grad_cam.wav", "yes_or_no.occlusion.wav"}
    named |= {"yes_or_no.guided_backpropagation.wav", "yes_or_no.deconvolution.wav", "maximal.png"}
    named |= {"maximal.yes_or_no.wav", "kernels.png", "fields.png"}
    assert named <= there
    assert ("responses.png" in there) == (name == "m5_small")
    assert len([one for one in there if re.fullmatch(r"channel_\d+\.png", one)]) == sections.N_CHANNELS
    assert "<h1>a &amp; b.wav: " in path.read_text()
    samples, rate = soundfile.read(path.parent / "yes_or_no.wav")
    whole, _ = soundfile.read(recording)
    assert rate == RATE
    np.testing.assert_allclose(samples, whole[round(0.8 * RATE) :][: len(samples)], atol=1e-3)


def test_no_such_note(recording: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = NotesModel(LogMel(RATE, n_mels=32), create_backbone("tcn_small", dims=1, in_channels=32)).eval()
    with pytest.raises(files.FileError, match="no note 60 is transcribed that could be explained"):
        page.write_page(recording, model, tmp_path / "out" / page.NAME, ExplanationOptions(midi=60))
    assert not (tmp_path / "out").exists()
