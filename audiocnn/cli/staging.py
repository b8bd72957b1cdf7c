"""The outputs of one input: made in a hidden folder beside their places, then recorded and moved there.

So an output is there whole or not at all, and its record is there before it: whenever the work ends, the next
run knows what is ours and what is still to be done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import audiocnn
from audiocnn import files, records
from audiocnn.cli import terminal
from audiocnn.models import weights

KEPT = "kept (--overwrite replaces it)"
# What shapes an output -> its name in a line, where that is another one.
SAID = {"models": "model", "audiocnn": "version of audiocnn"}


@dataclass(frozen=True)
class Output:
    """A kind of output.

    Attributes:
        suffix: replaces that of the input; of files in a folder, the folder's suffix and the file:
            ".genre.explained/index.html".
        made_by: what shapes it besides the input: verb, version, models, options.
        keeps_suffix: whether the input's own suffix follows.
        name: the whole name, in place of one made from the input's.
    """

    suffix: str
    made_by: Mapping[str, Any]
    keeps_suffix: bool = False
    name: str | None = None

    def name_file(self, stem: str, source: Path) -> str:
        """Name the output of an input by this stem, relative to its folder."""
        return self.name or stem + self.suffix + source.suffix * self.keeps_suffix


@dataclass(frozen=True)
class Work:
    """The outputs of one input that are to be made.

    Attributes:
        source: the input.
        content: of the input; None where nothing is to be written.
        folder: of the outputs.
        staging: folder that they are written to first.
        names: format -> name of its file, relative to the folder.
        outputs: format -> what it is made by.
        overwrite: whether files of others are overwritten.
        check: raises FileError for a place that cannot or must not be written to.
        update: progress callback: called with the seconds or steps done, and optionally their total and a
            note.
        companions: names of what was published beside the targets so far.
    """

    source: Path
    content: records.Content | None
    folder: Path
    staging: Path
    names: Mapping[str, str]
    outputs: Mapping[str, Output]
    overwrite: bool
    check: Callable[[Path], None]
    update: Callable[..., None]
    companions: list[str] = field(default_factory=list)

    @property
    def targets(self) -> dict[str, Path]:
        """Format -> the file to write, whose place is not yet the output's own."""
        return {name: self.staging / file for name, file in self.names.items()}

    def publish_all(self) -> None:
        """Move what was written to its place.

        Raises:
            FileError: as `publish`.
        """
        for name, path in self.targets.items():
            self.publish(path, name)

    def publish(self, path: Path, name: str) -> None:
        """Record an output, and move it to its place: with all files of the folder that it lies in.

        Args:
            path: one of the targets, or another file beside it.
            name: the format that it was made for.

        Raises:
            FileError: the system refuses, an input is there, or somebody else wrote a file there meanwhile.
        """
        self.check(self.folder / path.relative_to(self.staging))
        entry = path.relative_to(self.staging).parts[0]
        output, staged = self.folder / entry, self.staging / entry
        if not self.overwrite:
            is_done(output, self.source, self.outputs[name].made_by)
        written = [one for one in (staged, *staged.rglob("*")) if one.is_file()]
        written.sort(key=lambda one: one.stat().st_mtime_ns)  # a page comes last
        contents = {one.relative_to(self.staging).as_posix(): records.read_content(one) for one in written}
        before = records.read(output)
        replaced = before.files if before else {}
        companions = self.companions if path in self.targets.values() else []
        self._record(output, self.outputs[name].made_by, contents, replaced, companions)
        if companions is not self.companions:
            self.companions.append(entry)
        for file in contents:
            _move(self.staging / file, self.folder / file)
        for file in replaced.keys() - contents.keys():
            if records.holds(self.folder / file, replaced[file]):
                (self.folder / file).unlink()

    def _record(
        self,
        output: Path,
        made_by: Mapping[str, Any],
        contents: Mapping[str, records.Content],
        replaced: Mapping[str, records.Content],
        companions: Sequence[str],
    ) -> None:
        """Write the record of an output, without which the output is still worth having."""
        assert self.content is not None
        source = records.relate(self.source, self.folder)
        made = records.normalise(made_by)
        record = records.Record(source, self.content, made, contents, replaced, tuple(companions))
        try:
            record.write(output)
        except files.FileError as error:
            terminal.report(f"{output}: is written without a record of how ({error})")


@contextmanager
def stage(folder: Path, is_needed: bool) -> Iterator[Path]:
    """Create the hidden folder of outputs; errors that name a file in it name its place instead.

    Args:
        folder: of the outputs.
        is_needed: whether there are any.

    Raises:
        FileError: the system refuses.
    """
    with files.stage(folder) if is_needed else nullcontext(folder) as staging:
        try:
            yield staging
        except files.FileError as error:
            if staging not in Path(error.path).parents:
                raise
            place = folder / Path(error.path).relative_to(staging)
            raise files.FileError(place, error.reason) from error


def describe_making(verb: str, models: Iterable[str], **options: Any) -> dict[str, Any]:
    """Describe what shapes an output besides its input.

    Args:
        verb: of the command line.
        models: names or files of the models, which are known by their content.
        **options: those that shape the output.

    Raises:
        FileError: a model cannot be read.
    """
    known = [_describe_model(model) for model in models]
    return {"verb": verb, "audiocnn": audiocnn.__version__, "models": known, "options": options}


def _describe_model(model: str) -> list[str]:
    path = weights.path(model)
    if path.exists():
        return describe_file(path)
    from audiocnn.backbones import backbone_family
    from audiocnn.models.load import is_published

    if not is_published(model):
        return describe_file(path)  # which says why not
    return [model, backbone_family(model).weights[model].file]  # in whose name stands its hash


def describe_file(path: Path) -> list[str]:
    """Return a file's name, without its suffix, and the hash of its content.

    Raises:
        FileError: it cannot be read.
    """
    return [path.stem, read_content(path).sha256]


def read_content(path: Path) -> records.Content:
    """Hash an input; Ctrl-C ends it.

    Raises:
        FileError: it cannot be read.
    """
    files.check_regular(path)
    try:
        return records.read_content(path)
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error


def is_done(output: Path, source: Path, made_by: Mapping[str, Any]) -> bool:
    """Say whether an output is there as it would be made now, with all that was made beside it.

    Args:
        output: file or folder.
        source: the input.
        made_by: what shapes the output besides the input.

    Raises:
        FileError: something else is there, which is to be kept.
        OSError: the system refuses the name.
    """
    record = _find_done(output, source, made_by)
    beside = record.companions if record else ()
    return record is not None and all(_find_done(output.with_name(name), source, made_by) for name in beside)


def _find_done(output: Path, source: Path, made_by: Mapping[str, Any]) -> records.Record | None:
    """Return the record of an output that is there as it would be made now; errors as of `is_done`."""
    state, record = records.inspect(output)
    if state == "absent":
        return None
    if record is None:
        raise files.FileError(output, f"is there and was not written by audiocnn: {KEPT}")
    if state == "foreign":
        raise files.FileError(output, f"was changed since audiocnn wrote it: {KEPT}")
    origin = record.compare_source(source, output.parent)
    if origin == "other":
        raise files.FileError(output, f"is the result of {record.source}: {KEPT}")
    is_same = (state, origin, record.made_by) == ("whole", "same", records.normalise(made_by))
    return record if is_same else None


def describe_replaced(outputs: Iterable[tuple[Path, Mapping[str, Any]]]) -> str:
    """Say how results that are made again differ from those that they replace.

    Args:
        outputs: files or folders, each with what shapes it now besides its input.

    Returns:
        "in place of the result with another style"; "" where nothing differs, or nothing was there.
    """
    changes: dict[str, None] = {}
    for output, made_by in outputs:
        state, record = records.inspect(output)
        if state == "whole" and record:
            changes |= dict.fromkeys(record.list_changes(made_by))
    names = [SAID.get(name, name) for name in changes]
    return f"in place of the result with another {', '.join(names)}" if names else ""


def _move(staged: Path, place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(place)
    except OSError as error:
        raise files.FileError(place, files.describe_error(error)) from error
