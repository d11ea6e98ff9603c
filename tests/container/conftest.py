"""Every framework on every kind of database: what the gate's tests run on unless they say so.

The oldest server is for those tests that say `every_database`, and for those of the protocol.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.gate import Database
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]


@pytest.fixture(params=["newest", "sqlite"])
def database(request: pytest.FixtureRequest, fresh: Fresh) -> Database:
    return fresh(request.param)


@pytest.fixture(params=["django", "alembic"])
def project(request: pytest.FixtureRequest, make_project: MakeProject) -> SmallProject:
    return make_project(request.param)
