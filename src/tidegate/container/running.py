"""Run a command of the inside: signals watched, every error one message and one exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidegate import settings as options
from tidegate._version import __version__
from tidegate.container import outlet
from tidegate.container.blaming import blamed
from tidegate.container.report import Report, masked
from tidegate.container.signals import Signals
from tidegate.container.typos import mistyped
from tidegate.errors import RefusedForGood, Stopped, TidegateError, UsageProblem
from tidegate.model.readiness import Permanent, Transient


def settings_for(
    root: str, environ: Mapping[str, str], argv: Sequence[str], allowed: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Return the settings in force, and what of argv is not an option."""
    if not os.path.isdir(root):
        raise UsageProblem(
            f"{root} is not a folder", "", "name the project's folder with --project DIR"
        )
    try:
        flags, rest = options.from_argv(argv, allowed)
        layers = (options.from_file(root), options.from_environ(environ), flags)
    except options.BadSetting as error:
        raise UsageProblem(error.what, "", error.next) from None
    return options.effective(*layers), rest


def guarded(
    report: Report, work: Callable[[Signals], int], command: str = "", loads: bool = False
) -> int:
    """Run `work`; turn what it raises into lines and the contract's exit code.

    With `loads` it runs the project's own code, which must not print into our stdout.

    With `command`, what it did is written as metrics, where a folder for them is named, and sent
    as spans, where OTEL_* says to whom.
    """
    if loads:
        for said in mistyped(os.environ):
            report.warn(said)
    writers: list[Any] = []
    if command and os.environ.get("TIDEGATE_METRICS_DIR"):
        from tidegate.container.metrics import Metrics

        writers.append(Metrics(command, report, os.environ))
    if command and any(name.startswith("OTEL_EXPORTER_OTLP") for name in os.environ):
        from tidegate.container.traces import listening

        writers += [found for found in [listening(command, report)] if found]
    if loads:
        with outlet.Diverted():
            code = _guarded(report, work)
    else:
        code = _guarded(report, work)
    for writer in writers:
        writer.write(code)
    return code


def _guarded(report: Report, work: Callable[[Signals], int]) -> int:
    signals = Signals().install()
    try:
        return work(signals)
    except Stopped as stop:
        stands = stop.stands or "nothing was left half done by us"
        report.stage("stop", "", f"signal {stop.signum}: {stands}")
        return stop.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise  # `| head` has seen enough: __main__ ends for all verbs alike
    except TidegateError as error:
        report.error(error.lines(), error.exit_code)
        return error.exit_code
    except Permanent as error:
        refused = RefusedForGood(error.what, error.meaning, error.next)
        report.error(refused.lines(), refused.exit_code)
        return refused.exit_code
    except Transient as error:
        report.error(_unanswered(error), 3)
        return 3
    except Exception as error:
        if signals.stopped:
            return 128 + signals.stopped
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            where = f" ({error.filename})" if error.filename else ""
            report.error([f"a disk is full{where}", "  next: make room, then start again"], 5)
            return 5
        return _project_or_bug(report, error)


def _unanswered(error: Transient) -> list[str]:
    if not error.where:
        return [f"a server went away: {error.reason}", "  next: start again"]
    return [
        f"{error.where} does not answer: {error.reason}",
        "  next: see whether it runs and can be reached from here, or correct its address",
    ]


def _project_or_bug(report: Report, error: Exception) -> int:
    """An error out of the project's own files is the user's to mend; any other is ours."""
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    theirs = blamed(error, own, report.secrets, os.environ)
    if theirs is not None:
        report.error(theirs.lines(), theirs.exit_code)
        return theirs.exit_code
    text = masked(f"{type(error).__name__}: {error}", report.secrets)
    report.error(
        [
            f"a bug in tidegate: {text}",
            f"  A log that can be pasted into an issue: {_log(error, report)}",
        ],
        70,
    )
    return 70


def _log(error: Exception, report: Report) -> str:
    import tempfile
    import traceback

    lines = "".join(traceback.format_exception(error))
    head = f"tidegate {__version__}, Python {sys.version.split()[0]}, {sys.platform}\n\n"
    with tempfile.NamedTemporaryFile(
        "w", prefix="tidegate-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        file.write(head + "```\n" + masked(lines, report.secrets) + "```\n")
    return file.name
