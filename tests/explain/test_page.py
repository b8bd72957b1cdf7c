"""Pages that explain a recording."""

import re
from functools import partial
from html.parser import HTMLParser
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


def parse(text: str) -> list[tuple[str, list]]:
    """The tags of a page, each with its attributes, as a browser reads them."""
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append((tag, attrs))
    parser.feed(text)
    return tags


HOSTILE = "<img src=x onerror=alert(1)>"


def page_of(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: list[str], **options
) -> tuple[str, str]:
    """The line about a small model's page, and its text."""
    quick = partial(maximise_activation, options=MaximisationOptions(steps=1))
    monkeypatch.setattr(sections, "maximise_activation", quick)
    torch.manual_seed(0)
    backbone = create_backbone("tcn_small", dims=1, in_channels=32)
    model = ClipModel(LogMel(RATE, n_fft=512, hop_length=256, n_mels=32), backbone, outputs, window_s=0.8)
    model.name = HOSTILE
    path = tmp_path / "out" / page.NAME
    said = page.write_page(recording, model.eval(), path, ExplanationOptions(**options))
    return said, path.read_text()


def test_names_are_shown_and_never_obeyed(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels and names of files are others': HTML, formulas of plots, paths, and two that look alike."""
    gradient = {"guided backpropagation": partial(torch.zeros, 1, 32, 26)}
    monkeypatch.setattr(sections, "_list_methods", lambda *_: gradient)
    labels = [HOSTILE + "$\\frac{1}$" + "x" * 300, "../R&B", "../R/B"]
    hostile = recording.rename(tmp_path / "<img src=x onerror=alert(1)> & \udcff.wav")
    _, text = page_of(hostile, tmp_path, monkeypatch, labels, labels=[*labels, labels[0]])
    assert HOSTILE not in text and "&lt;img src=x onerror=alert(1)&gt; &amp; \\xff.wav" in text
    attributes = [(tag, name) for tag, given in parse(text) for name, _ in given]
    assert {tag for tag, _ in parse(text)}.isdisjoint({"script", "b"})
    assert {name for _, name in attributes} == {"charset", "src", "alt", "controls", "preload"}
    shown = re.findall(r'src="([^"]*)"', text)
    assert len(set(shown)) == len(shown) and {file.name for file in (tmp_path / "out").iterdir()} == {
        *shown,
        page.NAME,
    }
    assert len(re.findall("<h2>Saliency maps", text)) == len(labels)


def test_what_a_model_cannot_do_is_told(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> torch.Tensor:
        raise RuntimeError("no gradient <b>\nand more lines")

    monkeypatch.setattr(sections.saliency, "grad_cam", fail)
    monkeypatch.setattr(sections.kernels, "get_first_kernels", fail)
    said, text = page_of(recording, tmp_path, monkeypatch, ["a", "b"], top=1)
    told = ["Grad-CAM cannot be computed: no gradient <b>", "the rest cannot be computed: no gradient <b>"]
    for reason in told:
        assert reason in said and f"<p>{reason.replace('<b>', '&lt;b&gt;')}</p>" in text
    assert "\n" not in said and "deconvolution" in text and ".grad_cam." not in text


def test_a_time_after_the_end(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(files.FileError, match=r"wav: time is 30 s, expected at most 2\.00, its length"):
        page_of(recording, tmp_path, monkeypatch, ["a"], time_s=30.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "spine"}, "layer is 'spine', expected one of backbone, .*head"),
        ({"layer": ""}, "layer is '', expected one of backbone"),
        ({"labels": ["c"]}, "label is 'c', expected one of a, unknown"),
        ({"midi": 70}, "note is 70, expected none"),
    ],
)
def test_wrong_options_list_the_right_ones(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as error:
        page_of(recording, tmp_path, monkeypatch, ["a"], **options)
    assert "\n" not in str(error.value)
