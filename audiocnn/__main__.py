"""`audiocnn` and `python -m audiocnn`: the command line."""

import signal


def main() -> int:
    """Run the command line of this process.

    Returns:
        The exit status.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback of these imports; `main` has its own
    from audiocnn.cli import main

    return main()


if __name__ == "__main__":
    raise SystemExit(main())
