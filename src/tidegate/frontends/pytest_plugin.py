"""`pytest --tidegate`: what is to be proved of a project's migrations, as tests.

`heads` and `check` read the files; `up_down_up` and `drift` run the migrations on a scratch
database, so they take longer. Loaded by pytest wherever tidegate is installed, so it imports
nothing until it is asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tidegate.model.finding import Findings
    from tidegate.workflows.plan.project import Request

GRAPH = ("several-heads", "dependency-cycle", "missing-dependency", "same-number",
         "unreadable-file")  # fmt: skip
WAYS = ("step-fails", "down-fails", "second-up-fails", "down-differs")
OPTIONS = {
    "--tidegate-scratch": ("URL", "a PostgreSQL server for the scratch databases of --tidegate"),
    "--tidegate-database": ("ALIAS", "the database of the project that --tidegate is about"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("tidegate")
    group.addoption(
        "--tidegate",
        action="store_true",
        help="test the project's migrations: heads, check, up_down_up, drift",
    )
    for name, (value, text) in OPTIONS.items():
        group.addoption(name, metavar=value, default="", help=text)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the tests. This runs before pytest's own, which leaves out what -k does not name."""
    if config.getoption("--tidegate"):
        items.extend(Migrations.from_parent(session, name="tidegate").collect())


class Migrations(pytest.Collector):
    """Holds the tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield them, the quick ones first."""
        for name, work in (
            ("heads", _heads), ("check", _check), ("up_down_up", _ways), ("drift", _drift),
        ):  # fmt: skip
            yield Proof.from_parent(self, name=name, work=work)


class Refused(Exception):
    """There is something to say against the migrations."""


class Proof(pytest.Item):
    """Fails with the report when a finding is as grave as the settings' `fail-on`."""

    def __init__(self, *, work: Callable[[Proof], Findings], **more: Any) -> None:
        super().__init__(**more)
        self.work = work

    def runtest(self) -> None:
        """Look at the project at pytest's root folder."""
        from tidegate import discovery
        from tidegate.errors import TidegateError
        from tidegate.workflows.check.settings import load

        try:
            found = self.work(self)
            # a way that fails is what up_down_up is about, whatever a plan says of it
            lowest = "info" if self.work is _ways else load(str(self.config.rootpath)).fail_on
        except TidegateError as error:
            text = "\n".join(error.lines())
            for name in OPTIONS:  # the commands' own names are without our prefix
                text = text.replace(name.replace("--tidegate-", "--") + " ", name + " ")
            raise Refused(text) from None
        if found.at_least(lowest):
            raise Refused(discovery.reporter("text").render(found, False))

    def request(self, **more: Any) -> Request:
        """Return what is asked of a rehearsal: by this Python, which is the project's."""
        from tidegate.settings import from_file
        from tidegate.workflows.plan.project import Request

        root = self.config.rootpath
        return Request(
            root,
            dict(os.environ),
            database=self.config.getoption("--tidegate-database"),
            server=self.config.getoption("--tidegate-scratch"),
            python=sys.executable,
            framework=from_file(str(root)).get("framework", ""),
            **more,
        )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Return the report alone, without a traceback."""
        if isinstance(excinfo.value, Refused):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Say what the test is."""
        return self.config.rootpath, None, f"tidegate {self.name}"


def _heads(proof: Proof) -> Findings:
    """One way through the files, from the first to one last."""
    return _reviewed(proof, lambda rule: rule in GRAPH)


def _check(proof: Proof) -> Findings:
    """What the rules say of each file."""
    return _reviewed(proof, lambda rule: rule not in GRAPH)


def _reviewed(proof: Proof, about: Callable[[str], bool]) -> Findings:
    from tidegate.workflows.check.review import review

    return _some(review(str(proof.config.rootpath)), about)


def _some(found: Findings, about: Callable[[str], bool]) -> Findings:
    """Return the findings of some rules; the summary would count the others as well."""
    from dataclasses import replace

    return replace(found, findings=tuple(o for o in found.findings if about(o.rule)), summary="")


def _ways(proof: Proof) -> Findings:
    """All steps up, down and up again, on an empty scratch database."""
    from tidegate.workflows.plan.document import findings
    from tidegate.workflows.plan.story import rehearse

    found = findings(rehearse(proof.request(start="zero"), lambda text: None))
    rehearsal = found.extra["rehearsal"]
    found = _some(found, lambda rule: rule in WAYS)
    if rehearsal["roundtrip"] == "skipped" and not found.findings and found.extra["steps"]:
        pytest.skip(f"up, but not down: {rehearsal['why']}")
    return found


def _drift(proof: Proof) -> Findings:
    """Models that no migration makes, or that the migrations make otherwise."""
    from tidegate.workflows.check.settings import load
    from tidegate.workflows.drift.story import drift, graded

    level = load(str(proof.config.rootpath)).level
    return graded(drift(proof.request(), lambda text: None), level)
