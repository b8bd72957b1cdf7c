"""A search over architectures: cells evolve, the best of a few has a changed child, and the oldest dies.

Place in the flow: cells -> a score, from whoever trains them (cli/search.py) -> the next cells. Conventions:
cells are {"normal": table, "reduction": table} as `CellNet` takes them; row i of a table, (left input,
operation, right input, operation), makes state i + 2 of earlier states, of which 0 and 1 are the cell's own
inputs. No library for the loop: Optuna, Nevergrad and DEAP have no ageing; NASLib and Archai have it for
graphs, models and trainers of their own; and it is `propose`, ten lines.
Source: Real, Aggarwal, Huang, Le, "Regularized evolution for image classifier architecture search", 2018,
algorithm 1. Differs: a mutation never leaves the cells as they are.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiocnn import files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = list  # [left input, operation, right input, operation]
Cells = dict[str, list[Row]]
CELLS = ("normal", "reduction")
INPUTS, OPERATIONS = (0, 2), (1, 3)  # columns of a row


@dataclass(frozen=True)
class Space:
    """The cells that there are to choose from: acyclic, because a row has only states before its own.

    Args:
        operations: names as `audiocnn.backbones.cells` has them.
        nodes: rows of each cell.
    Raises: ValueError when there is nothing to choose from.
    """

    operations: tuple[str, ...]
    nodes: int = 5

    def __post_init__(self) -> None:
        if len(set(self.operations)) < 2:
            raise ValueError(f"operations are {list(self.operations)}, expected at least two different ones")
        if self.nodes < 1:
            raise ValueError(f"nodes is {self.nodes}, expected 1 or more")

    def draw(self, rng: random.Random) -> Cells:
        """Cells by chance, each as likely as any other."""
        return {cell: [self._row(i, rng) for i in range(self.nodes)] for cell in CELLS}

    def mutate(self, cells: Cells, rng: random.Random) -> Cells:
        """The cells with one input or one operation, each as likely, of one row changed by chance."""
        mutant = {cell: [list(row) for row in table] for cell, table in cells.items()}
        i = rng.randrange(self.nodes)
        row, column = mutant[rng.choice(CELLS)][i], rng.choice(rng.choice((INPUTS, OPERATIONS)))
        choices = range(i + 2) if column in INPUTS else self.operations
        row[column] = rng.choice([choice for choice in choices if choice != row[column]])
        return mutant

    def _row(self, i: int, rng: random.Random) -> Row:
        return [
            rng.choice(self.operations) if column in OPERATIONS else rng.randrange(i + 2)
            for column in range(4)
        ]


@dataclass(frozen=True)
class Candidate:
    """Cells with what became of them: the higher the score, the better."""

    score: float
    parameters: int
    cells: Cells


def best(candidates: Iterable[Candidate]) -> Candidate:
    """The one with the highest score; of several the smallest."""
    return max(candidates, key=lambda candidate: (candidate.score, -candidate.parameters))


def propose(past: list[Candidate], space: Space, population: int, sample: int, seed: int) -> Cells:
    """The next cells to try; the same for the same past, wherever a search was interrupted.

    The population are the newest: each child takes the place of the oldest, however good that was.

    Args:
        population: how many live at a time; the first ones are drawn by chance.
        sample: how many of them compete to be the parent, drawn with replacement.
    """
    rng = random.Random(f"{seed} {len(past)}")
    if len(past) < population:
        return space.draw(rng)
    alive = past[-population:]
    return space.mutate(max(rng.choices(alive, k=sample), key=lambda candidate: candidate.score).cells, rng)


class History:
    """The candidates of a search in a file: a line of settings, then a line of JSON each, as they end.

    A line that a kill has cut short is cut off; its candidate is trained again.

    Raises: ValueError when the file tells of a search with other settings; FileError when it cannot be read.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path, self.header = path, json.dumps(settings)
        try:
            whole, newline, cut = path.read_text("utf-8").rpartition("\n") if path.exists() else ("", "", "")
        except (OSError, UnicodeDecodeError) as error:
            raise files.FileError(
                path, files.describe_error(error) if isinstance(error, OSError) else error
            ) from error
        if not whole and not self.header.startswith(cut):
            raise files.FileError(path, "is no history of a search")
        self.candidates = self._parsed(whole.splitlines(), json.loads(self.header)) if whole else []
        self.begun = bool(whole)
        if cut:
            os.truncate(path, len((whole + newline).encode()))

    def _parsed(self, lines: list[str], settings: dict[str, Any]) -> list[Candidate]:
        try:
            first, *others = map(json.loads, lines)
            candidates = [Candidate(**line) for line in others]
            changed = {name for name in first.keys() | settings if first.get(name) != settings.get(name)}
        except (ValueError, TypeError, AttributeError) as error:
            raise files.FileError(self.path, f"is no history of a search ({error})") from error
        if changed:
            raise ValueError(
                f"{self.path} is of a search with another {', '.join(sorted(changed))}; "
                "expected the same, or another folder"
            )
        return candidates

    def append(self, candidate: Candidate) -> None:
        """Writes one that has ended; with the first, the settings.

        Raises: FileError when it cannot be written.
        """
        line = json.dumps(asdict(candidate)) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(line if self.begun else f"{self.header}\n{line}")
        except OSError as error:
            raise files.FileError(self.path, files.describe_error(error)) from error
        self.begun = True
        self.candidates.append(candidate)


def evolve(
    history: History,
    space: Space,
    evaluate: Callable[[Cells, int], Candidate],
    candidates: int,
    population: int,
    sample: int,
    seed: int,
    tell: Callable[[list[Candidate]], None] = lambda past: None,
) -> None:
    """Goes on with a search until its history has so many candidates.

    Args:
        evaluate: cells and their number, from 0, -> the candidate.
        tell: is called with all candidates after each.
    Raises: ValueError when a number is out of its range.
    """
    for name, number in (("population", population), ("sample", sample), ("candidates", candidates)):
        if number < 1:
            raise ValueError(f"{name} is {number}, expected 1 or more")
    while len(history.candidates) < candidates:
        cells = propose(history.candidates, space, population, sample, seed)
        history.append(evaluate(cells, len(history.candidates)))
        tell(history.candidates)


def draw(candidates: list[Candidate], what: str) -> Figure:
    """The score of each candidate, and the best so far."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    scores = [candidate.score for candidate in candidates]
    numbers = range(1, len(scores) + 1)
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot(numbers, scores, "o", markersize=4, alpha=0.6, label="candidate")
    axes.step(numbers, [max(scores[:n]) for n in numbers], where="post", label="best so far")
    axes.set(xlabel="candidate", ylabel=what)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure
