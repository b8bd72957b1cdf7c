"""Models by name or file."""

from pathlib import Path

import pytest

from audiocnn.models import weights
from audiocnn.models.clips import ClipModel
from audiocnn.models.file import ModelError
from audiocnn.models.load import find_model, is_published, load
from audiocnn.models.notes import NotesModel


@pytest.mark.parametrize("name", weights.names("notes", "labels"))
def test_shipped_models_load_by_name(name: str) -> None:
    model = load(name)
    assert model.name == name
    assert isinstance(model, NotesModel if name in weights.names("notes") else ClipModel)
    assert not model.training


def test_a_file_is_found_by_its_path(tmp_path: Path, one_tone: Path) -> None:
    assert find_model(one_tone) == one_tone
    assert find_model(str(one_tone)) == one_tone
    assert find_model("genre", "images").stem == "genre"  # kinds are for the message
    assert load(one_tone).name == "one"


@pytest.mark.parametrize("model", [None, 5, b"genre", ["genre"], object()])
def test_what_is_neither_a_name_nor_a_file(model: object) -> None:
    with pytest.raises(TypeError, match=f"^model is {type(model).__name__}, expected a name or a file"):
        load(model)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["theremin", "no/such/file.safetensors"])
def test_what_there_is_instead(name: str) -> None:
    with pytest.raises(ModelError) as error:
        find_model(name, "images", "labels", others=["random"])
    names = "random, genre, instrument, vgg"
    assert str(error.value) == f"{name}: no such model, expected a file or one of {names}"


def test_a_model_of_another_kind() -> None:
    with pytest.raises(ModelError, match=r"^genre: predicts labels, not notes; `audiocnn classify` uses it"):
        load("genre", kind=NotesModel)
    with pytest.raises(
        ModelError, match=r"^notes: predicts notes, not labels; `audiocnn transcribe` uses it"
    ):
        load("notes", kind=ClipModel)


@pytest.mark.parametrize("name", weights.names("style"))
def test_a_painter(name: str) -> None:
    message = rf"^{name}: holds \w+, expected a model of notes or labels; `audiocnn stylize` "
    with pytest.raises(ModelError, match=message):
        load(name)


def test_what_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_published("efficientnet_lite0")
    assert not any(map(is_published, ["resnet_small", "efficientnet_*", "vgg", "no such network"]))
    monkeypatch.chdir(tmp_path)
    Path("efficientnet_lite0").touch()
    assert not is_published("efficientnet_lite0")  # a file of this name is what is meant
