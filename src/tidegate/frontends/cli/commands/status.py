"""Show where the code and each database stand.

usage: tidegate status [--check] [--env NAME] [--service NAME] [--local] [--format text|json]

--check exits with 1 unless every database is current. Where the project has Compose files and
Docker is there, the services are shown too and the databases are asked from the backend's image;
--local (or TIDEGATE_LOCAL=1) asks from here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate.container.describing import advice, described
from tidegate.container.entry import Globals
from tidegate.container.envfile import with_file
from tidegate.container.gate import Gate, open_gate
from tidegate.container.outlet import answer
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.container.static import root_of
from tidegate.errors import UsageProblem
from tidegate.frontends.cli.handover import handed_over

FORMATS = ("text", "json")


def run(glob: Globals, argv: list[str], began: float, given: Mapping[str, str]) -> int:
    """Run the verb."""
    code, argv = handed_over("status", glob, argv, given)
    if code is not None:
        return code
    report = Report(glob.format, glob.quiet)

    def work(signals: Signals) -> int:
        environ = with_file(glob.env_path, given)
        check = "--check" in argv
        rest = [word for word in argv if word != "--check"]
        settings, rest = settings_for(glob.root, environ, rest, ("databases", "framework"))
        if rest:
            raise UsageProblem(f"status does not take {rest[0]}", "", "tidegate status --help")
        gate = open_gate(Path(glob.root), environ, settings)
        report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
        databases = [described(gate, one) for one in gate.connections]
        found = {
            "project": {
                "framework": gate.project.framework,
                "root": str(gate.project.root),
                "static": _static_root(gate),
            },
            "databases": databases,
            "services": [],
            "next": advice(databases, gate.project.framework),
        }
        answer(json.dumps(found, indent=2) if glob.format == "json" else _text(found))
        return 1 if check and any(one["state"] != "current" for one in databases) else 0

    return guarded(report, work, loads=True)


def _static_root(gate: Gate) -> str:
    """Return where static files are collected to; a project that can't say collects nothing."""
    try:
        return root_of(gate.project, gate.sealed_static)
    except Exception:  # whatever the project's own settings raise: it is no question of status
        return ""


def _text(found: Mapping[str, Any]) -> str:
    lines = [f"{found['project']['framework']} project at {found['project']['root']}"]
    for one in found["databases"]:
        lines.append(f"{one['alias']:<12}{one['vendor']:<12}{one['where']}")
        counts = f": {one['applied']} applied, {len(one['pending'])} pending"
        lines.append(f"  {one['state']}{counts if one['state'] != 'unreachable' else ''}")
        if one["why"]:
            lines.append(f"  why        {one['why']}")
        for key in ("pending", "partly", "half", "unknown", "edited", "missing"):
            lines += [f"  {key:<10} {step}" for step in one.get(key, ())]
        lines += [f"  {'not joined':<10} {', '.join(ends)}" for ends in one.get("conflicts", ())]
        heads = one["heads"]
        if found["project"]["framework"] == "alembic" and len(heads) > 1:
            lines.append(f"  heads      {', '.join(heads)}")
    return "\n".join([*lines, f"next: {found['next']}"])
