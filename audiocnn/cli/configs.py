"""The shipped configs, found by their name in any folder, and `audiocnn configs`, which lists them.

They are the folder `configs` of the repository, and in an installed package its folder `configs`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ActionConfigFile  # pyright: ignore[reportPrivateImportUsage]  # its __all__ is made at run time

import audiocnn
from audiocnn import files

_PACKAGE = Path(audiocnn.__file__).parent
FOLDER = next(folder for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if folder.is_dir())
FIT = "audiocnn fit"  # and validate, and test
# Other commands that take configs -> the keys of theirs.
VERBS = {"audiocnn search": {"fit", "operations"}, "wandb sweep": {"method", "parameters"}}
TOO_DEEP = "no config: nested too deeply"
BASE = FOLDER / "base.yaml"  # defaults of every training; its config and the command line override them


def find_config(name: str) -> Path:
    """Find a config: a file, or a shipped config by its name.

    Args:
        name: a path, or `genre` for the shipped genre.yaml; what ends in .yaml or holds a folder is a path.

    Returns:
        The path of the file.

    Raises:
        files.FileError: there is neither such a file nor such a shipped config.
    """
    if Path(name).is_file():
        return Path(name)
    if name in list_configs():
        return FOLDER / f"{name}.yaml"
    raise files.FileError(
        name, f"no such file, and no shipped config (those are {', '.join(list_configs())})"
    )


def list_configs(verb: str | None = None) -> dict[str, str]:
    """List the shipped configs.

    Args:
        verb: that they are for, of `VERBS`; all when None.

    Returns:
        The first line of each config, which says what it is for, by its name, sorted.
    """
    texts = {
        path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml")) if path != BASE
    }
    return {
        name: text.partition("\n")[0].lstrip("# ")
        for name, text in texts.items()
        if verb is None or find_verb(yaml.safe_load(text)) == verb
    }


def find_verb(config: Mapping[str, Any]) -> str:
    """Find the command that a config is for, by its keys.

    Args:
        config: as it is read.

    Returns:
        One of `VERBS`.
    """
    return next((verb for verb, keys in VERBS.items() if keys <= config.keys()), FIT)


def show_configs() -> int:
    """List the shipped configs by the command that they are for.

    They can also be copied and changed: the last line is their folder.

    Returns:
        The exit status.
    """
    for verb in (FIT, *VERBS):
        print(f"{verb}\n{format_configs(list_configs(verb))}\n")
    print(FOLDER)
    return 0


def format_configs(configs: dict[str, str]) -> str:
    """Format a line for each config: its name and what it is for."""
    width = max(map(len, configs)) + 2
    return "\n".join(f"  {name:{width}}{summary}" for name, summary in configs.items())


@contextmanager
def config_errors(path: Path) -> Iterator[None]:
    """Make a FileError of what goes wrong as a config is read.

    Args:
        path: of the config.
    """
    try:
        yield
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise files.FileError(path, f"no YAML: {error}") from error
    except RecursionError as error:
        raise files.FileError(path, TOO_DEEP) from error


class ConfigAction(ActionConfigFile):
    """`--config` that takes the names of shipped configs, too."""

    def __call__(self, parser: Any, namespace: Any, value: Any, option_string: str | None = None) -> None:
        path = find_config(value)
        with config_errors(path):
            path.read_text(encoding="utf-8")
        try:  # what else is wrong the parser reports
            super().__call__(parser, namespace, str(path), option_string)
        except RecursionError as error:
            raise files.FileError(path, TOO_DEEP) from error
