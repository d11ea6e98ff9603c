"""Hands argv over: `boot` and `health` take the short way, all else the command line."""

from __future__ import annotations

import os
import sys
import time


def main(argv: list[str] | None = None) -> int:
    """Run tidegate; return the exit code."""
    began = time.monotonic()
    _open_closed()
    given = sys.argv[1:] if argv is None else argv
    if "boot" in given or "health" in given:
        from tidegate.container.entry import split_globals

        glob, verb, rest = split_globals(given)
        asks = {"-h", "--help"} & set(rest[: rest.index("--")] if "--" in rest else rest)
        if verb == "boot" and not glob.problem and not asks:
            from tidegate.container.entry import run_boot

            return run_boot(glob, rest, began, dict(os.environ))
        if verb == "health" and not glob.problem and not asks:
            from tidegate.container.health.probing import probe

            return probe(glob, rest, os.environ)
    from tidegate.frontends.cli.main import main as command_line

    try:
        code = command_line(given, began)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + 13


def _open_closed() -> None:
    """Give a standard stream that was closed (`>&-`) /dev/null.

    Else the first file or connection that is opened takes its number, and what is printed goes
    there. Such a descriptor does not outlive exec: the command finds the stream as it was given.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def entry() -> None:
    """Run as the main function of a zip archive, whose caller drops what it returns."""
    sys.exit(main())


if __name__ == "__main__":
    sys.exit(main())
