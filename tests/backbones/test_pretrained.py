"""torchvision's weights in our networks, on made-up ones with its names, order and shapes.

The references compute the logits from the state dict by torchvision's own names, with torch's functions.
"""

import math
from collections.abc import Iterator
from typing import Any
from urllib.error import URLError

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn import create_backbone
from audiocnn.backbones.pretrained import copy_weights, pretrained

Entry = tuple[str, tuple[int, ...]]
WIDTHS = (8, 16, 24, 32)
VGG_WIDTHS = (4, 8, 12, 16, 16)
ALEXNET_WIDTHS = (8, 12, 16, 12, 12)
N_CLASSES = 10
# t, c, n, s of the inverted bottlenecks: Sandler et al., 2018, table 2
MOBILENET = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def norm(name: str, channels: int) -> Iterator[Entry]:
    for leaf in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{leaf}", (channels,)
    yield f"{name}.num_batches_tracked", ()


def linear(name: str, out_features: int, in_features: int) -> Iterator[Entry]:
    yield f"{name}.weight", (out_features, in_features)
    yield f"{name}.bias", (out_features,)


def resnet18() -> Iterator[Entry]:
    yield "conv1.weight", (WIDTHS[0], 3, 7, 7)
    yield from norm("bn1", WIDTHS[0])
    before = WIDTHS[0]
    for stage, width in enumerate(WIDTHS, start=1):
        for block in range(2):
            name = f"layer{stage}.{block}"
            yield f"{name}.conv1.weight", (width, before, 3, 3)
            yield from norm(f"{name}.bn1", width)
            yield f"{name}.conv2.weight", (width, width, 3, 3)
            yield from norm(f"{name}.bn2", width)
            if width != before:
                yield f"{name}.downsample.0.weight", (width, before, 1, 1)
                yield from norm(f"{name}.downsample.1", width)
            before = width
    yield from linear("fc", N_CLASSES, before)


def vgg11_bn() -> Iterator[Entry]:
    """Convolution, norm, rectifier, or pooling: each has a number of its own."""
    position, before = 0, 3
    for width, n_convolutions in zip(VGG_WIDTHS, (1, 1, 2, 2, 2), strict=True):
        for _ in range(n_convolutions):
            yield f"features.{position}.weight", (width, before, 3, 3)
            yield f"features.{position}.bias", (width,)
            yield from norm(f"features.{position + 1}", width)
            position, before = position + 3, width
        position += 1
    yield from linear("classifier.0", 20, before * 7 * 7)
    yield from linear("classifier.3", 20, 20)
    yield from linear("classifier.6", N_CLASSES, 20)


def alexnet() -> Iterator[Entry]:
    kernels = {0: 11, 3: 5, 6: 3, 8: 3, 10: 3}
    pairs = zip(kernels.items(), (3, *ALEXNET_WIDTHS), ALEXNET_WIDTHS, strict=False)
    for (position, size), before, width in pairs:
        yield f"features.{position}.weight", (width, before, size, size)
        yield f"features.{position}.bias", (width,)
    yield from linear("classifier.1", 20, ALEXNET_WIDTHS[-1] * 6 * 6)
    yield from linear("classifier.4", 20, 20)
    yield from linear("classifier.6", N_CLASSES, 20)


def mobilenet_v2() -> Iterator[Entry]:
    yield "features.0.0.weight", (32, 3, 3, 3)
    yield from norm("features.0.1", 32)
    before, position = 32, 1
    for expansion, width, repeats, _ in MOBILENET:
        for _ in range(repeats):
            name, wide = f"features.{position}.conv", before * expansion
            if expansion > 1:
                yield f"{name}.0.0.weight", (wide, before, 1, 1)
                yield from norm(f"{name}.0.1", wide)
            depthwise = 1 if expansion > 1 else 0
            yield f"{name}.{depthwise}.0.weight", (wide, 1, 3, 3)
            yield from norm(f"{name}.{depthwise}.1", wide)
            yield f"{name}.{depthwise + 1}.weight", (width, wide, 1, 1)
            yield from norm(f"{name}.{depthwise + 2}", width)
            before, position = width, position + 1
    yield f"features.{position}.0.weight", (1280, before, 1, 1)
    yield from norm(f"features.{position}.1", 1280)
    yield from linear("classifier.1", N_CLASSES, 1280)


class Reference:
    """Layers of a state dict by torchvision's names."""

    def __init__(self, state_dict: dict[str, Tensor]) -> None:
        self.tensors = state_dict

    def conv(self, x: Tensor, name: str, **arguments: Any) -> Tensor:
        return functional.conv2d(
            x, self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias"), **arguments
        )

    def norm(self, x: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            self.tensors[f"{name}.{leaf}"] for leaf in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, variance, weight, bias)

    def linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])

    def resnet18(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x, "conv1", stride=2, padding=3), "bn1").relu()
        x = functional.max_pool2d(x, 3, 2, 1)
        for stage in range(1, 5):
            for block in range(2):
                name, stride = f"layer{stage}.{block}", 2 if stage > 1 and not block else 1
                y = self.norm(self.conv(x, f"{name}.conv1", stride=stride, padding=1), f"{name}.bn1").relu()
                y = self.norm(self.conv(y, f"{name}.conv2", padding=1), f"{name}.bn2")
                if f"{name}.downsample.0.weight" in self.tensors:
                    shortcut = self.conv(x, f"{name}.downsample.0", stride=stride)
                    x = self.norm(shortcut, f"{name}.downsample.1")
                x = (x + y).relu()
        return self.linear(x.mean(dim=(2, 3)), "fc")

    def vgg11_bn(self, x: Tensor) -> Tensor:
        for position in (0, None, 4, None, 8, 11, None, 15, 18, None, 22, 25, None):
            if position is None:
                x = functional.max_pool2d(x, 2)
            else:
                convolved = self.conv(x, f"features.{position}", padding=1)
                x = self.norm(convolved, f"features.{position + 1}").relu()
        x = functional.adaptive_avg_pool2d(x, 7).flatten(1)
        x = self.linear(self.linear(x, "classifier.0").relu(), "classifier.3").relu()
        return self.linear(x, "classifier.6")

    def alexnet(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.conv(x, "features.0", stride=4, padding=2).relu(), 3, 2)
        x = functional.max_pool2d(self.conv(x, "features.3", padding=2).relu(), 3, 2)
        for position in (6, 8, 10):
            x = self.conv(x, f"features.{position}", padding=1).relu()
        x = functional.adaptive_avg_pool2d(functional.max_pool2d(x, 3, 2), 6).flatten(1)
        x = self.linear(self.linear(x, "classifier.1").relu(), "classifier.4").relu()
        return self.linear(x, "classifier.6")

    def mobilenet_v2(self, x: Tensor) -> Tensor:
        def layer(x: Tensor, name: str, **arguments: Any) -> Tensor:
            return functional.relu6(self.norm(self.conv(x, f"{name}.0", **arguments), f"{name}.1"))

        x, position = layer(x, "features.0", stride=2, padding=1), 1
        for expansion, width, repeats, first_stride in MOBILENET:
            for repeat in range(repeats):
                name, y = f"features.{position}.conv", x
                if expansion > 1:
                    y = layer(y, f"{name}.0")
                depthwise = 1 if expansion > 1 else 0
                stride = 1 if repeat else first_stride
                y = layer(y, f"{name}.{depthwise}", stride=stride, padding=1, groups=y.shape[1])
                y = self.norm(self.conv(y, f"{name}.{depthwise + 1}"), f"{name}.{depthwise + 2}")
                x = x + y if stride == 1 and x.shape[1] == width else y
                position += 1
        return self.linear(layer(x, f"features.{position}").mean(dim=(2, 3)), "classifier.1")


# What makes our network as narrow as the made-up weights.
MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "resnet18": (resnet18, {"widths": WIDTHS}),
    "vgg11_bn": (vgg11_bn, {"widths": VGG_WIDTHS, "hidden": 20}),
    "alexnet": (alexnet, {"widths": ALEXNET_WIDTHS, "hidden": 20, "padding": "published"}),
    "mobilenet_v2": (mobilenet_v2, {}),
}


def made_up(name: str) -> dict[str, Tensor]:
    """A state dict in which no two tensors are alike."""
    generator, tensors = torch.Generator().manual_seed(0), {}
    for key, shape in MODELS[name][0]():
        leaf = key.rpartition(".")[2]
        if leaf == "num_batches_tracked":
            tensors[key] = torch.tensor(7)
        elif len(shape) > 1:
            tensors[key] = torch.randn(shape, generator=generator) * (2 / math.prod(shape[1:])) ** 0.5
        elif leaf in ("weight", "running_var"):
            tensors[key] = 0.5 + torch.rand(shape, generator=generator)
        else:
            tensors[key] = 0.1 * torch.randn(shape, generator=generator)
    return tensors


def ours(name: str, in_channels: int = 3) -> tuple[Any, nn.Module]:
    torch.manual_seed(1)
    backbone = create_backbone(name, in_channels=in_channels, **MODELS[name][1]).eval()
    return backbone, backbone.classifier(N_CLASSES).eval()


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_those_of_torchvision(name: str) -> None:
    state_dict, (backbone, classifier) = made_up(name), ours(name)
    copy_weights(backbone, state_dict, classifier)
    x = torch.rand(2, 3, 128, 160, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = getattr(Reference(state_dict), name)(x)
        assert expected.std() > 1e-3
        torch.testing.assert_close(classifier(backbone(x)), expected, rtol=1e-4, atol=1e-4)


def test_without_the_classifier() -> None:
    state_dict, (backbone, classifier) = made_up("resnet18"), ours("resnet18")
    before = classifier[-1].weight.clone()
    copy_weights(backbone, state_dict)
    assert torch.equal(backbone.state_dict()["stages.0.0.0.weight"], state_dict["conv1.weight"])
    assert torch.equal(classifier[-1].weight, before)


def test_old_files_have_another_order_within_a_layer() -> None:
    """Their running means come before the weights, and batches were not counted."""
    state_dict = {}
    for name, tensor in made_up("resnet18").items():
        if name.endswith("num_batches_tracked"):
            continue
        state_dict[name] = tensor
        if name.endswith("running_var"):
            layer = name.rpartition(".")[0]
            for leaf in ("weight", "bias"):
                state_dict[f"{layer}.{leaf}"] = state_dict.pop(f"{layer}.{leaf}")
    assert list(state_dict)[1:5] == ["bn1.running_mean", "bn1.running_var", "bn1.weight", "bn1.bias"]
    new, old = ours("resnet18")[0], ours("resnet18")[0]
    copy_weights(new, made_up("resnet18"))
    copy_weights(old, state_dict)
    for name, tensor in new.state_dict().items():
        assert torch.equal(tensor, old.state_dict()[name]), name


def test_auxiliary_classifiers_are_left_out() -> None:
    state_dict = made_up("resnet18")
    state_dict["aux1.conv.conv.weight"] = torch.zeros(3)
    copy_weights(ours("resnet18")[0], state_dict)


@pytest.mark.parametrize("in_channels", [1, 4])
def test_grey_has_the_maps_of_rgb(in_channels: int) -> None:
    rgb, grey = ours("vgg11_bn")[0], ours("vgg11_bn", in_channels)[0]
    for backbone in (rgb, grey):
        copy_weights(backbone, made_up("vgg11_bn"))
    x = torch.rand(1, 1, 40, 50, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = rgb(x.expand(-1, 3, -1, -1))
        torch.testing.assert_close(grey(x.expand(-1, in_channels, -1, -1)), expected, rtol=1e-4, atol=1e-5)


def test_one_channel_has_the_sum_over_rgb() -> None:
    backbone, _ = ours("resnet18", in_channels=1)
    copy_weights(backbone, made_up("resnet18"))
    expected = made_up("resnet18")["conv1.weight"].sum(dim=1, keepdim=True)
    torch.testing.assert_close(backbone.stages[0][0][0].weight, expected)


def test_another_shape() -> None:
    state_dict, (backbone, _) = made_up("resnet18"), ours("resnet18")
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    state_dict["layer2.0.conv1.weight"] = torch.zeros(16, 9, 3, 3)
    message = r"layer2.0.conv1.weight has the shape \(16, 9, 3, 3\), expected \(16, 8, 3, 3\)"
    with pytest.raises(ValueError, match=message):
        copy_weights(backbone, state_dict)
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.state_dict().items())


def test_another_number_of_layers() -> None:
    state_dict, (backbone, classifier) = made_up("resnet18"), ours("resnet18")
    for name in list(state_dict):
        if name.startswith("layer4.1.bn2"):
            del state_dict[name]
    with pytest.raises(ValueError, match="has 40 layers to 'fc', expected 41"):
        copy_weights(backbone, state_dict, classifier)
    with pytest.raises(ValueError, match="has 0 layers to 'none', expected 40"):
        copy_weights(backbone, {})


def test_layers_of_another_kind() -> None:
    with_norms, _ = ours("vgg11_bn")
    state_dict = made_up("vgg11_bn")
    del state_dict["features.0.bias"]
    with pytest.raises(ValueError, match=r"features\.0 has weight, expected weight, bias"):
        copy_weights(with_norms, state_dict)


def test_one_dimension_has_other_shapes() -> None:
    backbone = create_backbone("resnet18", dims=1, in_channels=3, widths=WIDTHS)
    with pytest.raises(ValueError, match=r"conv1.weight has the shape \(8, 3, 7, 7\), expected \(8, 3, 7\)"):
        copy_weights(backbone, made_up("resnet18"))


def test_pretrained(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def fetch(address: str, **arguments: Any) -> dict[str, Tensor]:
        asked.update(address=address, **arguments)
        state_dict = made_up("resnet18")
        state_dict["fc.weight"], state_dict["fc.bias"] = torch.ones(1000, WIDTHS[-1]), torch.ones(1000)
        return state_dict

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetch)
    backbone, classifier = pretrained("resnet18", progress=False, in_channels=1, widths=WIDTHS)
    assert asked.pop("address") == "https://download.pytorch.org/models/resnet18-f37072fd.pth"
    assert asked == {"map_location": "cpu", "progress": False, "check_hash": True, "weights_only": True}
    assert classifier.eval()(backbone.eval()(torch.rand(1, 1, 64, 64))).shape == (1, 1000)
    assert torch.equal(classifier[-1].weight, torch.ones(1000, WIDTHS[-1]))


def test_pretrained_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(address: str, **arguments: Any) -> dict[str, Tensor]:
        raise URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetch)
    message = (
        r"resnet18: no connection to https://\S+resnet18-f37072fd.pth \(.*not known.*\), expected one, or"
    )
    with pytest.raises(ConnectionError, match=message):
        pretrained("resnet18", widths=WIDTHS)


def test_pretrained_unknown() -> None:
    with pytest.raises(
        ValueError, match="no weights of 'resnet_small' are published, expected one of alexnet, "
    ):
        pretrained("resnet_small")
