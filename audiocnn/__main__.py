"""`python -m audiocnn`: the command line."""

from audiocnn.cli import main

raise SystemExit(main())
