"""Ways to allow a finding: comments, settings, the baseline; and what is wrong with them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support.gate import Database, Runner
from support.migrations import ORDERS, Django, one, said
from support.projects import SmallProject
from tidegate.errors import UsageProblem

DROP = 'migrations.RemoveField("order", "total"),'
PATH = "shop/migrations/0002_drop.py"


def project(root: Path, operation: str = DROP, settings: str = "") -> Django:
    made = Django(root, settings=settings)
    made.add("0001_initial", ORDERS)
    made.add("0002_drop", operation)
    return made


@pytest.mark.parametrize(
    "text",
    [
        f"{DROP}  # tidegate: allow column-dropped: unused since 41",
        f"# tidegate: allow column-dropped: unused since 41\n{DROP}",
        f"# tidegate: allow column-dropped: unused\n# more words\n\n{DROP}",
        'migrations.RemoveField(\n  "order",  # tidegate: allow column-dropped: x\n  "total",\n),',
        f"{DROP}  # tidegate: allow table-dropped, column-dropped: x",
    ],
)
def test_a_comment_allows_a_finding(tmp_path: Path, text: str) -> None:
    """At the line, anywhere in the operation, or above it; several rules with commas."""
    found = project(tmp_path, text).check()
    assert "column-dropped" not in said(found)
    assert found.extra["suppressed"] == 1


def test_a_comment_elsewhere_allows_nothing(tmp_path: Path) -> None:
    """It is about its own line alone, and is then reported as unused."""
    text = f"{DROP}\n# tidegate: allow column-dropped: x\n{DROP.replace('total', 'code')}"
    found = project(tmp_path, text).check()
    assert [one.place.line for one in found.findings if one.rule == "column-dropped"] == [7]
    text = f"# tidegate: allow table-dropped: x\n{DROP}"
    (tmp_path / "again").mkdir()
    again = project(tmp_path / "again", text).check()
    assert sorted(said(again)) == ["column-dropped", "unused-suppression"]


def test_a_comment_without_reason_is_a_warning(tmp_path: Path) -> None:
    """It still allows, and the remedy shows how to write it."""
    found = project(tmp_path, f"{DROP}  # tidegate: allow column-dropped").check()
    assert said(found) == ["suppression-without-reason"]
    assert "allow column-dropped: the reason" in found.findings[0].remedy


def test_a_comment_with_an_unknown_rule_is_an_error(tmp_path: Path) -> None:
    """The nearest name is offered."""
    found = project(tmp_path, f"{DROP}  # tidegate: allow colum-droped: x").check()
    assert one(found, "unknown-rule").severity == "error"
    assert one(found, "unknown-rule").remedy == "write column-dropped"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("[check.rules]\ncolumn-dropped = false\n", []),
        ('[check.rules]\ncolumn-dropped = "info"\n', []),
        ('[check.paths."shop/*"]\ncolumn-dropped = false\n', []),
        ('[check.paths."other/*"]\ncolumn-dropped = false\n', ["column-dropped"]),
        ("[check.rules]\ncolumn-dropped = true\n", ["column-dropped"]),
        ('exclude = ["shop/migrations/0002*"]\n', []),
    ],
)
def test_settings_turn_rules_off_or_down(
    tmp_path: Path, settings: str, expected: list[str]
) -> None:
    """For the whole project or for paths; `exclude` leaves files out."""
    assert said(project(tmp_path, settings=settings).check()) == expected


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("[check.rules]\ncolum-droped = false\n", "the rule 'colum-droped', and there is none"),
        ("[check.rules]\ncolumn-dropped = 'loud'\n", "column-dropped is 'loud'"),
        ("colour = 1\n", "has no setting colour"),
        ("fail-on = 'sometimes'\n", "fail-on is 'sometimes'"),
        ("server-version = 'new'\n", "server-version is 'new'"),
    ],
)
def test_settings_that_do_not_exist_are_refused(tmp_path: Path, settings: str, words: str) -> None:
    """A misspelt rule or key never passes as if it were in force."""
    with pytest.raises(UsageProblem) as raised:
        project(tmp_path, settings=settings).check()
    assert words in raised.value.what


def test_the_baseline_lets_only_new_findings_through(tmp_path: Path, tidegate: Runner) -> None:
    """Written once, it survives moved lines; a second finding of the kind counts."""
    made = project(tmp_path)
    env = {"TIDEGATE_CACHE": "off"}
    assert tidegate("check", cwd=tmp_path, env=env).code == 1
    written = tidegate("check", "--write-baseline", cwd=tmp_path, env=env)
    assert (written.code, written.out) == (0, "")
    path = tmp_path / PATH
    path.write_text("# moved\n" + path.read_text("utf-8"), "utf-8")
    quiet = tidegate("check", cwd=tmp_path, env=env)
    assert quiet.code == 0
    assert quiet.out.endswith("0 errors, 0 warnings, 0 info; 1 in the baseline\n")
    made.add("0003_more", DROP.replace("total", "code"))
    loud = tidegate("check", cwd=tmp_path, env=env)
    assert loud.code == 1
    assert "0003_more.py" in loud.out
    assert "0002_drop.py" not in loud.out
    assert tidegate("check", "--no-baseline", cwd=tmp_path, env=env).out.count("error  column") == 2
    (tmp_path / "tidegate-baseline.json").write_text("[]", "utf-8")
    assert tidegate("check", cwd=tmp_path, env=env).code == 2


def test_exit_codes_and_formats(tmp_path: Path, tidegate: Runner) -> None:
    """1 at or above --fail-on, 0 below, 2 for wrong usage; stdout is the document alone."""
    nullable = "models.CharField(max_length=20, null=True)"
    project(tmp_path, f'migrations.AlterField("order", "code", {nullable}),')
    env = {"TIDEGATE_CACHE": "off"}
    assert tidegate("check", cwd=tmp_path, env=env).code == 0
    assert tidegate("check", "--fail-on", "info", cwd=tmp_path, env=env).code == 1
    done = tidegate("check", "--format", "json", PATH, cwd=tmp_path, env=env)
    document = json.loads(done.out)
    assert [row["rule"] for row in document["findings"]] == ["null-allowed"]
    assert document["checked"] == 1
    for words in (("--fail-on", "never"), ("--colour",), ("--format", "pdf"), ("nowhere.py",),
                  ("--since", "nowhere")):  # fmt: skip
        ended = tidegate("check", *words, cwd=tmp_path, env=env)
        assert (ended.code, ended.out) == (2, ""), words
        assert "next:" in ended.err


def test_the_cache_changes_nothing_but_the_time(tmp_path: Path) -> None:
    """The second run says the same, a changed file is seen, and a torn cache is no error."""
    from tidegate.workflows.check.review import review

    made = project(tmp_path)
    environ = {"TIDEGATE_CACHE": str(tmp_path / "cache")}
    first = review(str(tmp_path), environ=environ)
    assert review(str(tmp_path), environ=environ) == first
    made.add("0003_more", DROP.replace("total", "code"))
    assert len(review(str(tmp_path), environ=environ).findings) == 2
    path = tmp_path / "shop" / "migrations" / "0001_initial.py"
    path.write_text(path.read_text("utf-8").replace('"total"', '"sum"'), "utf-8")
    assert review(str(tmp_path), environ=environ) == made.check()
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    assert review(str(tmp_path), environ=environ) == made.check()


@pytest.mark.parametrize("which", ["newest", "sqlite"])
@pytest.mark.parametrize("flavour", ["django", "alembic"])
def test_pending_asks_the_database(
    which: str,
    flavour: str,
    fresh: Callable[[str], Database],
    make_project: Callable[..., SmallProject],
    tidegate: Runner,
) -> None:
    """`--pending` reviews what the database has not applied, and nothing when it is current."""
    project = make_project(flavour, steps=2)
    database = fresh(which)
    env = {**database.environ, "TIDEGATE_CACHE": "off"}
    empty = tidegate("check", "--pending", "--format", "json", cwd=project.root, env=env)
    assert empty.code in (0, 1), empty.said
    assert json.loads(empty.out)["checked"] == 2
    assert tidegate("migrate", cwd=project.root, env=env).code == 0
    current = tidegate("check", "--pending", "--format", "json", cwd=project.root, env=env)
    assert (current.code, json.loads(current.out)["checked"]) == (0, 0)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="modes are POSIX")
def test_a_cache_that_others_may_write_is_not_read(tmp_path: Path) -> None:
    """What is kept is loaded as objects, so it has to be the user's own alone."""
    from tidegate.workflows.check.cache import Cache

    environ = {"TIDEGATE_CACHE": str(tmp_path / "cache")}
    first = Cache(str(tmp_path), environ)
    first.put("a", 1)
    first.save()
    assert Cache(str(tmp_path), environ).get("a") == 1
    Path(first.path).chmod(0o666)
    assert Cache(str(tmp_path), environ).get("a") is None
