"""Networks that paint in one pass: any size, the statistics that they exchange, styles that do not touch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from audiocnn.backbones.vgg import VGG
from audiocnn.style.losses import compute_moments, gaussian
from audiocnn.style.painters.adain import AdaIN, adain, instance_statistics
from audiocnn.style.painters.bank import StyleBank
from audiocnn.style.painters.feedforward import TransferNet
from audiocnn.style.painters.meta import MetaNet


def encoder() -> VGG:
    torch.manual_seed(0)
    return VGG(in_channels=3, kernels=((3, 3), (3, 3), (3,)), widths=(4, 8, 16), norm="batch", pool="average")


def images(*size: int, seed: int = 0) -> Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(seed))


NETWORKS = {
    "feedforward": lambda: TransferNet(4, 1),
    "adain": lambda: AdaIN(encoder(), 4),
    "meta": lambda: MetaNet(encoder(), 4, 8),
    "bank": lambda: StyleBank(["a", "b"], 4, 1),
}


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (32, 32), (33, 50)])
@pytest.mark.parametrize("name", NETWORKS)
def test_any_size(name: str, size: tuple[int, int]) -> None:
    network, content = NETWORKS[name](), images(*size)
    result = network.paint(content, [images(20, 9)] if network.style_names is None else [])
    assert result.shape == content.shape
    assert result.isfinite().all() and result.min() >= 0 and result.max() <= 1


def test_adain_by_hand() -> None:
    content = torch.tensor([[[[1.0, 3.0]]]])  # mean 2, deviation 1
    style = torch.tensor([[[[0.0, 10.0], [0.0, 10.0]]]])  # mean 5, deviation 5
    torch.testing.assert_close(adain(content, style), torch.tensor([[[[0.0, 10.0]]]]))


def test_adain_gives_the_statistics_of_the_style() -> None:
    result = adain(images(9, 12), images(30, 5, seed=1) ** 2)
    for found, expected in zip(
        instance_statistics(result), instance_statistics(images(30, 5, seed=1) ** 2), strict=True
    ):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_adain_mixes_styles_by_their_weights() -> None:
    network, content = AdaIN(encoder(), 4).eval(), images(16, 16)
    one, other = images(16, 16, seed=1), images(16, 16, seed=2)
    with torch.no_grad():
        alone = network.paint(content, [one])
        torch.testing.assert_close(network.paint(content, [one, other], [2.0, 0.0]), alone)
        assert not torch.allclose(network.paint(content, [one, other], [1.0, 1.0]), alone, atol=1e-6)


def test_the_encoder_of_adain_does_not_learn() -> None:
    network = AdaIN(encoder(), 2).train()
    assert not network.backbone.training and network.decode.training
    assert not any(parameter.requires_grad for parameter in network.backbone.parameters())
    with pytest.raises(ValueError, match=r"layer is 1, expected the first of a block: one of \[0, 2, 4\]"):
        AdaIN(encoder(), 1)


def test_a_bank_without_a_style_uses_no_kernel() -> None:
    network, content = StyleBank(["a", "b"], 4, 1), images(16, 16)
    before = network.paint(content)
    nn.init.zeros_(network.bank.weight)
    assert torch.equal(network.paint(content), before)


def test_masks_put_styles_where_they_belong() -> None:
    network, content = StyleBank(["a", "b"], 4, 1), images(16, 16)
    everywhere = torch.ones(1, 1, 16, 16)
    with torch.no_grad():
        chosen = network.paint(content, ["b"])
        torch.testing.assert_close(network.paint(content, ["b"], masks=[everywhere]), chosen)
        torch.testing.assert_close(network.paint(content, ["b", "a"], [1.0, 0.0]), chosen)
        torch.testing.assert_close(
            network.paint(content, ["b"], masks=[0 * everywhere]), network.paint(content)
        )
        halves = [everywhere / 2, everywhere / 2]
        torch.testing.assert_close(network.paint(content, ["b", "b"], masks=halves), chosen)


def test_a_style_is_added_and_the_others_stay() -> None:
    network, content = StyleBank(["a", "b"], 4, 1), images(16, 16)
    grown = network.add_style("c")
    assert grown.style_names == ["a", "b", "c"]
    with torch.no_grad():
        for name in ("a", "b"):
            torch.testing.assert_close(grown.paint(content, [name]), network.paint(content, [name]))
        assert not torch.allclose(grown.paint(content, ["c"]), network.paint(content, ["b"]), atol=1e-4)
    with pytest.raises(
        ValueError, match=r"styles are \['a', 'b', 'a'\], expected at least one, and none twice"
    ):
        network.add_style("a")


@pytest.mark.parametrize(
    ("name", "styles", "message"),
    [
        ("feedforward", ["a"], "1 styles and 0 masks given, expected none: this model has one style"),
        ("adain", [], "0 style images given, expected 1: this model paints in any style"),
        ("meta", ["a", "b"], "0 style images given, expected 2: this model paints in any style"),
        ("bank", ["c"], "style is 'c', expected one of a, b"),
    ],
)
def test_styles_that_a_painter_does_not_take(name: str, styles: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NETWORKS[name]().paint(images(16, 16), styles)


def test_each_style_has_a_network_of_its_own() -> None:
    network, styles = MetaNet(encoder(), 4, 8), images(20, 20)
    for layer in (network.to_embeddings, network.to_biases):
        nn.init.normal_(layer.weight)
    result = network.predict(styles)
    assert result.kernels.shape == (2, 8 + 4 + 2 + 1, 4, 4, 3, 3)  # of 16 to 8, 8 to 8, 8 to 4, 4 to 4
    for both, alone in zip(result, network.predict(styles[1:]), strict=True):
        torch.testing.assert_close(both[1:], alone)
        assert not torch.allclose(both[0], both[1], atol=1e-4)
    with torch.no_grad():
        painted = network.paint(images(16, 16), [styles])
        close = {"atol": 1e-4, "rtol": 1e-3}
        torch.testing.assert_close(network.paint(images(16, 16)[1:], [styles[1:]]), painted[1:], **close)
        torch.testing.assert_close(network.paint(images(16, 16), [styles[1:]])[1:], painted[1:], **close)
        mixed = network.paint(images(16, 16), [styles, styles.flip(0)], [2.0, 0.0])
        torch.testing.assert_close(mixed, painted, **close)


def test_what_a_meta_network_paints_has_the_colours_of_the_style() -> None:
    style = 0.5 + 0.1 * torch.randn(1, 3, 20, 20, generator=torch.Generator().manual_seed(2))
    style[:, 2] = 0.3 + 0.5 * style[:, 0]  # blue goes with red
    with torch.no_grad():
        painted = MetaNet(encoder(), 4, 8).paint(images(32, 32)[:1], [style])
    for found, expected in zip(
        gaussian(compute_moments(painted)), gaussian(compute_moments(style)), strict=True
    ):
        torch.testing.assert_close(found, expected, atol=5e-3, rtol=0.05)  # some are clipped


@pytest.mark.parametrize("colour", [0.0, 0.8, 1.0])
def test_a_meta_network_paints_in_one_colour(colour: float) -> None:
    style = torch.full((1, 3, 40, 40), colour)
    with torch.no_grad():
        painted = MetaNet(encoder(), 4, 8).paint(images(32, 32)[:1], [style])
    torch.testing.assert_close(painted.mean(), torch.tensor(colour), atol=0.01, rtol=0)
    assert painted.std() < 0.01


def test_a_backbone_given_stays_as_it_is() -> None:
    backbone, content = encoder().eval(), images(16, 16)
    with torch.no_grad():
        before = backbone(content)
        AdaIN(backbone, 2)
        MetaNet(backbone, 4, 8)
        torch.testing.assert_close(backbone(content), before, rtol=0, atol=0)


PACKAGE = """
from audiocnn.models.painters import PAINTERS
from audiocnn.style.painters.base import Painter

@PAINTERS.register
class Negative(Painter):
    style_names = ("negative", "none")

    def __init__(self, white: float = 1.0) -> None:
        super().__init__()
        self.white = white

    def paint(self, content, styles=(), weights=(), masks=()):
        return self.white - content if "negative" in styles else content
"""


def test_another_package(tmp_path: Path) -> None:
    """A painter that only an entry point announces goes into a model file, and paints from it."""
    (tmp_path / "negatives.py").write_text(PACKAGE)
    metadata = tmp_path / "negatives-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: negatives\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[audiocnn.painters]\nNegative = negatives\n")
    write = "from audiocnn.models.file import write_model; from negatives import Negative; "
    paint = """
import sys
import numpy as np
from audiocnn import stylize
from audiocnn.images import Image
assert "negatives" not in sys.modules
image = Image(np.full((3, 8, 8), 0.25, np.float32))
print(stylize(image, "negative", model="negative.safetensors", size=None).pixels.max())
"""
    run(write + "write_model(Negative(white=1.0), 'negative.safetensors')", tmp_path)
    assert run(paint, tmp_path) == "0.75"


def run(program: str, folder: Path) -> str:
    """The standard output of a program with the packages of a folder."""
    path = os.pathsep.join([str(folder), *sys.path])
    command, variables = [sys.executable, "-c", program], {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        command, env=variables, cwd=folder, check=True, text=True, capture_output=True
    ).stdout.strip()
