"""`check --drift`: its options, and how it is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tidegate.container.entry import Globals
from tidegate.errors import UsageProblem
from tidegate.frontends.cli import outside
from tidegate.frontends.cli.outside import Option
from tidegate.model.finding import SEVERITIES, Findings
from tidegate.settings import from_file

OPTIONS = (
    Option("--drift"),
    Option("--against", True),
    Option("--database", True),
    Option("--scratch", True),
    Option("--python", True),
    Option("--fail-on", True),
)


REVIEWED = ("--since", "--pending", "--plan", "--write-baseline", "--no-baseline")


def asked(argv: Sequence[str]) -> bool:
    """Return whether the command line asks for it. Raises UsageProblem for half of it."""
    if any(word.partition("=")[0] == "--against" for word in argv) and "--drift" not in argv:
        raise UsageProblem(
            "--against belongs to --drift",
            "It names the database that is compared with the migrations.",
            "write: tidegate check --drift --against URL",
        )
    if "--drift" not in argv:
        return False
    _refuse_others(argv)
    return True


def _refuse_others(argv: Sequence[str]) -> None:
    """Raise for what belongs to a review of files: drift is about the project as a whole."""
    for number, word in enumerate(argv):
        flag = word.partition("=")[0]
        if flag in ("--fix", "--unsafe", "--yes"):
            raise UsageProblem(
                f"--drift and {flag} don't go together",
                "What the models have and no migration makes is no fault of a file that is there: "
                "it takes a new one.",
                'tidegate check --drift shows it; tidegate make -m "what changed" makes it',
            )
        before = argv[number - 1] if number else ""
        value = before.startswith("--") and "=" not in before and before != "--drift"
        if flag in REVIEWED or not (value or word.startswith("-")):
            raise UsageProblem(
                f"--drift and {flag} don't go together",
                "Drift is between the models and all migrations, not in some of them.",
                "tidegate check --drift",
            )


def found(
    glob: Globals, argv: Sequence[str], environ: Mapping[str, str], say: Callable[[str], None]
) -> tuple[Findings, str]:
    """Return what has drifted, as grave as the settings say, and what is too grave to pass."""
    from tidegate.workflows.check.settings import load
    from tidegate.workflows.drift.story import drift, graded
    from tidegate.workflows.plan.project import Request

    said, _ = outside.parse("check", argv, OPTIONS)
    asked = said.get("--fail-on", "")
    if asked and asked not in SEVERITIES:
        raise UsageProblem(
            f"--fail-on is {asked!r}", "", "use one of: " + ", ".join(reversed(SEVERITIES))
        )
    settings = load(glob.root)
    root = Path(glob.root).resolve()
    framework = from_file(str(root)).get("framework", "")
    wanted = Request(
        root,
        environ,
        said.get("--database", ""),
        said.get("--against", ""),
        server=said.get("--scratch", ""),
        python=said.get("--python", ""),
        framework=framework,
    )
    drifted = drift(wanted, say)
    return graded(drifted, settings.level), asked or settings.fail_on
