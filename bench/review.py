"""How fast `tidegate check` is, and what it names, on a generated history with labelled hazards.

usage: python bench/review.py [--files N] [--seed N] [--keep DIR] [--zdm PROGRAM]

Writes a Django project and an Alembic environment of N migrations each, state-tracked, so that
every file would apply to a real server: about half of them harmless, the rest one labelled hazard
each. Prints the CPU seconds of a cold review, the wall time of a review after one file changed,
for each label the share that was named, and the findings on harmless files.

--zdm names the program of the linter zdm (PyPI), which is then run at its defaults in the same
folders: its CPU seconds, and for each label the files on which it says anything at all.
Other linters need a project and a database: bench/peers.py, on what --keep has left.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROUNDS = 5


class Step(NamedTuple):
    """One migration: its operation in both languages and the rule that should name it."""

    django: str
    alembic: str
    label: str = ""  # "" means harmless
    atomic: bool = True
    back: str = "pass"  # Alembic's downgrade()


class Tables:
    """The state: which tables, columns and indexes there are after each step."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.columns: dict[int, dict[str, str]] = {}
        self.sizes: dict[tuple[int, str], int] = {}
        self.checked: set[tuple[int, str]] = set()
        self.count = 0

    def name(self, kind: str) -> str:
        """Return a name that was not used before."""
        self.count += 1
        return f"{kind}{self.count}"

    def pick(self, type: str = "") -> tuple[int, str]:
        """Return a table, and a nullable column of it of that type, made where there is none."""
        found = [
            (table, name)
            for table, columns in self.columns.items()
            for name, kind in columns.items()
            if kind == type
        ]
        return self.random.choice(found) if found else (-1, "")


def create(tables: Tables) -> Step:
    """A new table with an index in the same file."""
    number = len(tables.columns)
    tables.columns[number] = {"a": "int", "b": "text", "c": "char", "d": "int", "e": "text"}
    tables.sizes[number, "c"] = 40
    django = f"""migrations.CreateModel(
    name="Item{number}",
    fields=[
        ("id", models.BigAutoField(primary_key=True, serialize=False)),
        ("a", models.IntegerField(null=True)),
        ("b", models.TextField(blank=True, null=True, verbose_name="the b")),
        ("c", models.CharField(max_length=40, null=True)),
        ("d", models.IntegerField(null=True)),
        ("e", models.TextField(null=True)),
    ],
    options={{"ordering": ["id"]}},
),
migrations.AddIndex(
    model_name="item{number}", index=models.Index(fields=["a"], name="item{number}_a")
),"""
    alembic = f"""op.create_table(
    "shop_item{number}",
    sa.Column("id", sa.BigInteger(), primary_key=True),
    sa.Column("a", sa.Integer(), nullable=True),
    sa.Column("b", sa.Text(), nullable=True),
    sa.Column("c", sa.String(length=40), nullable=True),
    sa.Column("d", sa.Integer(), nullable=True),
    sa.Column("e", sa.Text(), nullable=True),
)
op.create_index("item{number}_a", "shop_item{number}", ["a"])"""
    back = (
        f'op.drop_index("item{number}_a", "shop_item{number}")\nop.drop_table("shop_item{number}")'
    )
    return Step(django, alembic, back=back)


def add_nullable(tables: Tables) -> Step:
    """A nullable column."""
    table = tables.random.choice(list(tables.columns))
    name = tables.name("n")
    tables.columns[table][name] = "text"
    return Step(
        f"""migrations.AddField(
    model_name="item{table}", name="{name}", field=models.TextField(blank=True, null=True)
),""",
        f'op.add_column("shop_item{table}", sa.Column("{name}", sa.Text(), nullable=True))',
        back=f'op.drop_column("shop_item{table}", "{name}")',
    )


def widen(tables: Tables) -> Step:
    """A longer varchar; a check of the column is proved again."""
    table, name = tables.pick("char")
    tables.sizes[table, name] += 10
    size = tables.sizes[table, name]
    return Step(
        f"""migrations.AlterField(
    model_name="item{table}", name="{name}", field=models.CharField(max_length={size}, null=True)
),""",
        f'op.alter_column("shop_item{table}", "{name}", type_=sa.String(length={size}))',
        "type-change-proves-checks" if (table, name) in tables.checked else "",
        back=f'op.alter_column("shop_item{table}", "{name}", type_=sa.String({size - 10}))',
    )


def concurrent(tables: Tables) -> Step:
    """An index built concurrently."""
    table, name = tables.pick("int")
    index = tables.name("ix_")
    return Step(
        f"""AddIndexConcurrently(
    model_name="item{table}", index=models.Index(fields=["{name}"], name="{index}")
),""",
        f"""with op.get_context().autocommit_block():
    op.create_index(
        "{index}", "shop_item{table}", ["{name}"], postgresql_concurrently=True
    )""",
        atomic=False,
        back=f'op.drop_index("{index}", "shop_item{table}")',
    )


def words(tables: Tables) -> Step:
    """A change that the database never hears of; in Alembic, a comment."""
    table, name = tables.pick("text")
    label = tables.name("words ")
    return Step(
        f"""migrations.AlterField(
    model_name="item{table}",
    name="{name}",
    field=models.TextField(blank=True, null=True, help_text="{label}"),
),""",
        f"op.execute(\"COMMENT ON COLUMN shop_item{table}.{name} IS '{label}'\")",
        back=f'op.execute("COMMENT ON COLUMN shop_item{table}.{name} IS NULL")',
    )


def index(tables: Tables) -> Step:
    """An index built without CONCURRENTLY."""
    table, name = tables.pick("int")
    made = tables.name("ix_")
    return Step(
        f"""migrations.AddIndex(
    model_name="item{table}", index=models.Index(fields=["{name}"], name="{made}")
),""",
        f'op.create_index("{made}", "shop_item{table}", ["{name}"])',
        "index-without-concurrently",
        back=f'op.drop_index("{made}", "shop_item{table}")',
    )


def drop(tables: Tables) -> Step:
    """A column dropped."""
    table, name = tables.pick("text")
    del tables.columns[table][name]
    return Step(
        f'migrations.RemoveField(model_name="item{table}", name="{name}"),',
        f'op.drop_column("shop_item{table}", "{name}")',
        "column-dropped",
        back=f'op.add_column("shop_item{table}", sa.Column("{name}", sa.Text()))',
    )


def rename(tables: Tables) -> Step:
    """A column renamed."""
    table, name = tables.pick("text")
    new = tables.name("r")
    tables.columns[table][new] = tables.columns[table].pop(name)
    return Step(
        f"""migrations.RenameField(
    model_name="item{table}", old_name="{name}", new_name="{new}"
),""",
        f'op.alter_column("shop_item{table}", "{name}", new_column_name="{new}")',
        "column-renamed",
        back=f'op.alter_column("shop_item{table}", "{new}", new_column_name="{name}")',
    )


def not_null(tables: Tables) -> Step:
    """SET NOT NULL."""
    table, name = tables.pick("text")
    tables.columns[table][name] = "text!"
    return Step(
        f'migrations.AlterField("item{table}", "{name}", models.TextField()),',
        f'op.alter_column("shop_item{table}", "{name}", nullable=False)',
        "not-null-scans",
        back=f'op.alter_column("shop_item{table}", "{name}", nullable=True)',
    )


def retype(tables: Tables) -> Step:
    """An integer becomes a bigint."""
    table, name = tables.pick("int")
    if table < 0:
        return add_nullable(tables)
    tables.columns[table][name] = "bigint"
    return Step(
        f"""migrations.AlterField(
    model_name="item{table}", name="{name}", field=models.BigIntegerField(null=True)
),""",
        f'op.alter_column("shop_item{table}", "{name}", type_=sa.BigInteger())',
        "type-change-rewrites",
        back=f'op.alter_column("shop_item{table}", "{name}", type_=sa.Integer())',
    )


def unique(tables: Tables) -> Step:
    """A unique constraint."""
    table, name = tables.pick("char")
    made = tables.name("uq_")
    return Step(
        f"""migrations.AddConstraint(
    model_name="item{table}",
    constraint=models.UniqueConstraint(fields=["{name}"], name="{made}"),
),""",
        f'op.create_unique_constraint("{made}", "shop_item{table}", ["{name}"])',
        "unique-builds-index",
        back=f'op.drop_constraint("{made}", "shop_item{table}")',
    )


def check(tables: Tables) -> Step:
    """A check constraint that is validated at once."""
    table, name = tables.pick("char")
    made = tables.name("ck_")
    tables.checked.add((table, name))
    return Step(
        f"""migrations.AddConstraint(
    model_name="item{table}",
    constraint=models.CheckConstraint(condition=~models.Q({name}=""), name="{made}"),
),""",
        f'op.create_check_constraint("{made}", "shop_item{table}", "{name} <> \'\'")',
        "check-validates",
        back=f'op.drop_constraint("{made}", "shop_item{table}")',
    )


def required(tables: Tables) -> Step:
    """A NOT NULL column whose default the database does not keep."""
    table = tables.random.choice(list(tables.columns))
    name = tables.name("q")
    return Step(
        f"""migrations.AddField(
    model_name="item{table}", name="{name}", field=models.IntegerField(default=0)
),""",
        f"""op.add_column(
    "shop_item{table}", sa.Column("{name}", sa.Integer(), nullable=False, server_default="0")
)
op.alter_column("shop_item{table}", "{name}", server_default=None)""",
        "required-column-without-database-default",
        back=f'op.drop_column("shop_item{table}", "{name}")',
    )


def update(tables: Tables) -> Step:
    """Every row written by one statement."""
    table, name = tables.pick("text")
    statement = f"UPDATE shop_item{table} SET {name} = 'x'"
    return Step(
        f'migrations.RunSQL("{statement}", migrations.RunSQL.noop),',
        f'op.execute("{statement}")',
        "whole-table-written",
    )


HARMLESS = (create, add_nullable, add_nullable, widen, concurrent, words)
HAZARDS = (index, drop, rename, not_null, retype, unique, check, required, update)


def history(files: int, seed: int) -> list[Step]:
    """Return the steps, the first of them a table."""
    tables = Tables(seed)
    steps = [create(tables), create(tables)]
    while len(steps) < files:
        kinds = HARMLESS if tables.random.random() < 0.5 else HAZARDS
        if tables.pick("int")[0] < 0 or tables.pick("text")[0] < 0:
            steps.append(create(tables))
        else:
            steps.append(tables.random.choice(kinds)(tables))
    return steps


def write(steps: list[Step], root: Path) -> dict[str, str]:
    """Write both projects; return path -> label."""
    labels = {}
    shop = root / "django" / "shop" / "migrations"
    versions = root / "alembic" / "migrations" / "versions"
    for folder in (shop, versions):
        folder.mkdir(parents=True)
    (shop / "__init__.py").write_text("")
    for name in ("env.py", "script.py.mako"):
        (versions.parent / name).write_text("")
    for one in ("django", "alembic"):
        (root / one / "tidegate.toml").write_text('[check]\ndatabase = "postgresql"\n')
    for number, step in enumerate(steps, 1):
        body = step.django.replace("\n", "\n        ")
        need = f'("shop", "{number - 1:04d}_step")' if number > 1 else ""
        text = (
            "# Generated by Django 5.2\n\n"
            "from django.contrib.postgres.operations import AddIndexConcurrently\n"
            "from django.db import migrations, models\n\n\n"
            "class Migration(migrations.Migration):\n"
            + ("" if step.atomic else "    atomic = False\n")
            + f"    dependencies = [\n        {need}\n    ]\n\n    operations = [\n"
            + f"        {body}\n    ]\n"
        )
        (shop / f"{number:04d}_step.py").write_text(text)
        labels[f"shop/migrations/{number:04d}_step.py"] = step.label
        down = f'"{number - 1:012x}"' if number > 1 else "None"
        body, back = (text.replace("\n", "\n    ") for text in (step.alembic, step.back))
        text = (
            f'"""step {number}\n\nRevision ID: {number:012x}\n"""\n\nimport sqlalchemy as sa\n'
            f'from alembic import op\n\nrevision = "{number:012x}"\ndown_revision = {down}\n'
            f"branch_labels = None\ndepends_on = None\n\n\ndef upgrade() -> None:\n    {body}\n\n\n"
            f"def downgrade() -> None:\n    {back}\n"
        )
        (versions / f"{number:012x}_step.py").write_text(text)
        labels[f"migrations/versions/{number:012x}_step.py"] = step.label
    return labels


def timed(command: list[str], where: Path, cache: str) -> tuple[float, float, str]:
    """Return CPU seconds, wall seconds and what was printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    environ = {**os.environ, "TIDEGATE_CACHE": cache}
    done = subprocess.run(command, cwd=where, env=environ, capture_output=True, text=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, wall, done.stdout


def measure(where: Path, labels: dict[str, str]) -> None:
    """Print what one project costs and what is named in it."""
    command = [sys.executable, "-m", "tidegate", "check", "--format", "json"]
    timed(command, where, "off")
    cold = sorted(timed(command, where, "off")[0] for _ in range(ROUNDS))[ROUNDS // 2]
    cache = str(where.parent / f"cache-{where.name}")
    out = timed(command, where, cache)[2]
    path = sorted(where.rglob("*step.py"))[-1]
    warm, named = [], [*command, path.relative_to(where).as_posix()]
    for _ in range(ROUNDS):
        with path.open("a") as file:
            file.write("# changed\n")
        warm.append(timed(named, where, cache)[:2])
    cpu, wall = (sorted(times)[ROUNDS // 2] for times in zip(*warm, strict=True))
    print(
        f"{where.name}: cold {cold:.2f} CPU s; one changed file, warm {cpu:.2f} CPU s, {wall:.3f} s"
    )
    found: dict[str, set[str]] = {}
    grave: Counter[str] = Counter()
    for row in json.loads(out)["findings"]:
        found.setdefault(row["path"], set()).add(row["rule"])
        if row["severity"] != "info":
            grave[row["path"]] += 1
    named_at = {path: set(rules) for path, rules in found.items()}
    table(where, labels, lambda path, label: label in named_at.get(path, ()))
    quiet = harmless(where, labels)
    false = sum(grave[path] for path in quiet)
    print(f"  {'errors and warnings on harmless files':<42} {false:>4} of {len(quiet)}")


def harmless(where: Path, labels: dict[str, str]) -> list[str]:
    """Return the paths of a project whose label is empty."""
    return [path for path, own in labels.items() if not own and (where / path).exists()]


def table(where: Path, labels: dict[str, str], says: Callable[[str, str], bool]) -> None:
    """Print for each label the number of files for which `says(path, label)`."""
    ours = {path: label for path, label in labels.items() if (where / path).exists()}
    for label in sorted(set(ours.values()) - {""}):
        paths = [path for path, own in ours.items() if own == label]
        hit = sum(says(path, label) for path in paths)
        print(f"  {label:<42} {hit:>4} of {len(paths)}")


def run_zdm(program: str, where: Path, labels: dict[str, str]) -> None:
    """Print what zdm costs and on which files it says anything."""
    cpu, _, out = timed([program, "--output-format", "json", "."], where, "off")
    rows = json.loads(out)["diagnostics"]
    said = {row["path"].removeprefix("./") for row in rows}
    grave = [row["path"].removeprefix("./") for row in rows if row["severity"] != "info"]
    print(f"zdm on {where.name}: {cpu:.2f} CPU s; files on which it says anything:")
    table(where, labels, lambda path, label: path in said)
    quiet = set(harmless(where, labels))
    false = sum(path in quiet for path in grave)
    print(f"  {'errors and warnings on harmless files':<42} {false:>4} of {len(quiet)}")


def main(argv: list[str]) -> int:
    """Run the bench."""
    files, seed, keep, zdm = 1000, 7, "", ""
    while argv:
        word = argv.pop(0)
        if word == "--files":
            files = int(argv.pop(0))
        elif word == "--seed":
            seed = int(argv.pop(0))
        elif word == "--keep":
            keep = argv.pop(0)
        elif word == "--zdm":
            zdm = argv.pop(0)
        else:
            print(__doc__)
            return 2
    root = Path(keep or tempfile.mkdtemp(prefix="tidegate-review-"))
    try:
        labels = write(history(files, seed), root)
        (root / "labels.json").write_text(json.dumps(labels))  # for bench/peers.py
        for name in ("django", "alembic"):
            measure(root / name, labels)
            if zdm:
                run_zdm(zdm, root / name, labels)
    finally:
        if not keep:
            shutil.rmtree(root, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
