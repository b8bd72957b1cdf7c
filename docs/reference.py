"""`make docs`: the reference of every module, from its docstrings, as pages in build/docs."""

import pkgutil
from pathlib import Path

import pdoc

import audiocnn

OUTPUT = Path(__file__).parents[1] / "build" / "docs"


def main() -> None:
    """Write a page for each module of audiocnn."""
    for name in audiocnn.__all__:  # pdoc shows what is there; the public names are imported when first used
        setattr(audiocnn, name, getattr(audiocnn, name))
    modules = [module.name for module in pkgutil.walk_packages(audiocnn.__path__, "audiocnn.")]
    pdoc.render.configure(docformat="google", search=True)
    pdoc.pdoc(
        "audiocnn", *(name for name in modules if not name.endswith("__main__")), output_directory=OUTPUT
    )
    print(OUTPUT / "index.html")


if __name__ == "__main__":
    main()
