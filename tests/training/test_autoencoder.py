"""AutoencoderTask: its decoder's sizes, that it learns, and that its encoder goes into a classifier."""

import lightning
import pytest
import torch
from torch.utils.data import DataLoader

from audiocnn import create_backbone
from audiocnn.training.autoencoder import AutoencoderTask, MirrorDecoder
from audiocnn.training.image import ImageTask

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
]


def trainer(**arguments) -> lightning.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return lightning.Trainer(accelerator="cpu", **quiet, **arguments)


@pytest.mark.parametrize("name", ["lenet5", "resnet_small", "linear", "mobilenet_small"])
@pytest.mark.parametrize(("dims", "size"), [(2, 32), (2, (33, 40)), (1, 50)])
def test_the_decoder_gives_images_of_the_same_size(name: str, dims: int, size: int | tuple) -> None:
    backbone = create_backbone(name, dims=dims, in_channels=3)
    axes = (size,) * dims if isinstance(size, int) else size
    images = torch.rand(2, 3, *axes)
    decoder = MirrorDecoder(backbone, size)
    assert backbone.training
    assert decoder(backbone(images)).shape == images.shape


def test_the_decoder_is_the_backbone_backwards() -> None:
    """Strides 2 and 2 after a first stage without: the mirror of LeNet-5 with padding."""
    decoder = MirrorDecoder(create_backbone("lenet5"), 32)
    layers = [stage[0] for stage in decoder.stages]
    assert [(layer.in_channels, layer.out_channels) for layer in layers] == [(120, 16), (16, 6), (6, 1)]
    assert [layer.stride for layer in layers] == [(2, 2), (2, 2), (1, 1)]
    assert [len(stage) for stage in decoder.stages] == [3, 3, 1]
    assert decoder.sizes == [(32, 32), (32, 32), (16, 16), (8, 8)]


def bars(n: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Images of 16 x 16 with a bright row and a bright column."""
    rng = torch.Generator().manual_seed(0)
    images = torch.zeros(n, 1, 16, 16)
    for i, (row, column) in enumerate(torch.randint(0, 16, (n, 2), generator=rng).tolist()):
        images[i, :, row] = images[i, :, :, column] = 1
    return list(zip(images, torch.zeros(n), strict=True))


def test_the_loss_falls_and_the_encoder_starts_a_classifier(tmp_path) -> None:
    torch.manual_seed(0)
    task = AutoencoderTask(create_backbone("lenet5", widths=(4, 8)), size=16, hidden=0.3, learning_rate=1e-2)
    inputs = bars(64)
    images = torch.stack([image for image, _ in inputs])

    def error() -> float:
        with torch.no_grad():
            return (task.eval().predict_step((images, images)) - images).square().mean().item()

    before, variance = error(), images.var().item()
    loop = trainer(max_epochs=16, default_root_dir=tmp_path, enable_checkpointing=False)
    loop.fit(task.train(), DataLoader(inputs, batch_size=8), DataLoader(inputs, batch_size=64))
    assert {"train/loss", "val/loss"} <= set(loop.callback_metrics)
    assert loop.callback_metrics["val/loss"].item() == pytest.approx(error(), rel=1e-4)
    assert error() < 0.4 * variance < before
    loop.save_checkpoint(tmp_path / "encoder.ckpt")

    start_from = str(tmp_path / "encoder.ckpt")
    classifier = ImageTask(create_backbone("lenet5", widths=(4, 8)), n_classes=10, start_from=start_from)
    for name, tensor in task.backbone.state_dict().items():
        assert torch.equal(classifier.backbone.state_dict()[name], tensor)


def test_pixels_are_hidden_in_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    task = AutoencoderTask(create_backbone("lenet5", widths=(4, 8)), size=16, hidden=0.25)
    inputs: list[torch.Tensor] = []
    monkeypatch.setattr(task, "log", lambda *_, **__: None)  # there is no trainer
    monkeypatch.setattr(task, "forward", lambda images: inputs.append(images) or images)
    images = torch.ones(100, 1, 16, 16)
    loss = task.train().training_step((images, images))
    assert inputs[0].mean().item() == pytest.approx(0.75, abs=0.01)
    assert loss.item() == pytest.approx(1 - inputs[0].mean().item())  # the target is the whole image
    assert task.eval().validation_step((images, images)).item() == 0


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match=r"hidden is 1\.0, expected a number from 0 to 0\.99"):
        AutoencoderTask(create_backbone("lenet5"), size=16, hidden=1.0)
    with pytest.raises(ValueError, match=r"size is \(16,\), expected a number from 1 on, or 2 of them"):
        AutoencoderTask(create_backbone("lenet5"), size=(16,))
