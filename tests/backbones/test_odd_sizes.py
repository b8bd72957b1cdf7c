"""VGG, DenseNet and GoogLeNet as torchvision defines them, in sizes whose last position stands alone.

The references are torchvision's definitions, written with torch's functions: there DenseNet's transitions and
VGG's poolings drop a last odd position, GoogLeNet's poolings have ceil_mode.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn import create_backbone, list_backbones
from audiocnn.backbones import Backbone, backbone_family
from audiocnn.backbones.googlenet import SMALL

SIZES = [(193, 161), (64, 96), (97, 65), (35, 63)]


class Layers:
    """The convolutions and norms of a network, each in its order."""

    def __init__(self, backbone: Backbone) -> None:
        self.convolutions = self._all(backbone, nn.Conv2d)
        self.norms = self._all(backbone, nn.BatchNorm2d)

    def _all(self, backbone: Backbone, kind: type[nn.Module]) -> Iterator[Any]:
        return (module for module in backbone.modules() if isinstance(module, kind))

    def conv(self, x: Tensor, stride: int = 1) -> Tensor:
        one = next(self.convolutions)
        return functional.conv2d(x, one.weight, one.bias, stride, one.kernel_size[0] // 2)

    def norm(self, x: Tensor) -> Tensor:
        one = next(self.norms)
        y = functional.batch_norm(x, one.running_mean, one.running_var, one.weight, one.bias, eps=one.eps)
        return y.relu()


def vgg(layers: Layers, x: Tensor) -> Tensor:
    for n_convolutions in (1, 1, 2, 2, 2):
        for _ in range(n_convolutions):
            x = layers.norm(layers.conv(x))
        x = functional.max_pool2d(x, kernel_size=2, stride=2)
    return x


def densenet(layers: Layers, x: Tensor) -> Tensor:
    x = functional.max_pool2d(layers.norm(layers.conv(x, stride=2)), kernel_size=3, stride=2, padding=1)
    for block, n_layers in enumerate((3, 6, 8, 6)):
        if block:
            x = functional.avg_pool2d(layers.conv(layers.norm(x)), kernel_size=2, stride=2)
        for _ in range(n_layers):
            new = layers.conv(layers.norm(layers.conv(layers.norm(x))))
            x = torch.cat([x, new], dim=1)
    return layers.norm(x)


def googlenet(layers: Layers, x: Tensor) -> Tensor:
    def layer(x: Tensor, stride: int = 1) -> Tensor:
        return layers.norm(layers.conv(x, stride))

    def inception(x: Tensor) -> Tensor:
        direct, medium, large = layer(x), layer(layer(x)), layer(layer(x))
        pooled = layer(functional.max_pool2d(x, kernel_size=3, stride=1, padding=1, ceil_mode=True))
        return torch.cat([direct, medium, large, pooled], dim=1)

    x = functional.max_pool2d(layer(x, stride=2), 3, stride=2, ceil_mode=True)
    x = functional.max_pool2d(layer(layer(x)), 3, stride=2, ceil_mode=True)
    for n_modules, window in zip(map(len, SMALL), (3, 2, 0), strict=True):
        for _ in range(n_modules):
            x = inception(x)
        if window:
            x = functional.max_pool2d(x, window, stride=2, ceil_mode=True)
    return x


REFERENCES: dict[str, Callable[[Layers, Tensor], Tensor]] = {
    "vgg_small": vgg,
    "densenet_small": densenet,
    "googlenet_small": googlenet,
}


def random_network(name: str, padding: str) -> Backbone:
    torch.manual_seed(0)
    backbone = create_backbone(name, in_channels=3, padding=padding)
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, 0.1, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return backbone.eval()


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_published_is_torchvisions_in_every_size(name: str, size: tuple[int, int]) -> None:
    backbone = random_network(name, "published")
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = REFERENCES[name](Layers(backbone), x)
        assert expected.std() > 1e-3
        torch.testing.assert_close(backbone(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", REFERENCES)
def test_same_differs_in_odd_sizes_alone(name: str) -> None:
    backbone = random_network(name, "same")
    with torch.no_grad():
        even, odd = (torch.rand(1, 3, *size) for size in ((64, 96), (193, 161)))
        torch.testing.assert_close(
            backbone(even), REFERENCES[name](Layers(backbone), even), rtol=1e-4, atol=1e-5
        )
        assert backbone(odd).shape[2:] == (7, 6)
        assert REFERENCES[name](Layers(backbone), odd).shape[2:] == (6, 5)


@pytest.mark.parametrize("family", ["AlexNet", "VGG", "GoogLeNet", "DenseNet"])
def test_weights_are_for_the_published_network(family: str) -> None:
    networks = [name for name in list_backbones(pretrained=True) if backbone_family(name).__name__ == family]
    assert networks
    for name in networks:
        assert backbone_family(name).weights[name].arguments == {"padding": "published"}
