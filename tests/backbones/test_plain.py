"""The families without shortcuts: what is theirs beside the contract."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn import create_backbone
from audiocnn.backbones.googlenet import EvenSizePool
from audiocnn.backbones.plain import create_mlp_head, init_kaiming, pad_to_size


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_surrounded() -> None:
    x = torch.tensor([[[[1.0, 2, 3, 4]]]])
    expected = torch.zeros(1, 1, 4, 4)
    expected[0, 0, 1] = x[0, 0, 0]  # three bins are missing: one before, two after
    assert torch.equal(pad_to_size(x, 4), expected)
    assert pad_to_size(x, 1) is x


def test_start_rectified_keeps_the_size_of_maps() -> None:
    """After thirty layers, where torch's own start leaves nothing."""
    torch.manual_seed(0)
    layers = [nn.Sequential(nn.Conv1d(64, 64, 3, padding=1), nn.ReLU()) for _ in range(30)]
    net = nn.Sequential(*layers)
    x = noise(1, 64, 200)
    with torch.no_grad():
        assert net(x).std(dim=2).max() < 1e-2
        init_kaiming(net)
        assert 0.1 < net(x).std(dim=2).max() < 10
    assert not net[0][0].bias.any()


def test_fully_connected() -> None:
    """Means of pairs, 6 values by hand, as channels one after the other."""
    head = create_mlp_head(2, 3, (), 1, dims=1)
    nn.init.zeros_(head[-1].bias)
    head[-1].weight.data = torch.tensor([[1.0, 10, 100, 1000, 10_000, 100_000]])
    x = torch.tensor([[[0.0, 2, 2, 4, 4, 6], [6, 8, 6, 4, 2, 0]]])
    assert head(x).item() == 1 * 1 + 3 * 10 + 5 * 100 + 7 * 1000 + 5 * 10_000 + 1 * 100_000


@pytest.mark.parametrize("kernel_size", [2, 3])
@pytest.mark.parametrize("n_frames", [10, 11])
def test_halve(kernel_size: int, n_frames: int) -> None:
    """torch's windows where they reach over the end, and one more for an odd size, of its last position."""
    x = noise(2, 3, 8, n_frames)
    y = EvenSizePool("max", kernel_size, dims=2)(x)
    expected = functional.max_pool2d(x, kernel_size, 2, ceil_mode=True)
    assert y.shape == (2, 3, 4, (n_frames + 1) // 2)
    assert torch.equal(y[..., : expected.shape[-1]], expected)
    if n_frames % 2:
        assert torch.equal(y[..., -1], functional.max_pool1d(x[..., -1], kernel_size, 2, ceil_mode=True))


@pytest.mark.parametrize(
    ("name", "arguments", "frames", "receptive_field"),
    [
        # 11, 2 pools, 5, 3 kernels of 3 and a pool: 195 frames; position i is centred 31 after frame 32 i.
        ("alexnet", {"widths": (4, 4, 4, 4, 4)}, {32: 1, 63: 1, 94: 1, 95: 2, 224: 6}, 195 + 2 * 31),
        # Kernels of 3, two from the third block on, and five pools of 2: 150 frames, centred 15.5 after 32 i.
        ("vgg_small", {}, {31: 1, 32: 1, 63: 1, 64: 2, 100: 3}, 150 + 31),
        # Windows of 3 lose a position of odd sizes: 63 leave 32, 16, 8, 4, 2.
        ("googlenet_small", {}, {30: 1, 31: 1, 63: 2, 65: 2, 100: 3}, 247),
        # Kernels of 5 at strides 1, 2 and 4, pools of 2: 32 frames, from 0 to 31 for position 0.
        ("lenet5", {}, {4: 1, 28: 1, 32: 1, 35: 1, 36: 2}, 1 + 2 * 31),
    ],
)
def test_published_padding(
    name: str, arguments: dict[str, Any], frames: dict[int, int], receptive_field: int
) -> None:
    """Fewer positions than the contract has, but never none, and excerpts have the features of the whole."""
    backbone = create_backbone(name, padding="published", **arguments).eval()
    assert backbone.receptive_field == receptive_field
    with torch.no_grad():
        assert {n: backbone(noise(1, 1, 32, n)).shape[-1] for n in frames} == frames
        x, start = noise(1, 1, 32, 400), 64
        whole, excerpt = backbone(x)[..., start // backbone.time_stride :], backbone(x[..., start:])
    transient = -(-(receptive_field // 2) // backbone.time_stride)
    torch.testing.assert_close(excerpt[..., transient:], whole[..., transient:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["alexnet", "lenet5", "vgg_small", "densenet_small", "googlenet_small"])
def test_unknown_padding(name: str) -> None:
    with pytest.raises(ValueError, match="padding is 'valid', expected one of same, published"):
        create_backbone(name, padding="valid")


def test_alexnet_of_two_gpus() -> None:
    """Krizhevsky et al., 2012, figure 2: layers 2, 4 and 5 read one half each; layers 1 and 2 normalise."""
    torch.manual_seed(0)
    backbone = create_backbone("alexnet_2012", widths=(8, 8, 12, 12, 8), in_channels=3, padding="published")
    first, second, third, fourth, fifth = (m for m in backbone.modules() if isinstance(m, nn.Conv2d))

    def halves(x: Tensor, conv: nn.Conv2d) -> Tensor:
        parts = zip(x.chunk(2, 1), conv.weight.chunk(2), conv.bias.chunk(2), strict=True)
        padding = conv.kernel_size[0] // 2
        return torch.cat([functional.conv2d(*part, padding=padding) for part in parts], dim=1).relu()

    def respond(x: Tensor) -> Tensor:
        sums = [x[:, max(0, i - 2) : i + 3].square().sum(dim=1) for i in range(x.shape[1])]
        return x / (2 + 1e-4 * torch.stack(sums, dim=1)) ** 0.75

    x = 30 * noise(1, 3, 95, 95)  # so large that alpha counts
    y = functional.conv2d(x, first.weight, first.bias, stride=4, padding=2).relu()
    y = functional.max_pool2d(respond(y), 3, 2)
    y = functional.max_pool2d(respond(halves(y, second)), 3, 2)
    y = functional.conv2d(y, third.weight, third.bias, padding=1).relu()
    y = functional.max_pool2d(halves(halves(y, fourth), fifth), 3, 2)
    torch.testing.assert_close(backbone(x), y, rtol=1e-4, atol=1e-4)


def test_response_norm_of_vgg() -> None:
    """Krizhevsky et al., 2012, section 3.3: over 5 channels, k 2, alpha 1e-4, beta 0.75."""
    small: dict[str, Any] = {"widths": (8, 8, 8, 8, 8), "dims": 1}
    torch.manual_seed(0)
    plain = create_backbone("vgg11", **small)
    torch.manual_seed(0)
    normalised = create_backbone("vgg11_lrn", **small)
    x = 100 * noise(1, 1, 32)  # so large that alpha counts
    a, b = plain.features(x)[0], normalised.features(x)[0]
    sums = torch.stack([a[:, max(0, i - 2) : i + 3].square().sum(dim=1) for i in range(8)], dim=1)
    torch.testing.assert_close(b, a / (2 + 1e-4 * sums) ** 0.75)
    assert sums.max() > 1e4


def test_maps_of_vgg19_for_style() -> None:
    """conv1_1 to conv5_1 are those at strides 1, 2, 4, 8 and 16 that come first."""
    with torch.device("meta"):
        backbone = create_backbone("vgg19", in_channels=3)
        feature_maps = backbone.features(torch.empty(1, 3, 64, 64))
    assert [feature_maps[i].shape[1:] for i in (0, 2, 4, 8, 12)] == [
        (64, 64, 64),
        (128, 32, 32),
        (256, 16, 16),
        (512, 8, 8),
        (512, 4, 4),
    ]
    assert feature_maps[9].shape[1:] == (512, 8, 8)  # conv4_2, of the content
    assert len(feature_maps) == 17


def test_modules_of_googlenet() -> None:
    """Szegedy et al., 2015, table 1: feature maps of the stem and of 3a to 5b."""
    with torch.device("meta"):
        backbone = create_backbone("googlenet", in_channels=3)
        feature_maps = backbone.features(torch.empty(1, 3, 224, 224))
    assert [(m.shape[1], m.shape[2]) for m in feature_maps] == [
        (64, 112),
        (192, 56),
        (256, 28),
        (480, 28),
        (512, 14),
        (512, 14),
        (512, 14),
        (528, 14),
        (832, 14),
        (832, 7),
        (1024, 7),
    ]


def test_places_have_weights_of_their_own() -> None:
    """The same values at two positions of a window give other features; a whole window further the same."""
    net = create_backbone("locally_connected", dims=1, size=8, widths=(4,), norm="none", act="none")
    x = torch.zeros(1, 1, 24)
    x[..., [2, 5, 10]] = 1
    y = net(x)
    assert not torch.allclose(y[..., 1:4], y[..., 4:7])
    assert torch.equal(y[..., 9:12], net(torch.eye(24)[10].reshape(1, 1, 24))[..., 9:12])
    alone = net(torch.eye(8)[2].reshape(1, 1, 8))
    torch.testing.assert_close(y[..., 8:16], alone)


def test_windows_are_independent() -> None:
    """Three windows have the feature maps of each, beside each other; the last is padded with zeros."""
    net = create_backbone("locally_connected", size=(8, 4)).eval()
    x = noise(2, 1, 16, 10)
    filled = functional.pad(x, (0, 2))
    rows = [torch.cat([net(filled[:, :, b : b + 8, f : f + 4]) for f in (0, 4, 8)], dim=3) for b in (0, 8)]
    expected = torch.cat(rows, dim=2)
    torch.testing.assert_close(net(x), expected[..., :3])
    assert net.time_grid == 4


def test_windows_of_whole_strides() -> None:
    with pytest.raises(ValueError, match=r"size is \(8, 6\), expected a multiple of the stride 4"):
        create_backbone("locally_connected", size=(8, 6))


def test_baselines_learn_from_all_cells() -> None:
    for name, hidden in (("linear", []), ("mlp", [512, 256])):
        backbone = create_backbone(name, in_channels=2, size=(3, 5))
        linears = [part for part in backbone.classifier(7) if isinstance(part, nn.Linear)]
        pairs = [(part.in_features, part.out_features) for part in linears]
        assert pairs == list(pairwise([2 * 3 * 5, *hidden, 7]))
        x = noise(1, 2, 6, 9)
        assert backbone(x) is x
