"""`make docs`: the index of the lectures, docs/lectures.md, from docs/lectures.tsv.

A row of the table is a topic: the lecture, the topic, the code (names below `audiocnn`), its tests (below
`tests`) and the part of a notebook that shows it. Names are separated by spaces.
"""

import csv
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from audiocnn.backbones import FAMILIES

HERE = Path(__file__).parent
TABLE, PAGE = HERE / "lectures.tsv", HERE / "lectures.md"
INTRODUCTION = """# The lectures, topic by topic

This project grew from five lectures on convolutional networks. Where each of their topics is: in the code, in
the test that holds it to numbers worked by hand or to another library, and in a notebook that shows it.

Made by `make docs` from docs/lectures.tsv; `tests/test_notebooks.py` follows every link.
"""
HEADING = "| topic | code | test | notebook |\n| --- | --- | --- | --- |"


class Topic(NamedTuple):
    """A topic of a lecture.

    Attributes:
        lecture: its title.
        topic: what is taught.
        code: names below audiocnn.
        tests: file::function below tests.
        notebook: name#heading; empty where no notebook shows it.
    """

    lecture: str
    topic: str
    code: tuple[str, ...]
    tests: tuple[str, ...]
    notebook: str


def read_topics() -> list[Topic]:
    """Read the table, in the order of the lectures."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Topic(**row | {name: tuple(row[name].split()) for name in ("code", "tests")}) for row in rows]


def locate(name: str) -> str:
    """Find the file of a class, a function or a module below audiocnn, from docs/."""
    *parts, last = name.split(".")
    if parts == ["backbones"] and last in FAMILIES:
        return f"../audiocnn/backbones/{FAMILIES[last][0]}.py"
    for candidate in ([*parts, last], parts):
        for path in ("/".join(candidate) + ".py", "/".join(candidate) + "/__init__.py"):
            if (HERE.parent / "audiocnn" / path).is_file():
                return f"../audiocnn/{path}"
    raise ValueError(f"code is {name!r}, expected a name below audiocnn")


def write_row(topic: Topic) -> str:
    """Write a row of the page."""
    code = ", ".join(f"[`{name.rpartition('.')[2]}`]({locate(name)})" for name in topic.code)
    tests = ", ".join(
        f"[`{name.partition('::')[2]}`](../tests/{name.partition('::')[0]})" for name in topic.tests
    )
    name, _, heading = topic.notebook.partition("#")
    anchor = heading.replace(" ", "-")
    notebook = f"[{name}: {heading}](../notebooks/{name}.ipynb#{anchor})" if name else ""
    return f"| {topic.topic} | {code} | {tests} | {notebook} |"


def write_page() -> Iterator[str]:
    """Write the page, part by part."""
    yield INTRODUCTION
    for number, (lecture, topics) in enumerate(groupby(read_topics(), lambda topic: topic.lecture), start=1):
        yield f"## {number}. {lecture}\n"
        yield "\n".join([HEADING, *map(write_row, topics)]) + "\n"


def main() -> None:
    """Write the index."""
    PAGE.write_text("\n".join(write_page()), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
