"""Saliency maps against worked numbers, and sanity checks on the shipped models."""

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from audiocnn.backbones import create_backbone
from audiocnn.explain import saliency
from audiocnn.explain.network import randomise_weights, strip_front_end
from audiocnn.frontends.mel import LogMel
from audiocnn.models.clips import ClipModel
from audiocnn.models.heads import ClipHead
from audiocnn.models.load import load
from audiocnn.models.notes import NotesModel


def pooled(kernel: list[list[float]], weights: list[list[float]]) -> nn.Sequential:
    """A 1x1 convolution to two channels, global average pooling, and a linear layer."""
    convolution = nn.Conv2d(1, 2, 1)
    linear = nn.Linear(2, 2)
    with torch.no_grad():
        convolution.weight.copy_(torch.tensor(kernel).view(2, 1, 1, 1))
        convolution.bias.zero_()
        linear.weight.copy_(torch.tensor(weights))
        linear.bias.copy_(torch.tensor([0.5, -0.5]))
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)
    return nn.Sequential(OrderedDict(backbone=convolution, head=head)).eval()


SPECTROGRAM = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]


def test_class_activation_by_hand() -> None:
    # channels are x and -x; score 1 weighs them 3 and 1: each position adds (3 - 1) x / 4
    found = saliency.class_activation(pooled([[1.0], [-1.0]], [[0, 0], [3, 1]]), SPECTROGRAM, 1)
    assert found.tolist() == [[[0.5, 1.0], [1.5, 2.0]]]


def test_class_activation_sums_up_to_the_score(instrument_network, spectrograms) -> None:
    target = 10
    contributions = saliency.channel_contributions(instrument_network, spectrograms, target).sum(1)
    with torch.no_grad():
        scores = instrument_network(spectrograms)[:, target]
    bias = instrument_network.get_submodule("head.project").bias[target]
    torch.testing.assert_close(contributions, scores - bias, atol=1e-4, rtol=1e-4)


def test_grad_cam_by_hand() -> None:
    # the mean gradients are 3/4 and 1/4 of x and -x: (3 - 1) x / 4; of score 0, (-2 + 1) x / 4, none above 0
    network = pooled([[1.0], [-1.0]], [[-2, -1], [3, 1]])
    assert saliency.grad_cam(network, SPECTROGRAM, 1).tolist() == [[[0.5, 1.0], [1.5, 2.0]]]
    assert saliency.grad_cam(network, SPECTROGRAM, 0).tolist() == [[[0.0, 0.0], [0.0, 0.0]]]


def rectified() -> nn.Sequential:
    """Two inputs, two rectifiers, a sum: 2 relu(a - b) - relu(b - 3 a)."""
    first, second = nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, -1.0], [-3.0, 1.0]]))
        second.weight.copy_(torch.tensor([[2.0, -1.0]]))
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(inplace=True), second)


@pytest.mark.parametrize(
    ("values", "guided", "deconvolved"),
    [
        # the first is active, its gradient 2 is above 0; the second's -1 is stopped, by both
        ([2.0, 1.0], [2.0, -2.0], [2.0, -2.0]),
        # only the second is active, and its gradient is stopped; the deconvnet does not ask what was active
        ([1.0, 5.0], [0.0, 0.0], [2.0, -2.0]),
    ],
)
def test_guided_backprop_and_deconvolution_by_hand(values, guided, deconvolved) -> None:
    spectrogram = torch.tensor(values).view(1, 1, 1, 2)
    assert saliency.guided_backprop(rectified(), spectrogram, 0).flatten().tolist() == guided
    assert saliency.deconvolution(rectified(), spectrogram, 0).flatten().tolist() == deconvolved


def test_deconvolution_goes_to_where_a_maximum_was() -> None:
    network = nn.Sequential(nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        network[3].weight.fill_(5.0)
    assert saliency.deconvolution(network, SPECTROGRAM, 0).tolist() == [[[0, 0], [0, 5]]]


def test_occlusion_by_hand(linear) -> None:
    with torch.no_grad():
        linear[0].weight.fill_(1.0)
    spectrogram = torch.arange(32.0).view(1, 1, 8, 4)
    found = saliency.occlusion(linear, spectrogram, 1, window=(1, 1))
    assert torch.equal(found[0, :4], torch.zeros(4, 4))
    torch.testing.assert_close(found[0, 4:], spectrogram[0, 0, 4:] / 16)


def test_occlusion_finds_a_tone() -> None:
    """A linear detector of 1 kHz, and a tone in the middle of a second of silence."""
    front_end = LogMel(16_000, n_fft=1024, hop_length=320, n_mels=40, top_db=60.0)
    band = int((front_end.bins_hz - 1000).abs().argmin())

    class Detector(nn.Module):
        def forward(self, spectrogram: Tensor) -> Tensor:
            return spectrogram[:, 0, band].mean(-1, keepdim=True)

    waveform = torch.zeros(16_000)
    waveform[6400:9600] = torch.sin(2 * torch.pi * 1000 / 16_000 * torch.arange(3200))
    found = saliency.occlusion(Detector(), front_end(waveform[None]), 0, window=(2, 4))[0]
    rows, frames = (found > 0.5 * found.max()).nonzero(as_tuple=True)
    assert set(rows.tolist()) <= {band - 1, band, band + 1}
    assert band in rows
    assert 20 - 4 <= frames.min() <= 20 and 30 <= frames.max() <= 30 + 4


def test_a_network_over_time_alone() -> None:
    network = nn.Sequential(
        OrderedDict(backbone=create_backbone("resnet18", dims=1, in_channels=24), head=ClipHead(512, 3))
    ).eval()
    with torch.no_grad():
        network.get_submodule("head.project").weight.abs_()  # so that no Grad-CAM is empty
    spectrogram = torch.randn(2, 24, 64)
    for method in (
        saliency.class_activation,
        saliency.grad_cam,
        saliency.occlusion,
        saliency.guided_backprop,
    ):
        found = method(network, spectrogram, 1)
        assert found.shape == (2, 24, 64)
        assert found.abs().sum() > 0
    found = saliency.class_activation(network, spectrogram, 1)
    assert torch.equal(found[:, 0], found[:, 23])


def test_normalise() -> None:
    found = saliency.normalise(torch.tensor([[[-1.0, 2.0], [4.0, 0.0]], [[-1.0, 0.0], [0.0, 0.0]]]))
    assert found.tolist() == [[[0, 0.5], [1, 0]], [[0, 0], [0, 0]]]


def test_delete_salient() -> None:
    saliency_map = torch.tensor([[[0.1, 0.9], [0.4, 0.8]]])
    assert saliency.delete_salient(SPECTROGRAM, saliency_map, 0.5, silence=-7.0).tolist() == [
        [[[1, -7], [3, -7]]]
    ]


def coarse_occlusion(network: nn.Module, spectrograms: Tensor, target: int) -> Tensor:
    return saliency.occlusion(network, spectrograms, target, window=(32, 16))


def test_deletion_test_by_hand(linear) -> None:
    with torch.no_grad():
        linear[0].weight.fill_(1.0)
    spectrograms = torch.ones(2, 1, 8, 4)
    saliency_map = torch.zeros(2, 8, 4)
    saliency_map[0, 6], saliency_map[1, 1] = (
        1,
        1,
    )  # a row of the upper half, and one of the lower: an eighth of the values
    found = saliency.run_deletion_test(
        linear, spectrograms, torch.tensor([1, 1]), saliency_map, share=1 / 8, silence=-3.0
    )
    assert found.tolist() == [1, 0]  # a quarter of the upper half drops by 4


METHODS = [saliency.class_activation, saliency.grad_cam, coarse_occlusion, saliency.guided_backprop]


@pytest.mark.parametrize("method", METHODS)
def test_other_weights_give_another_saliency_map(method, instrument_network, spectrograms) -> None:
    """A saliency saliency_map shows what the network learned, not the spectrogram's edges."""
    spectrograms = spectrograms[:3]
    with torch.no_grad():
        target = int(instrument_network(spectrograms).mean(0).argmax())
    ours = method(instrument_network, spectrograms, target).flatten()
    other = method(randomise_weights(instrument_network), spectrograms, target).flatten()
    alike = torch.corrcoef(torch.stack([ours, other]))[0, 1]
    assert alike.nan_to_num().abs() < 0.5  # none where nothing is left to show


@pytest.mark.parametrize("name", ["genre", "instrument"])
@pytest.mark.parametrize("method", METHODS)
def test_salient_bins_matter_more_than_others(method, name: str, spectrograms: Tensor) -> None:
    """Without the most salient fifth the score drops by more than without a random fifth.

    Random is where the map's own fifth would be if it were shifted: holes as large, for scattered holes are
    unlike all that a network has seen.
    """
    network = strip_front_end(load(name, kind=ClipModel))  # both see spectrograms of the same kind
    generator = torch.Generator().manual_seed(0)
    spectrograms = spectrograms[:16, ..., :69]
    with torch.no_grad():
        targets = network(spectrograms).argmax(1)
    saliency_map = method(network, spectrograms, targets)
    shifts = torch.randint(69, (8, 2), generator=generator).tolist()
    elsewhere = [
        saliency.run_deletion_test(network, spectrograms, targets, saliency_map.roll(shift, (1, 2))).mean()
        for shift in shifts
    ]
    assert (
        saliency.run_deletion_test(network, spectrograms, targets, saliency_map).mean()
        > torch.stack(elsewhere).mean() + 0.1
    )


def test_saliency_of_a_note() -> None:
    """Occlusion and guided backpropagation of a note lead to its frequency, at its onset."""
    model = load("notes-piano", kind=NotesModel)
    network = strip_front_end(model)
    times_s = torch.arange(16_000) / model.sample_rate
    begun = (times_s >= 0.5) * torch.exp(-3 * (times_s - 0.5))
    waveform = sum(begun * 0.2 / k * torch.sin(2 * torch.pi * 440 * k * times_s) for k in (1, 2, 3))
    with torch.no_grad():
        spectrogram = model.spectrogram(waveform[None])
        scores = network(spectrogram)[0, 0]
    row, frame = (int(i) for i in torch.unravel_index(scores.argmax(), scores.shape))
    assert row == 48  # A4
    assert abs(frame - 0.5 / model.frame_s) <= 1
    found = {
        "guided": saliency.guided_backprop(network, spectrogram, (0, row, frame))[0],
        "occlusion": saliency.occlusion(network, spectrogram, (0, row, frame), (48, 8))[0],
    }
    for name, saliency_map in found.items():
        bin, column = (int(i) for i in torch.unravel_index(saliency_map.argmax(), saliency_map.shape))
        reach = 48 if name == "occlusion" else 5
        assert abs(float(torch.log2(model.front_end.bins_hz[bin] / 440)) * 36) <= reach, name
        assert abs(column - frame) <= 4, name
