"""Style tasks: networks that paint in one pass, trained by what a frozen backbone sees in their images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from audiocnn import files, images
from audiocnn.blocks.arguments import choose
from audiocnn.models import weights
from audiocnn.models.file import describe, read_model
from audiocnn.models.image import ImageModel
from audiocnn.style.extract import Extractor, layers_of
from audiocnn.style.losses import STATISTICS, content_loss, sums, total_variation
from audiocnn.style.optimise import fitted
from audiocnn.style.painters.adain import AdaIN
from audiocnn.style.painters.bank import StyleBank
from audiocnn.style.painters.feedforward import TransferNet
from audiocnn.style.painters.meta import MetaNet
from audiocnn.training.base import Task

OfAnyStyle = AdaIN | MetaNet
IDENTITY_SHARE = 0.5  # of the steps of a StyleBank in which it gives images back, as its authors' T = 2

Aims = list[tuple[Tensor, ...]]  # statistics, layer by layer


class StyleTask(Task):
    """The training of a network that paints in one pass.

    Batches: images (batch, 3, rows, columns), from 0 to 1, and classes that are not looked at. Loss: how
    far what was painted is from the image in content and from its style in style, as `optimise` has them,
    by the maps of a frozen backbone. A TransferNet learns the one style; a StyleBank one of them at a step,
    and in every other step to give the images back; AdaIN and MetaNet one of them for each image.
    Styles are drawn; to validate they are taken in turn.

    Raises: ValueError when there are more or fewer styles than the network has; FileError, also in `setup`,
        when a file cannot be read or does not fit.

    Args:
        network: what is trained.
        styles: images of the styles, in the order of a StyleBank's; of AdaIN and MetaNet also folders, each
            as often as a single image, and of what is drawn a square. Those seen are kept in memory, 0.3 MB
            each at 384 pixels.
        loss_network: a model file of a network of images, or the name of a shipped one; the backbones of
            AdaIN and MetaNet have its shape and take its weights.
        style_size: longer side of the styles, in pixels.
        content_weight: of the content's loss.
        style_weight: of the style's.
        tv_weight: of the total variation.
        statistic: the kind of style: gram, moments or wasserstein.
        start_from: a model file or shipped name of a network of the same shape, whose weights training starts
            from; or of a StyleBank with the first of the styles: then only the kernels of the others learn.

    learning_rate and weight_decay are those of `Task`.
    """

    def __init__(
        self,
        network: TransferNet | AdaIN | StyleBank | MetaNet,
        styles: Sequence[str],
        loss_network: str = "vgg",
        style_size: int = 256,
        content_weight: float = 0.2,
        style_weight: float = 1.0,
        tv_weight: float = 0.5,
        statistic: str = "gram",
        learning_rate: float = 3e-3,
        weight_decay: float = 0.0,
        start_from: str | None = None,
    ) -> None:
        super().__init__()
        if isinstance(network, TransferNet) and len(styles) != 1:
            raise ValueError(f"{len(styles)} styles given, expected one: a TransferNet has no more")
        if isinstance(network, StyleBank) and len(styles) != len(network.styles):
            raise ValueError(f"{len(styles)} styles given, expected {len(network.styles)}, as the bank has")
        self.network = network
        self.n_known = _started(network, start_from) if start_from else 0
        self.content_weight, self.style_weight, self.tv_weight = content_weight, style_weight, tv_weight
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.styles, self.loss_network, self.style_size = [*styles], loss_network, style_size
        self.statistic = choose(STATISTICS, statistic, "statistic")

    def setup(self, stage: str) -> None:
        """Reads the styles and the network that judges, which is no part of what is trained and saved."""
        backbone = read_model(weights.path(self.loss_network), ImageModel).backbone
        if isinstance(self.network, OfAnyStyle):
            known, kept = backbone.state_dict(), self.network.backbone.state_dict()  # of fewer stages
            self.network.backbone.load_state_dict({name: known[name] for name in kept})
        self.content_layers, self.style_layers = layers_of(backbone)
        extractor = Extractor(backbone, [*self.content_layers, *self.style_layers])
        self._extractor = (extractor,)  # in a tuple, where torch does not look for weights
        self.choices = [[*images.find_images(path)] for path in self.styles]
        self.images: dict[Path, Tensor] = {}
        self.aims: dict[Path, Aims] = {}
        for found in self.choices:
            self._image(found[0])

    @property
    def backbone(self) -> nn.Module:
        """What learns, as `Task` has it."""
        return self.network

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return self.step(batch[0], torch.randint(2**31, (len(batch[0]),)).tolist(), "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        n = len(batch[0])
        return self.step(batch[0], range(batch_idx * n, (batch_idx + 1) * n), "val")

    def step(self, shown: Tensor, turns: Sequence[int], stage: str) -> Tensor:
        """The loss of a batch, and of its parts content and style as means over the stage's batches.

        Args:
            turns: numbers that choose a style, for each image.
        """
        whole = isinstance(self.network, StyleBank) and not self.n_known  # encoder and decoder learn too
        if whole and self.training and torch.rand(()) < IDENTITY_SHARE:
            return (self.network(shown) - shown).square().mean()
        extractor = self._extractor[0].to(shown)
        with torch.no_grad():
            seen = extractor(shown)
        number, style, aims = self._wanted(shown, turns)
        made = self._made(shown, style, number)
        maps = extractor(made)
        content = torch.stack(
            [content_loss(maps[layer], seen[layer]) for layer in self.content_layers]
        ).mean()
        pairs = zip(self._statistics(maps), aims, strict=True)
        away = torch.stack([self.statistic.distance(*pair) for pair in pairs]).mean()
        loss = self.content_weight * content + self.style_weight * away
        loss = loss + self.tv_weight * total_variation(made)
        values = {f"{stage}/loss": loss, f"{stage}/content": content, f"{stage}/style": away}
        self.log_dict(values, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(shown))
        return loss

    def _wanted(self, shown: Tensor, turns: Sequence[int]) -> tuple[int, Tensor, Aims]:
        """The number of a style, its image, and the statistics that images should have."""
        chosen = [self._choice(turn) for turn in turns]
        number, path = chosen[0]
        if isinstance(self.network, OfAnyStyle):
            styles = [self._image(one) for _, one in chosen]
            squares = _squares(styles, shown.shape[-1], drawn=self.training).to(shown) / 255
            return number, squares, self._statistics_of(squares)
        style = self._image(path).to(shown) / 255
        aims = self.aims[path] = self.aims.get(path) or self._statistics_of(style)
        repeated = (len(shown), -1, -1)
        return number, style, [tuple(part.expand(repeated[: part.ndim]) for part in one) for one in aims]

    def _choice(self, turn: int) -> tuple[int, Path]:
        """The number of a style that is learned, and its image: each in turn, and of a folder each."""
        n_learned = len(self.choices) - self.n_known
        number = self.n_known + turn % n_learned
        found = self.choices[number]
        return number, found[turn // n_learned % len(found)]

    def _image(self, path: Path) -> Tensor:
        """(1, 3, rows, columns), bytes; read when it is first asked for."""
        if path not in self.images:
            read = fitted(torch.from_numpy(images.read_image(path).pixels)[None], self.style_size)
            self.images[path] = (read.clamp(0, 1) * 255).round().byte()
        return self.images[path]

    @torch.no_grad()
    def _statistics_of(self, image: Tensor) -> Aims:
        return self._statistics(self._extractor[0](image))

    def _statistics(self, maps: dict[int, Tensor]) -> Aims:
        """Of each layer what its style is compared by, for each image."""
        return [self.statistic.of(sums(maps[layer])) for layer in self.style_layers]

    def _made(self, shown: Tensor, style: Tensor, number: int) -> Tensor:
        if isinstance(self.network, OfAnyStyle):
            return self.network(shown, style)
        if isinstance(self.network, StyleBank):
            return self.network(shown, torch.full((len(shown),), number, device=shown.device))
        return self.network(shown)

    def predict_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The images in the first style."""
        return self._made(batch[0], self._image(self.choices[0][0]).to(batch[0]) / 255, 0)


def _started(network: nn.Module, path: str) -> int:
    """Gives a network the weights of a file; of a StyleBank how many styles stay as they are there.

    Raises: FileError when the file cannot be read or holds another network.
    """
    start, n_known = read_model(weights.path(path), nn.Module), 0
    if isinstance(start, StyleBank) and isinstance(network, StyleBank):
        new = network.styles[len(start.styles) :]
        if new:
            n_known = len(start.styles)
            network.learn_from(n_known)
        for style in new:
            start = start.added(style)
    if describe(start) != describe(network):
        raise files.FileError(path, "holds another network than the one that is to be trained")
    network.load_state_dict(start.state_dict())
    return n_known


def _squares(styles: Sequence[Tensor], least: int, drawn: bool) -> Tensor:
    """A square of each style (1, 3, rows, columns): (styles, 3, side, side).

    Its side is drawn, from `least` to all of the smallest, and so is its place; else it is the largest in
    the middle.
    """
    side = min(min(style.shape[2:]) for style in styles)
    if drawn:
        side = int(torch.randint(min(least, side), side + 1, ()))
    squares = []
    for style in styles:
        free = [n - side for n in style.shape[2:]]
        top, left = (int(torch.randint(n + 1, ())) if drawn else n // 2 for n in free)
        squares.append(style[..., top : top + side, left : left + side])
    return torch.cat(squares)
