"""Show every setting in force, and where it came from.

usage: tidegate [-f FILE ...] [--env-file FILE] settings [--env NAME] [--service NAME]

The inside's settings come first, then what was found of the Compose project: its files, the
backend, the database. What tidegate guessed is marked. --format json gives the same as a document.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from tidegate import discovery
from tidegate import settings as options
from tidegate.container.entry import Globals
from tidegate.container.report import Report, masked
from tidegate.contracts.target import Told
from tidegate.errors import UsageProblem
from tidegate.frontends.cli import outside

FORMATS = ("text", "json")


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text", glob.quiet)

    def work() -> int:
        found, _ = outside.parse("settings", argv, outside.TARGET)
        own = _own(glob.root, environ)
        told = {"tidegate": own}
        asked = outside.asked_of(glob, found, {})
        here = Path(glob.root)
        if asked != type(asked)() or discovery.target_signs(here):
            target = outside.target_of(glob, asked, environ, False)
            told["compose"] = list(target.told)
            here = Path(target.source) if target.source else here
        told["tidegate"] = _guessed(own, here, environ)
        print(_json(told) if glob.format == "json" else _text(told))
        return 0

    return outside.guarded(report, work, glob, argv)


def _own(root: str, environ: Mapping[str, str]) -> list[Told]:
    try:
        layers = ((options.from_environ(environ), "the environment"),
                  (options.from_file(root), "the project's file"))  # fmt: skip
    except options.BadSetting as error:
        raise UsageProblem(error.what, "", error.next) from None
    out = []
    for one in options.SETTINGS:
        value, source = next(
            ((layer[one.name], source) for layer, source in layers if one.name in layer),
            (one.default, "default"),
        )
        out.append(Told(one.name, value, source))
    return out


def _guessed(own: list[Told], root: Path, environ: Mapping[str, str]) -> list[Told]:
    """Fill in what nobody has set, and what the project itself tells."""
    named = next(one.value for one in own if one.name == "framework")
    try:
        project = discovery.find_project(root, environ, named)
    except UsageProblem:
        return own
    found = {"framework": (project.framework, f"found in {project.root}")}
    with contextlib.redirect_stdout(sys.stderr):  # what settings and env.py print
        try:
            aliases = ",".join(one.alias for one in project.connections())
            found["databases"] = (aliases, "all that its settings name")
        except Exception as error:  # whatever a project's own files may raise
            why = f"{type(error).__name__}: {error}".splitlines()[0]
            found["databases"] = ("", f"all; the project can't be asked here ({why[:80]})")
    return [
        Told(one.name, *found[one.name], True) if one.name in found and not one.value else one
        for one in own
    ]


def _text(told: Mapping[str, list[Told]]) -> str:
    lines = []
    for group, ones in told.items():
        lines.append(group)
        for one in ones:
            shown = masked(one.value.replace("\n", " ")) or "-"
            mark = "guessed: " if one.guessed else ""
            lines.append(f"  {one.name:<16} {shown:<30} {mark}{one.source}")
    return "\n".join(lines)


def _json(told: Mapping[str, list[Told]]) -> str:
    return json.dumps(
        {
            group: {
                one.name: {
                    "value": masked(one.value), "source": one.source, "guessed": one.guessed,
                }
                for one in ones
            }
            for group, ones in told.items()
        },
        indent=2,
    )  # fmt: skip
