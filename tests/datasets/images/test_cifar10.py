"""CIFAR-10's binary version: which image becomes which file; pickles and damaged files are refused."""

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audiocnn.datasets.images import cifar10
from audiocnn.datasets.images.folder import ImageFolderDataModule
from audiocnn.files import FileError, FileWarning
from tests.training_warnings import ignore

N = 20  # images of a batch, for 10,000

pytestmark = ignore(".* has [0-9]+ of 10000 images")


@pytest.fixture
def batches(tmp_path: Path) -> Path:
    """Batches of noise, each class twice in a batch."""
    rng, folder = np.random.default_rng(0), tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name in (name for part in cifar10.BATCHES.values() for name in part):
        records = rng.integers(0, 256, (N, cifar10.RECORD_BYTES), np.uint8)
        records[:, 0] = np.arange(N) % 10
        (folder / name).write_bytes(records.tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(cifar10.CLASSES))
    return folder


def pack(folder: Path, mode: str = "w:gz") -> Path:
    path = folder.parent / "cifar-10-binary.tar.gz"
    with tarfile.open(path, mode) as archive:
        archive.add(folder, folder.name)
    return path


def test_each_image_becomes_a_file(batches: Path, tmp_path: Path) -> None:
    assert cifar10.prepare_cifar10(batches, tmp_path / "out") == 6 * N
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")}
    names = {"train": 5 * N, "test": N}
    assert written == {
        f"{part}/{cifar10.CLASSES[i % 10]}/{i:05d}.png" for part, n in names.items() for i in range(n)
    }
    record = np.frombuffer((batches / "data_batch_2.bin").read_bytes(), np.uint8)[cifar10.RECORD_BYTES :]
    pixels = record[1 : cifar10.RECORD_BYTES].reshape(3, 32, 32)  # of the second image
    image = np.asarray(Image.open(tmp_path / "out" / "train" / "automobile" / f"{N + 1:05d}.png"))
    assert np.array_equal(image, pixels.transpose(1, 2, 0))


def test_what_is_written_is_trained_on(batches: Path, tmp_path: Path) -> None:
    cifar10.prepare_cifar10(pack(batches), tmp_path / "out")
    data = ImageFolderDataModule(str(tmp_path / "out"))
    data.setup()
    assert data.classes == [*cifar10.CLASSES]
    assert {part: len(one) for part, one in data.sets.items()} == {"train": 90, "validation": 10, "test": 20}


@pytest.mark.parametrize("mode", ["w:gz", "w", "w:xz"])
def test_archives(batches: Path, mode: str) -> None:
    found = dict(cifar10.read_batches(pack(batches, mode)))
    assert found == {path.name: path.read_bytes() for path in batches.glob("*.bin")}


def test_an_interrupted_preparing_goes_on(
    batches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, write = tmp_path / "out", cifar10._write_images

    def interrupted(folder: Path, records: bytes) -> None:
        write(folder, records)
        if folder.name == "test":
            raise KeyboardInterrupt

    monkeypatch.setattr(cifar10, "_write_images", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cifar10.prepare_cifar10(batches, out)
    assert sorted(path.name for path in out.iterdir()) == ["recipe.json", "train"]
    monkeypatch.setattr(cifar10, "_write_images", write)
    assert cifar10.prepare_cifar10(batches, out) == N
    assert cifar10.prepare_cifar10(batches, out) == 0


def test_a_folder_with_other_images_is_refused(batches: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "test").mkdir(parents=True)
    with pytest.raises(FileError, match="out: has test/ already, which was not written by this"):
        cifar10.prepare_cifar10(batches, tmp_path / "out")
    cifar10.prepare_cifar10(batches, tmp_path / "other")
    path = batches / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(FileError, match=r"other: holds .* choose another folder"):
        cifar10.prepare_cifar10(batches, tmp_path / "other")


class Marker:
    """What a pickle could do as it is read."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("unpickled"),)


def test_pickles_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(pickle.dumps(Marker()))
    for source in (folder, pack(folder)):
        with pytest.raises(FileError, match="is the version for Python, of pickles, which are not read"):
            cifar10.prepare_cifar10(source, tmp_path / "out")
    assert not Path("unpickled").exists() and not (tmp_path / "out").exists()


def test_damaged(batches: Path, tmp_path: Path) -> None:
    path, whole = batches / "data_batch_3.bin", (batches / "data_batch_3.bin").read_bytes()
    for content, reason in (
        (whole[:-1], rf"data_batch_3\.bin has {len(whole) - 1} bytes, expected 30730000, 10000 images"),
        (b"\x0a" + whole[1:], r"data_batch_3\.bin holds class 10, expected 0 to 9"),
        (b"", r"is empty|has 0 bytes"),
    ):
        path.write_bytes(content)
        for source in (batches, pack(batches)):
            with pytest.raises(FileError, match=reason):
                cifar10.prepare_cifar10(source, tmp_path / "out")
    path.unlink()
    with pytest.raises(FileError, match=r"has no data_batch_3.bin, expected the binary version of CIFAR-10"):
        cifar10.prepare_cifar10(batches, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_batches_that_are_too_short_or_too_long(batches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.warns(FileWarning, match=r"data_batch_1\.bin has 20 of 10000 images"):
        list(cifar10.read_batches(batches))
    monkeypatch.setattr(cifar10, "N_RECORDS", N)
    monkeypatch.setattr(cifar10, "MAX_BATCH_BYTES", n_bytes := N * cifar10.RECORD_BYTES)
    (batches / "data_batch_2.bin").write_bytes(bytes(n_bytes + 1))
    with pytest.raises(FileError, match=r"data_batch_2\.bin: is longer than"):
        list(cifar10.read_batches(batches))
    with pytest.raises(
        FileError, match=rf"data_batch_2\.bin has more than {n_bytes} bytes, expected {n_bytes}, 20"
    ):
        list(cifar10.read_batches(pack(batches, "w")))


def test_damaged_archives(batches: Path, tmp_path: Path) -> None:
    archive = pack(batches)
    whole = archive.read_bytes()
    for content in (b"text", whole[: len(whole) // 2], whole[:100] + bytes(64) + whole[164:]):
        archive.write_bytes(content)
        with pytest.raises(FileError, match=r"tar.gz: damaged, or no archive: "):
            cifar10.prepare_cifar10(archive, tmp_path / "out")
    with pytest.raises(FileError, match="nowhere: No such file"):
        cifar10.prepare_cifar10(tmp_path / "nowhere", tmp_path / "out")


def test_a_folder_of_images_needs_no_preparing(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(
        FileError, match=r"is a folder of images, which training reads as it is: --data\.path"
    ):
        cifar10.prepare_cifar10(tmp_path, tmp_path / "out")


def test_an_archive_is_read_without_being_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("../../outside.bin")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    with pytest.raises(FileError, match=r"has no data_batch_1.bin"):
        cifar10.prepare_cifar10(path, tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["evil.tar"]
