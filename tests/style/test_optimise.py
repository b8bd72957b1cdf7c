"""The optimiser: it lowers the loss, repeats with its seed, and paints inside its masks."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from audiocnn.backbones import create_backbone
from audiocnn.backbones.vgg import VGG
from audiocnn.style.extract import LUMA, Extractor, layers_of
from audiocnn.style.optimise import Step, Style, optimise, resize_to_side, scales
from audiocnn.style.options import RANGES, StyleOptions

SIZE = (64, 64)
OPTIONS = StyleOptions(content_layers=(3,), style_layers=(0, 1, 2, 3), coarsest=64, iterations=20)


def image(seed: int, size: tuple[int, int] = SIZE) -> Tensor:
    """Noise that is smooth: blobs of colour."""
    coarse = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)


def stripes() -> Tensor:
    columns = (torch.arange(SIZE[1]) // 4 % 2).float()
    return columns.expand(1, 3, *SIZE) * torch.tensor([0.9, 0.5, 0.1]).view(1, 3, 1, 1)


@pytest.fixture
def extractor() -> Extractor:
    torch.manual_seed(0)
    backbone = VGG(in_channels=3, kernels=((3,), (3,), (3, 3)), widths=(8, 16, 32), pool="average")
    return Extractor(backbone, (0, 1, 2, 3), (0.5,), (0.25,))


def painted(extractor: Extractor, styles: list[Style] | None = None, **options) -> tuple[Tensor, list[Step]]:
    steps: list[Step] = []
    result = optimise(
        image(0), styles or [Style(stripes())], extractor, replace(OPTIONS, **options), steps.append
    )
    return result, steps


@pytest.mark.parametrize("optimiser", ["adam", "lbfgs"])
@pytest.mark.parametrize("statistic", ["gram", "moments", "wasserstein"])
def test_the_loss_falls(extractor: Extractor, optimiser: str, statistic: str) -> None:
    first = painted(extractor, statistic=statistic)[1][0].loss
    result, steps = painted(extractor, optimiser=optimiser, statistic=statistic, learning_rate=0.05)
    assert steps[-1].done == 20 and {step.total for step in steps} == {20}
    assert steps[-1].loss < first / 3
    assert result.shape == (1, 3, *SIZE) and result.min() >= 0 and result.max() <= 1


def test_without_style_the_content_stays(extractor: Extractor) -> None:
    result, _ = painted(extractor, style_weight=0.0, tv_weight=0.0)
    torch.testing.assert_close(result, image(0), atol=0.01, rtol=0)


def test_the_same_seed_gives_the_same_image(extractor: Extractor) -> None:
    first, again, other = (painted(extractor, start="noise", seed=seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_outside_its_mask_the_content_stays(extractor: Extractor) -> None:
    mask = torch.zeros(1, 1, *SIZE)
    mask[..., :32] = 1
    result, _ = painted(extractor, [Style(stripes(), 1.0, mask)], learning_rate=0.05)
    assert (result - image(0))[..., 32:].abs().max() <= 1 / 255
    assert (result - image(0))[..., :32].abs().mean() > 0.05


def test_two_styles_share_by_their_weights(extractor: Extractor) -> None:
    styles = [stripes(), image(5)]
    alone = painted(extractor, [Style(styles[0])])[0]
    both = painted(extractor, [Style(styles[0], 3.0), Style(styles[1], 0.0)])[0]
    torch.testing.assert_close(both, alone)
    half = painted(extractor, [Style(styles[0]), Style(styles[1])])[0]
    assert (half - alone).abs().mean() > 0.01


def test_from_coarse_to_fine() -> None:
    assert scales((512, 384), 128, 16) == [(128, 96), (181, 136), (256, 192), (362, 272), (512, 384)]
    assert scales((100, 60), 128, 16) == [(100, 60)]
    assert scales((512, 20), 128, 16) == [(512, 20)]


def test_fitted() -> None:
    assert resize_to_side(torch.zeros(1, 3, 40, 80), 40).shape == (1, 3, 20, 40)
    assert resize_to_side(torch.zeros(1, 3, 1, 1), 40, min_size=8).shape == (1, 3, 40, 40)
    assert resize_to_side(torch.zeros(1, 3, 10, 100), 50, min_size=8).shape == (1, 3, 8, 80)


@pytest.mark.parametrize("name", ["resnet_small", "mobilenet_small", "googlenet_small", "densenet_small"])
def test_any_backbone(name: str) -> None:
    torch.manual_seed(0)
    backbone = create_backbone(name, in_channels=1, dims=2)
    content, style = layers_of(backbone)
    options = StyleOptions(content_layers=content, style_layers=style, iterations=3)
    result = optimise(image(0), [Style(stripes())], Extractor(backbone, [*content, *style]), options)
    assert result.shape == (1, 3, *SIZE) and result.isfinite().all()


def test_layers_of_vgg_are_those_of_the_paper() -> None:
    assert layers_of(create_backbone("vgg19")) == ((8,), (0, 2, 4, 8, 12))


def test_one_channel_sees_the_luminance() -> None:
    backbone = VGG(in_channels=1, kernels=((3,),), widths=(4,))
    x = image(0)
    grey = (x * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    result, expected = Extractor(backbone, (0,))(x)[0], backbone.eval().features(grey)[0]
    torch.testing.assert_close(result[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_an_image_of_one_colour_has_maps_without_edges() -> None:
    backbone = VGG(in_channels=3, kernels=((3,),), widths=(4,))
    result = Extractor(backbone, (0,))(torch.full((1, 3, 8, 8), 0.7))[0]
    torch.testing.assert_close(result, result[..., :1, :1].expand_as(result))


def test_layers_that_are_not_there() -> None:
    backbone = VGG(in_channels=3, kernels=((3,),), widths=(4,))
    with pytest.raises(ValueError, match=r"layers are \[5\], expected some of 0 to 1"):
        Extractor(backbone, (5,))


def test_rows_are_channels_of_one_dimension() -> None:
    torch.manual_seed(0)
    backbone = create_backbone("resnet_small", dims=1, in_channels=20).eval()
    spectrogram = torch.rand(1, 1, 20, 64)
    result = Extractor(backbone, (1,))(spectrogram)[1]
    expected = backbone.features(spectrogram[:, 0])[1][:, :, None]
    assert result.shape == expected.shape
    torch.testing.assert_close(result[..., 6:-6], expected[..., 6:-6])


@pytest.mark.parametrize("name", RANGES)
def test_wrong_options(name: str) -> None:
    for value in (-1, math.nan, math.inf, *([2.5] * RANGES[name].whole)):
        with pytest.raises(ValueError, match=f"{name} is .*, expected"):
            StyleOptions(**{name: value})


def test_options_without_any_weight() -> None:
    with pytest.raises(ValueError, match="content_weight and style_weight are 0, expected one of them"):
        StyleOptions(content_weight=0, style_weight=0)
