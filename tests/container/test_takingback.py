"""The SQL that takes the half of a step back."""

from __future__ import annotations

import pytest

from tidegate.container.takingback import by_hand


@pytest.mark.parametrize(
    ("statements", "taken"),
    [
        (['ALTER TABLE "task" ADD COLUMN "half" varchar(10) DEFAULT \'a, b\' NOT NULL',
          'ALTER TABLE "task" ALTER COLUMN "half" DROP DEFAULT'],
         'ALTER TABLE "task" DROP COLUMN "half"'),
        (['CREATE TABLE "a" ("id" bigint NOT NULL)', 'CREATE INDEX "i" ON "a" ("id")',
          'ALTER TABLE "a" ADD CONSTRAINT "c" FOREIGN KEY ("id") REFERENCES "b" ("id")',
          'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS j ON shop.b (id)'],
         'DROP INDEX shop.j; DROP TABLE "a"'),
        (["ALTER TABLE a ADD COLUMN x numeric(10, 2)", "ALTER TABLE a ALTER COLUMN y SET NOT NULL"],
         ""),
        (["ALTER TABLE a ADD COLUMN x int, DROP COLUMN y"], ""),
        (["DROP TABLE a"], ""),
        (["CREATE TABLE a (id int)", "ALTER TABLE b RENAME TO c"], ""),
        ([], ""),
    ],
)  # fmt: skip
def test_only_what_follows_from_the_statements(statements: list[str], taken: str) -> None:
    """What was made is dropped, the last first; whatever else was changed is not guessed at."""
    assert by_hand("shop.0002_half", statements) == taken
    journal = "; DELETE FROM tidegate_part WHERE step = 'shop.0002_half'" if taken else ""
    assert by_hand("shop.0002_half", statements, "tidegate_part") == taken + journal
