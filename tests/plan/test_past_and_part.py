"""Past a pooler, and behind a squash of which a part is deployed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.gate import Database
from support.postgres import PASSWORD, SUPERUSER, PgBouncer
from support.projects import SmallProject

Make = Callable[..., SmallProject]
PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


@pytest.fixture
def pooled(make_project: Make, deployed: Any) -> Iterator[tuple[SmallProject, Database, PgBouncer]]:
    """A project with a step pending, its database, and a pooler for it."""
    if PROGRAM is None:
        pytest.skip("PgBouncer is not installed")
    project = make_project("alembic")
    database = deployed(project)
    project.add("ALTER TABLE made_1 ADD COLUMN more integer")
    pooler = PgBouncer(PROGRAM, database.server, {SUPERUSER: PASSWORD}, "transaction")
    yield project, database, pooler
    pooler.stop()


@pytest.mark.parametrize("passes", [False, True])
def test_a_pooler_is_not_dumped_through(
    pooled: tuple[SmallProject, Database, PgBouncer], plan: Any, passes: bool
) -> None:
    """pg_dump would leave the app's own sessions without a search path: a pooler is refused, also
    one that lets a login's options pass, and the way past it is taken where it is named."""
    project, database, pooler = pooled
    if passes:
        with pooler.config.open("a") as file:
            file.write("ignore_startup_parameters = options\n")
    pooler.start()
    url = database.url.replace(f":{database.server.port}/", f":{pooler.port}/")
    refused = plan(project, url).ended
    assert refused.code == 4, refused.said
    assert "is a connection pooler" in refused.err and "TIDEGATE_DIRECT_URL" in refused.err
    found = plan(project, url, TIDEGATE_DIRECT_URL=database.url)
    assert found.ended.code == 0, found.ended.said
    assert found.document["steps"][0]["applied"]


SQL = """\
from django.db import migrations
class Migration(migrations.Migration):
    dependencies = {needs}
    replaces = {replaces}
    operations = [migrations.RunSQL({up!r}, {down!r})]
"""


def test_a_squash_of_which_a_part_is_deployed(make_project: Make, deployed: Any, plan: Any) -> None:
    """What is missing of its parts comes before what needs the squash; as Django takes the whole
    squash for applied then, and takes it back as a whole, no way back is said to differ."""
    project = make_project("django", steps=1)
    database = deployed(project)
    folder = project.root / "shop" / "migrations"
    add, drop = "ALTER TABLE made_1 ADD COLUMN {} int", "ALTER TABLE made_1 DROP COLUMN {}"
    texts = {
        "0000_new": SQL.format(needs=[("shop", "0002_squash")], replaces=[], up=add.format("b"),
                               down=drop.format("b")),
        "0002_more": SQL.format(needs=[("shop", "0001_step")], replaces=[], up=add.format("a"),
                                down=drop.format("a")),
        "0002_squash": SQL.format(needs=[], replaces=[("shop", "0001_step"), ("shop", "0002_more")],
                                  up="CREATE TABLE made_1 (id int, a int)",
                                  down="DROP TABLE made_1"),
    }  # fmt: skip
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    found = plan(project, database.url)
    steps = [step["id"] for step in found.document["steps"]]
    assert steps == ["shop.0002_more", "shop.0000_new"], found.ended.said
    assert not found.found("down-differs")
    assert "Django takes that back as a whole" in found.ended.out
