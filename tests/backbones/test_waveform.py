"""Networks over waveforms: published sizes, and where their frames lie."""

import pytest
import torch
from torch import nn

from audiocnn import create_backbone
from audiocnn.backbones.waveform import MNet, SampleCNN
from audiocnn.blocks.cost import count_parameters
from audiocnn.blocks.geometry import Window, compute_receptive_field


@pytest.mark.parametrize(
    ("name", "millions", "n_weight_layers"),
    [("m3", 0.2, 3), ("m5", 0.5, 5), ("m11", 1.8, 11), ("m18", 3.7, 18), ("m34_res", 4.0, 34)],
)
def test_published_sizes(name: str, millions: float, n_weight_layers: int) -> None:
    """Dai et al., in millions to one digit; the name counts the layers with the classifier's."""
    with torch.device("meta"):
        backbone = create_backbone(name)
    assert count_parameters(backbone) / 1e6 == pytest.approx(millions, abs=0.07)
    wide = [part for part in backbone.modules() if isinstance(part, nn.Conv1d) and part.kernel_size[0] > 1]
    assert len(wide) + 1 == n_weight_layers


def test_map_sizes_of_the_paper() -> None:
    """M11 on four seconds at 8 kHz: 32,000 samples, then 2000, 500, 125 and 32 frames."""
    with torch.device("meta"):
        backbone = create_backbone("m11")
        feature_maps = backbone.features(torch.empty(1, 1, 32_000))
    assert [m.shape[-1] for m in feature_maps] == [2000, 500, 125, 32, 32]
    assert backbone.time_stride == 1024


@pytest.mark.parametrize("extra", range(5))
def test_stem_has_a_position_for_every_begun_stride(extra: int) -> None:
    stem = MNet(depths=(1,), widths=(2,), stem_channels=2).stages[0][0]
    assert stem(torch.rand(2, 1, 400 + extra)).shape[-1] == -(-(400 + extra) // 4)


def test_sample_cnn_of_the_paper() -> None:
    """59,049 samples become one frame; eleven convolutions, of which the last is the classifier's."""
    with torch.device("meta"):
        backbone = create_backbone("samplecnn")
        feature_maps = backbone.features(torch.empty(1, 1, 59_049))
        classifier = backbone.classifier(50)
    assert [m.shape[-1] for m in feature_maps] == [3**i for i in range(9, -1, -1)]
    convolutions = 3 * (128 + 2 * 128**2 + 128 * 256 + 5 * 256**2 + 256 * 512)
    assert count_parameters(backbone) == convolutions + 2 * (3 * 128 + 6 * 256 + 512)
    assert count_parameters(classifier) == 512**2 + 2 * 512 + 512 * 50 + 50


def test_receptive_field_of_sample_cnn() -> None:
    """By arithmetic as by gradient, where that is quick."""
    backbone = SampleCNN(widths=(2, 2, 2))
    field = compute_receptive_field([Window(3, 3, 1), *[Window(3, 1, 1), Window(3, 3)] * 2])
    assert (field.size, field.stride, field.offset) == (51, 27, 12)
    assert backbone.receptive_field == 1 + 2 * (25 + 12)
    reach = backbone.receptive_field // 2
    averaging = SampleCNN(widths=(2, 2, 2), norm="none", pool="average").eval()
    for parameter in averaging.parameters():
        nn.init.uniform_(parameter, 0.1, 1)
    x = torch.rand(1, 1, 27 * 9, requires_grad=True)
    (gradient,) = torch.autograd.grad(averaging(x)[..., 4].sum(), x)
    reached = gradient.flatten().nonzero().flatten().tolist()
    assert max(4 * 27 - reached[0], reached[-1] - 4 * 27) == reach
    assert len(reached) == field.size


@pytest.mark.parametrize("kind", [MNet, SampleCNN])
def test_one_dimension_alone(kind: type[nn.Module]) -> None:
    with pytest.raises(ValueError, match="dims is 2, expected 1: a waveform has no bins"):
        kind(dims=2)
