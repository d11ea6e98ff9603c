"""Make a migration from the models' changes; the file lands in the host's tree.

usage: tidegate make -m MESSAGE [--app APP] [--empty] [--merge [--renumber]] [--rename OLD=NEW]
                     [--drop OLD] [--filled FIELD] [--env NAME] [--service NAME]
                     [--local] [--python PATH]
       tidegate make --data NAME [--app APP] [--table TABLE --set SQL [--where SQL] [--undo SQL]]
       tidegate make --expand CHANGE [--app APP]
       tidegate make --contract CHANGE [--app APP]
       tidegate make --watch [--squash -m MESSAGE] [--rename OLD=NEW] [--drop OLD] [--env NAME]
                     [--service NAME] [--local] [--python PATH]
       tidegate make --squash -m MESSAGE

  -m, --message TEXT  what the migration does; becomes its name
  --app APP           for this Django app only
  --empty             without operations, to be written by hand
  --merge             join several heads, if the schema is the same whichever is applied first:
                      both orders are tried on scratch databases
  --renumber          with --merge: no new migration; the branch that is not applied gets new
                      numbers and goes on top of the other (Django)
  --rename OLD=NEW    what goes is what comes under another name: a column, field, table, model or
                      enum value, named as far as it takes (note, orders.note, shop.Order.note)
  --drop OLD          it is meant to go
  --filled FIELD      no row lacks a value in a field that is to be NOT NULL (Django)
  --data NAME         a data migration that goes over a table in batches; it can be killed and goes
                      on where it was
  --set SQL           what it sets in TABLE, such as "total = price * qty"; --undo: the way back
  --expand CHANGE     the files with which this release and the one before it both work
  --contract CHANGE   the file that ends it, for the next release
  --watch             while models change: make a temporary migration of each change, and apply it
                      to the development database; never where that is marked production, or
                      looks like it. Ctrl-C ends it, and asks for the message of --squash
  --squash            one migration in place of the temporary ones, recorded in the database in
                      their place; with --watch: at its end

CHANGE is rename:TABLE.OLD=NEW, drop:TABLE.COLUMN, type:TABLE.COLUMN=TYPE or unique:TABLE.COLUMN,
with Django's Model.field or the database's names; TYPE is SQL's, or Django's field. These three
read the migrations alone; nothing is started and no database is asked.

Runs the framework's own autogenerate in the backend's container with the host's code over the
image's, as the owner of that code; with --local, or without Compose files, in the project's own
virtual environment: the active one, .venv, venv or env here or above, that of Poetry, Pipenv or
PDM, or the one of --python PATH. What autogenerate can't know is asked at a terminal, and refused
with 6 where nobody can answer; so is what it would get wrong. No file is left then. Alembic
compares with the database, so that it refuses with 6 as well while that is not current. Ends with 1
when there is nothing to make. Prints the created file, its SQL, and what `tidegate check` has to
say of it, which does not change the exit code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tidegate import discovery
from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.errors import UsageProblem
from tidegate.frontends.cli import answers, outside, scaffolding, watching
from tidegate.frontends.cli.outside import Option
from tidegate.model.finding import Findings, Place
from tidegate.workflows.make import Making, Wanted, here, make, review, through

FORMATS = ("text", "json")
OPTIONS = (
    *outside.TARGET,
    Option("--message", True, "-m"),
    Option("--app", True),
    Option("--empty"),
    Option("--merge"),
    Option("--renumber"),
    Option("--local"),
    Option("--python", True),
    *scaffolding.OPTIONS,
    *watching.OPTIONS,
)


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text", glob.quiet)

    def work() -> int:
        said, rest = answers.taken(argv)
        found, _ = outside.parse("make", rest, OPTIONS)
        if scaffolding.wanted(found):
            return scaffolding.run(glob, found)
        wanted = Wanted(
            found.get("--message", ""), found.get("--app", ""), "--empty" in found,
            "--merge" in found, renumber="--renumber" in found, **said,
        )  # fmt: skip
        if watching.wanted(found):
            one = _making(glob, found, environ, report)
            return watching.run(glob, one, found, environ, wanted)
        _refuse_answers(wanted)
        if not wanted.message and not wanted.merge:
            raise UsageProblem(
                "a migration needs a message",
                "It becomes the file's name, which is what everybody will read later.",
                'tidegate make -m "add the due date"',
            )
        one = _making(glob, found, environ, report)
        created, sql = make(one, wanted)
        reviewed = None if wanted.empty else review(one.folder, created)
        findings = _from(Path(glob.root), reviewed) if reviewed else None
        _show(glob, Path(glob.root), created, sql, findings)
        if wanted.empty and glob.format == "text":
            names = " ".join(_relative(path, Path(glob.root)) for path in created)
            print(f"next: write what it does, then tidegate check {names}")
        return 0  # the file is made; whether it may be shipped is what `check` says

    return outside.guarded(report, work, glob, argv)


def _refuse_answers(wanted: Wanted) -> None:
    """Raise where answers were given to what asks nothing."""
    kind = "--empty" if wanted.empty else "--merge" if wanted.merge else ""
    given = [name for name, value in (("--rename", wanted.renames), ("--drop", wanted.dropped),
                                      ("--filled", wanted.filled)) if value]  # fmt: skip
    if kind and given:
        raise UsageProblem(
            f"{kind} and {given[0]} don't go together",
            f"{given[0]} is about what the models have changed, and {kind} does not look at them.",
            "leave one out",
        )


def _making(
    glob: Globals, found: Mapping[str, str], environ: Mapping[str, str], report: Report
) -> Making:
    root = Path(glob.root)
    asked = outside.asked_of(glob, found, {})
    local = (
        "--local" in found
        or "--python" in found
        or environ.get("TIDEGATE_LOCAL") in ("1", "true", "yes")
    )
    if local or (asked == type(asked)() and not discovery.target_signs(root)):
        return here(root, report, environ, found.get("--python", ""))
    target = outside.target_of(glob, asked, environ, bool(asked.service))
    if not target.backend:
        return here(root, report, environ, found.get("--python", ""))
    report.secrets = target.secrets
    outside.guesses(target, report)
    return through(target, report)


def _show(
    glob: Globals,
    root: Path,
    created: Sequence[Path],
    sql: Sequence[str],
    findings: Findings | None,
) -> None:
    names = [_relative(path, root) for path in created]
    if glob.format == "json":
        listed = [one.document() for one in findings.findings] if findings else []
        print(json.dumps({"created": names, "sql": list(sql), "findings": listed}, indent=2))
        return
    print("\n".join([f"created {name}" for name in names]))
    if sql:
        print("\n".join(f"  {line}" for line in sql))
    if findings and findings.findings:
        print(discovery.reporter("text").render(findings, colour=False))


def _from(root: Path, found: Findings) -> Findings:
    """Return findings whose paths begin where the command was typed, and not at the code."""
    try:
        below = Path(found.root).resolve().relative_to(root.resolve())
    except ValueError:
        return found

    def moved(place: Place) -> Place:
        return replace(place, path=(below / place.path).as_posix())

    return replace(found, root=str(root), findings=tuple(
        replace(one, place=moved(one.place), also=tuple(map(moved, one.also)))
        for one in found.findings
    ))  # fmt: skip


def _relative(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return str(path)
