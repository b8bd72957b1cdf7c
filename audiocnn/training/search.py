"""A search over architectures by regularised evolution.

The best of a few candidates drawn from the population is mutated to a child, and the oldest one is removed.

Place in the flow: cells -> a score, by a training (cli/search.py) -> the next cells. Conventions:
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

from audiocnn import files, plots
from audiocnn.ranges import COUNT, ArgumentError, check_fields

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = list  # [left input, operation, right input, operation]
Cells = dict[str, list[Row]]
CELLS = ("normal", "reduction")
INPUTS, OPERATIONS = (0, 2), (1, 3)  # columns of a row


@dataclass(frozen=True)
class Space:
    """A search space: all cells of some operations.

    They are acyclic, because a row has only states before its own as inputs.

    Args:
        operations: names as `audiocnn.backbones.cells` has them.
        nodes: rows of each cell.

    Raises:
        ArgumentError: there are fewer than two operations, or no rows.
    """

    operations: tuple[str, ...]
    nodes: int = 5

    def __post_init__(self) -> None:
        if len(set(self.operations)) < 2:
            raise ArgumentError(
                f"operations are {list(self.operations)}, expected at least two different ones"
            )
        check_fields(self, nodes=COUNT)

    def sample(self, rng: random.Random) -> Cells:
        """Draw cells, each with the same probability.

        Args:
            rng: random number generator.
        """
        return {cell: [self._row(i, rng) for i in range(self.nodes)] for cell in CELLS}

    def mutate(self, cells: Cells, rng: random.Random) -> Cells:
        """Copy cells with a random input or operation, either with the same probability, replaced.

        Args:
            cells: stay as they are.
            rng: random number generator.
        """
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
    """Cells that were trained.

    Args:
        score: the higher, the better.
        parameters: of the network.
        cells: of the network.
    """

    score: float
    parameters: int
    cells: Cells


def choose_best(candidates: Iterable[Candidate]) -> Candidate:
    """Return the candidate with the highest score; of equal ones that with the fewest parameters.

    Args:
        candidates: at least one.
    """
    return max(candidates, key=lambda candidate: (candidate.score, -candidate.parameters))


def propose(past: list[Candidate], space: Space, population: int, sample: int, seed: int) -> Cells:
    """Propose the next cells to train; the same for the same past, wherever a search was interrupted.

    The population are the newest: each child takes the place of the oldest, however good that was.

    Args:
        past: all candidates so far.
        space: that is searched.
        population: size of the population; the first candidates are random.
        sample: tournament size: candidates drawn with replacement, of which the best is the parent.
        seed: random seed of the search.

    Returns:
        A mutated copy of the parent's cells.
    """
    rng = random.Random(f"{seed} {len(past)}")
    if len(past) < population:
        return space.sample(rng)
    alive = past[-population:]
    return space.mutate(max(rng.choices(alive, k=sample), key=lambda candidate: candidate.score).cells, rng)


class History:
    """The candidates of a search in a file: a line of settings, then a line of JSON for each.

    An incomplete last line, left by a kill, is removed; its candidate is trained again.

    Args:
        path: the file; need not exist.
        settings: of the search.

    Attributes:
        candidates: all so far, in their order.

    Raises:
        ArgumentError: the file is of a search with other settings.
        FileError: the file cannot be read.
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
            raise ArgumentError(
                f"{self.path} is of a search with another {', '.join(sorted(changed))}; "
                "expected the same, or another folder"
            )
        return candidates

    def append(self, candidate: Candidate) -> None:
        """Write a candidate; before the first, the settings.

        Args:
            candidate: that was trained.

        Raises:
            FileError: the file cannot be written.
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
    progress: Callable[[list[Candidate]], None] = lambda past: None,
) -> None:
    """Continue a search until its history holds a number of candidates.

    Args:
        history: is extended.
        space: that is searched.
        evaluate: trains cells; takes them and their number, from 0, and returns the candidate.
        candidates: their number at the end of the search.
        population: as of `propose`.
        sample: as of `propose`.
        seed: random seed of the search.
        progress: called with all candidates after each.

    Raises:
        ArgumentError: a number is below 1.
    """
    for name, number in (("population", population), ("sample", sample), ("candidates", candidates)):
        if number < 1:
            raise ArgumentError(f"{name} is {number}, expected 1 or more")
    while len(history.candidates) < candidates:
        cells = propose(history.candidates, space, population, sample, seed)
        history.append(evaluate(cells, len(history.candidates)))
        progress(history.candidates)


def plot_search(candidates: list[Candidate], metric: str) -> Figure:
    """Plot the score of each candidate, and the best so far.

    Args:
        candidates: in their order.
        metric: name of the score.
    """
    from matplotlib.ticker import MaxNLocator

    scores = [candidate.score for candidate in candidates]
    numbers = range(1, len(scores) + 1)
    figure, (axes,) = plots.make_figure(9, 5)
    axes.plot(numbers, scores, "o", color=plots.COLOURS[0], markersize=4, alpha=0.6, label="candidate")
    best = [max(scores[:n]) for n in numbers]
    axes.step(numbers, best, where="post", color=plots.COLOURS[1], label="best so far")
    axes.set(xlabel="candidate", ylabel=metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plots.plot_grid(axes)
    axes.legend(loc="lower right")
    return figure
