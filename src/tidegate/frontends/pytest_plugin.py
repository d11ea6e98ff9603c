"""`pytest --tidegate`: the review of the project's migrations as a test.

Loaded by pytest wherever tidegate is installed, so it imports nothing until it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    group = parser.getgroup("tidegate")
    group.addoption(
        "--tidegate", action="store_true", help="review the project's migrations (tidegate check)"
    )


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add one test for the review."""
    if config.getoption("--tidegate"):
        files = Review.from_parent(session, name="tidegate")
        items.extend(files.collect())


class Review(pytest.Collector):
    """Holds the one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield it."""
        yield Check.from_parent(self, name="check")


class Refused(Exception):
    """The review has something to say against the migrations."""


class Check(pytest.Item):
    """Fails with the report when a finding is as grave as the settings' `fail-on`."""

    def runtest(self) -> None:
        """Review the project at pytest's root folder."""
        from tidegate import discovery
        from tidegate.workflows.check.review import review
        from tidegate.workflows.check.settings import load

        root = str(self.config.rootpath)
        found = review(root)
        if found.at_least(load(root).fail_on):
            raise Refused(discovery.reporter("text").render(found, False))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Return the report alone, without a traceback."""
        if isinstance(excinfo.value, Refused):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Say what the test is."""
        return self.config.rootpath, None, "tidegate check"
