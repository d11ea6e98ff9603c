"""Show every setting in force, and where it came from.

usage: tidegate [-f FILE ...] [--env-file FILE] settings [--env NAME] [--service NAME]

The inside's settings come first, then what was found of the Compose project: its files, the
backend, the database. What tidegate guessed is marked. --format json gives the same as a document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tidegate import discovery
from tidegate import settings as options
from tidegate.container.entry import Globals
from tidegate.container.report import Report, masked
from tidegate.contracts.target import Told
from tidegate.errors import UsageProblem
from tidegate.frontends.cli import outside


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text", glob.quiet)

    def work() -> int:
        found, _ = outside.parse("settings", argv, outside.TARGET)
        told = {"tidegate": _own(glob.root, environ)}
        asked = outside.asked_of(glob, found, {})
        if asked != type(asked)() or discovery.target_signs(Path(glob.root)):
            told["compose"] = list(outside.target_of(glob, asked, environ, False).told)
        print(_json(told) if glob.format == "json" else _text(told))
        return 0

    return outside.guarded(report, work)


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
