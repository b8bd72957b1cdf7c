"""`audiocnn models`: what networks cost, as a table and by layer; the shipped models stay listed."""

from pathlib import Path

import pytest
import torch
from torch import nn

from audiocnn.backbones import FAMILIES
from audiocnn.blocks.cost import count_macs
from audiocnn.cli import costs
from audiocnn.cli.models import WIDTH, _format_count, _natural_order
from audiocnn.models import weights

SECOND = costs.Input(dims=None, in_channels=1, bins=294, frames=32, hop_ms=32.0)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path) -> Path:
    """A folder with the one model that is shipped."""
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes-piano.safetensors").write_bytes(model.read_bytes())
    return tmp_path


def test_shipped_models_are_listed(run, shipped: Path) -> None:
    line = f"notes-piano       0.0 MB  notes                       {shipped}/notes/notes-piano.md"
    assert run("models", "notes*").out == [line]
    done = run("models", "lenet5")
    assert line not in done.out  # its name does not match


def test_a_model_of_labels(run, shipped: Path, one_tone: Path) -> None:
    (shipped / "labels").mkdir()
    (shipped / "labels" / "genre.safetensors").write_bytes(one_tone.read_bytes())
    line = f"genre             0.0 MB  3 labels, 1 s windows       {shipped}/labels/genre.md"
    assert run("models", "genre").out == [line]
    done = run("models", "genre", "--detail")
    assert done.out[0] == "genre on 16384"
    (total,) = (line.split() for line in done.out if line.startswith("all "))
    assert total[1] == "4"  # low, middle, high and unknown
    assert "3 labels, 1 s windows: low, middle, high" in done.out


def test_table(run, shipped: Path) -> None:
    done = run("models", "[rv]*_small")
    assert (done.status, done.err) == (0, [])
    text = "\n".join(done.out)
    assert "each on 1.02 s of sound:\n294 bins and 32 frames of 32 ms, or the waveform at 16 kHz." in text
    assert "latency" not in text
    assert max(map(len, done.out)) <= WIDTH
    headings = ["network", "dims", "input", "parameters", "MACs", "field", "in", "ms"]
    assert headings in [line.split() for line in done.out]
    cells = {line.split()[0]: line.split()[1:] for line in done.out if "_small" in line}
    assert list(cells) == ["resnet_small", "vgg_small"]
    assert cells["resnet_small"] == ["2", "1x294x32", "307,888", "11.2", "M", "195", "6,240"]


def test_published_figures(run, shipped: Path) -> None:
    image = ["--in-channels", 3, "--bins", 224, "--frames", 224, "--classes", 1000]
    done = run("models", "resnet18", *image)
    assert "Networks with a classifier of 1000 classes, each on 7.17 s of sound:" in done.out
    assert done.out[-1].split()[1:6] == ["2", "3x224x224", "11,689,512", "1.81", "G"]


def test_waveforms_are_as_long(run, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name, *cells = run("models", "m5_small", "--latency").out[-1].split()
    assert (name, *cells[:2]) == ("m5_small", "1", "1x16384")
    n_samples, field_ms, latency_ms = (float(cell.replace(",", "")) for cell in cells[-3:])
    assert field_ms == round(n_samples / 16)
    assert latency_ms > 0


def test_other_dims(run, shipped: Path) -> None:
    done = run("models", "lenet5", "--dims", 1, "--bins", 80)
    assert done.out[-1].split()[1:3] == ["1", "80x32"]
    done = run("models", "harmonic", "--dims", 1)
    assert (done.status, done.out) == (0, ["not for this input: harmonic: dims is 1, expected 2"])


def test_input_that_is_too_short(run, shipped: Path) -> None:
    done = run("models", "resnet_small", "--frames", 4)
    assert done.out == ["not for this input: resnet_small: frames is 4, expected at least 32"]


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_has_an_input(family: str) -> None:
    _, (name, *_) = FAMILIES[family]
    with torch.device("meta"):  # no time, whatever the size
        backbone, network = SECOND.create(name)
    shape = SECOND.shape(backbone)
    assert backbone is network
    assert shape[:2] == (1, backbone.in_channels)
    assert shape[-1] >= backbone.time_stride
    assert backbone.dims == len(shape) - 2
    assert count_macs(network, shape) >= 0


def test_names_are_in_natural_order() -> None:
    names = ["vgg11", "resnet101", "resnet18_v2", "resnet18", "m5"]
    assert sorted(names, key=_natural_order) == ["m5", "resnet18", "resnet18_v2", "resnet101", "vgg11"]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (999.6, "1 k"), (12_345, "12.3 k"), (1_814_073_344, "1.81 G"), (2e12, "2 T")],
)
def test_format_count(number: float, text: str) -> None:
    assert _format_count(number) == text


def test_latency_is_the_median_of_runs_that_learn_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0, 50, 100, 101, 200, 203, 300, 302])  # one to warm up, then 1, 3 and 2 seconds
    monkeypatch.setattr(costs.time, "perf_counter", lambda: next(clock))

    class Network(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.shape == (1, 1, 7)
            assert not self.training and torch.is_inference_mode_enabled()
            return x

    assert costs.measure_latency_ms(Network(), (1, 1, 7), runs=3) == 2000


def test_detail_of_a_network(run, shipped: Path) -> None:
    done = run("models", "resnet_small", "--detail", "--classes", 10)
    assert (done.status, done.err) == (0, [])
    assert done.out[0] == "resnet_small on 1x294x32"
    assert max(map(len, done.out)) <= WIDTH
    rows = [line.split() for line in done.out]
    assert rows[2] == ["layer", "kind", "output", "parameters", "MACs"]
    assert rows[3][1:] == ["Conv2d", "16x147x16", "784", "1,843,968"]  # 7x7, without bias
    (total,) = (row for row in rows if row[:1] == ["all"])
    assert total[1:3] == ["10", f"{307_888 + 128 * 10 + 10:,}"]
    numbers = [int(row[-2].replace(",", "")) for row in rows[3 : rows.index(total)] if "Conv2d" in row]
    assert sum(numbers) < 309_178
    assert done.out[-3].startswith("receptive field: 195 frames, 6,240 ms; stride: 32")
    assert done.out[-2].startswith("latency: ")


def test_detail_of_a_shipped_model(run, shipped: Path) -> None:
    done = run("models", "notes-piano", "--detail")
    assert (done.status, done.err) == (0, [])
    assert done.out[0] == "notes-piano on 16384"
    assert any(line.startswith("front_end") and " Cqt " in line for line in done.out)
    (total,) = (line.split() for line in done.out if line.startswith("all "))
    assert total[1] == "4x88x33"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["resnet"], "PATTERN is 'resnet', expected one that matches a network (`audiocnn models`)"),
        (["--dims", 3], "--dims is 3, expected 1 or 2"),
        (["--frames", 0], "--frames is 0, expected more than 0"),
        (["--hop-ms", -1], "--hop-ms is -1.0, expected more than 0"),
        (["--classes", -1], "--classes is -1, expected 1 or more"),
        (["harmonic", "--detail", "--dims", 1], "--dims is 1, expected 2"),
        (["resnet_small", "--detail", "--frames", 4], "--frames is 4, expected at least 32"),
    ],
)
def test_wrong_arguments(run, shipped: Path, arguments: list, reason: str) -> None:
    done = run("models", *arguments)
    assert (done.status, done.out) == (2, [])
    assert done.err == [f"audiocnn models: {reason} (see audiocnn models --help)"]
