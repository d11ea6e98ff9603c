"""`plan` and `apply` through the project's target: whether, and where a service's database is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate import discovery
from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.contracts.target import Target, find_service
from tidegate.errors import NotReady, UsageProblem
from tidegate.frontends.cli import outside
from tidegate.workflows.plan.here import Place
from tidegate.workflows.plan.project import Request
from tidegate.workflows.plan.there import There
from tidegate.workflows.update import standing

OPTIONS = {"--env": True, "--service": True, "--local": False}
HERE = ("--python",)  # names a Python of this machine


def services(
    glob: Globals, argv: Sequence[str], environ: Mapping[str, str], report: Report
) -> tuple[Target | None, list[str]]:
    """Return the target that the verb goes through, or None, and the words left for the verb.

    As for `status` and `migrate`: Compose files and Docker decide, unless somebody says.
    """
    found, rest = _taken(argv)
    local = "--local" in found or environ.get("TIDEGATE_LOCAL") in ("1", "true", "yes")
    if local or any(word.partition("=")[0] in HERE for word in rest):
        return None, rest
    said = bool(glob.files or found)
    if not said:
        engine = shutil.which("docker") or shutil.which("docker-compose")
        if not engine or not discovery.target_signs(Path(glob.root)):
            return None, rest
    try:
        target = outside.target_of(glob, outside.asked_of(glob, found, {}), environ, said)
    except UsageProblem as error:
        error.next = "\n".join([error.next, "or, to work without containers: --local"]).strip()
        raise
    if not target.backend:
        return None, rest
    report.secrets = target.secrets
    outside.guesses(target, report)
    return target, rest


def _taken(argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Take the options that choose the target out of argv."""
    found: dict[str, str] = {}
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag not in OPTIONS:
            rest.append(word)
        elif not OPTIONS[flag]:
            found[flag] = "yes"
        else:
            value = value if equals else next(words, "")
            if not value:
                raise UsageProblem(f"{flag} has no value", "", f"write {flag} VALUE")
            found[flag] = value
    return found, rest


def place(request: Request, target: Target, report: Report, stage: str = "plan") -> Place:
    """Return the project's containers as the place of a rehearsal, ready to start."""
    try:
        standing.prepared(target, target.backend, report)
    except NotReady as error:
        error.next = "\n".join([error.next, "or, to work without containers: --local"]).strip()
        raise
    return There(request, target, report, stage)


def inner(
    glob: Globals, service: str, environ: Mapping[str, str], target: Target | None
) -> tuple[str, str]:
    """Return where a service's database is for the project's own containers."""
    assert target is not None
    _find(target, service)
    return service, "5432"


def outer(
    glob: Globals, service: str, environ: Mapping[str, str], target: Target | None
) -> tuple[str, str]:
    """Return where a service's database is reached from this machine."""
    found = outside.target_of(glob, outside.asked_of(glob, {}, {}), environ, need_backend=False)
    _find(found, service)
    return found.address(service, 5432)


def _find(target: Target, service: str) -> None:
    find_service(
        target.services,
        service,
        "--against names a service or is a URL.",
        "name the database's service, or give postgresql://user:password@host:5432/name",
    )
