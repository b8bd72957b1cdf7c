"""StyleTask: each network learns to paint, and goes through a model file unchanged."""

from pathlib import Path

import lightning
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from audiocnn import images
from audiocnn.backbones.vgg import VGG
from audiocnn.files import FileError
from audiocnn.images import Image
from audiocnn.models.file import read_model, write_model
from audiocnn.models.image import ImageModel
from audiocnn.style.painters.adain import AdaIN
from audiocnn.style.painters.bank import StyleBank
from audiocnn.style.painters.feedforward import TransferNet
from audiocnn.style.painters.meta import MetaNet
from audiocnn.style.perceptual import LossOptions
from audiocnn.training.style import StyleTask

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Found .* in eval mode"),  # the networks that judge do not learn
]


def vgg() -> VGG:
    torch.manual_seed(0)
    kernels = ((3,), (3,), (3,))
    return VGG(in_channels=3, kernels=kernels, widths=(8, 16, 16), hidden=8, size=1, pool="average")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An image classifier without training, a style of stripes and one of squares."""
    folder = tmp_path_factory.mktemp("style")
    write_model(ImageModel(vgg(), 2), folder / "vgg.safetensors")
    columns = (torch.arange(32) // 4 % 2).float().expand(3, 32, 32)
    colours = torch.tensor([0.9, 0.5, 0.1]).view(3, 1, 1)
    styles = {"stripes": columns * colours, "squares": (columns != columns.transpose(1, 2)) * colours.flip(0)}
    for name, pixels in styles.items():
        images.write_image(Image(pixels.numpy()), folder / f"{name}.png")
    return {path.stem: str(path) for path in folder.iterdir()}


def blobs(n: int = 16) -> list[tuple[torch.Tensor, int]]:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(n, 3, 6, 6, generator=generator)
    return [(one, 0) for one in nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear")]


def quiet(folder: Path) -> dict:
    """Arguments of a trainer that prints and keeps nothing."""
    silent = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return silent | {"enable_checkpointing": False, "num_sanity_val_steps": 0, "default_root_dir": folder}


# The network, its styles, its learning rate, how much of the style's loss may be left; a MetaNet's colours
# are right at once.
NETWORKS = {
    "feedforward": (lambda: TransferNet(4, 1), ["stripes"], 1e-2, 0.6),
    "adain": (lambda: AdaIN(vgg(), 1), ["stripes", "squares"], 1e-2, 0.6),
    "meta": (lambda: MetaNet(vgg(), 2, 16), ["stripes", "squares"], 3e-3, 0.8),
    "bank": (lambda: StyleBank(["stripes", "squares"], 4, 1), ["stripes", "squares"], 1e-2, 0.6),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_learns_to_paint(name: str, files: dict[str, str], tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, styles, learning_rate, left = NETWORKS[name]
    paths = [files[style] for style in styles]
    task = StyleTask(
        network(), paths, loss=LossOptions(network=files["vgg"]), style_size=32, learning_rate=learning_rate
    )
    loop = lightning.Trainer(accelerator="cpu", max_epochs=12, check_val_every_n_epoch=12, **quiet(tmp_path))
    loop.validate(task, DataLoader(blobs(), batch_size=8), verbose=False)
    before = loop.callback_metrics["val/style"].item()
    loop.fit(task, DataLoader(blobs(), batch_size=8), DataLoader(blobs(), batch_size=8))
    assert loop.callback_metrics["val/style"].item() < left * before

    write_model(task.network, tmp_path / "painter.safetensors")
    again = read_model(tmp_path / "painter.safetensors", type(task.network))
    batch = (torch.stack([one for one, _ in blobs(2)]), torch.zeros(2))
    with torch.no_grad():
        painted = task.eval().predict_step(batch)
        task.network = again
        torch.testing.assert_close(task.predict_step(batch), painted)
    assert painted.shape == batch[0].shape


def test_wrong_numbers_of_styles(files: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="2 styles given, expected 1, as the TransferNet has"):
        StyleTask(
            TransferNet(4, 1), [files["stripes"], files["squares"]], loss=LossOptions(network=files["vgg"])
        )
    with pytest.raises(ValueError, match="1 styles given, expected 2, as the StyleBank has"):
        StyleTask(StyleBank(["a", "b"], 4, 1), [files["stripes"]], loss=LossOptions(network=files["vgg"]))


def test_styles_of_a_folder(files: dict[str, str], tmp_path: Path) -> None:
    task = StyleTask(
        AdaIN(vgg(), 1),
        [str(Path(files["stripes"]).parent)],
        loss=LossOptions(network=files["vgg"]),
        style_size=32,
    )
    loop = lightning.Trainer(accelerator="cpu", max_epochs=1, **quiet(tmp_path))
    loop.fit(task, DataLoader(blobs(), batch_size=1), DataLoader(blobs(1)))
    assert {"squares", "stripes"} <= {path.stem for path in task.images}


def test_each_image_has_a_style_and_validation_the_same_ones(files: dict[str, str], tmp_path: Path) -> None:
    paths = [files["stripes"], files["squares"]]
    task = StyleTask(AdaIN(vgg(), 1), paths, loss=LossOptions(network=files["vgg"]), style_size=32)
    task.setup("fit")
    batch, style = torch.stack([one for one, _ in blobs(2)]), task._image(Path(paths[0])) / 255
    assert all(name.startswith("network.") for name in task.state_dict())  # not the loss network's
    (styles,), target = task._styles(batch, [1, 0])
    assert styles.shape == (2, 3, 32, 32)
    torch.testing.assert_close(styles[1:], style)
    for of_batch, of_style in zip(target, task.perceptual_loss.style_target(style), strict=True):
        torch.testing.assert_close([part[1:] for part in of_batch], [*of_style])
    loop = lightning.Trainer(accelerator="cpu", **quiet(tmp_path))
    losses = [loop.validate(task, DataLoader(blobs(), batch_size=8), verbose=False) for _ in range(2)]
    assert losses[0] == losses[1]


def test_starts_from_another(files: dict[str, str], tmp_path: Path) -> None:
    start, path = AdaIN(vgg(), 1), str(tmp_path / "start.safetensors")
    write_model(start, path)
    torch.nn.init.zeros_((network := AdaIN(vgg(), 1)).decode[0][0].weight)
    again = StyleTask(network, [files["squares"]], loss=LossOptions(network=files["vgg"]), start_from=path)
    torch.testing.assert_close(again.network.state_dict(), start.state_dict())
    with pytest.raises(FileError, match="holds another painter than the one that is to be trained"):
        StyleTask(
            TransferNet(4, 2), [files["squares"]], loss=LossOptions(network=files["vgg"]), start_from=path
        )


def test_a_style_is_added_to_a_bank(files: dict[str, str], tmp_path: Path) -> None:
    torch.manual_seed(0)
    start, path = StyleBank(["stripes"], 4, 1), str(tmp_path / "start.safetensors")
    write_model(start, path)
    batch = torch.stack([one for one, _ in blobs(4)])
    both, styles = StyleBank(["stripes", "squares"], 4, 1), [files["stripes"], files["squares"]]
    task = StyleTask(
        both,
        styles,
        loss=LossOptions(network=files["vgg"]),
        style_size=32,
        learning_rate=1e-1,
        start_from=path,
    )
    loop = lightning.Trainer(accelerator="cpu", max_epochs=6, **quiet(tmp_path))
    loop.validate(task, DataLoader(blobs(), batch_size=8), verbose=False)
    before = loop.callback_metrics["val/style"].item()
    loop.fit(task, DataLoader(blobs(), batch_size=8), DataLoader(blobs(), batch_size=8))
    assert loop.callback_metrics["val/style"].item() < 0.9 * before
    with torch.no_grad():
        painted = both.eval().paint(batch, ["stripes"])
        torch.testing.assert_close(painted, start.eval().paint(batch, ["stripes"]), rtol=0, atol=0)
