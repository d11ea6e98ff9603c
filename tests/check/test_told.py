"""What `check` says of a command line, a setting or a comment that is not as it should be."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.migrations import ORDERS, Django
from tidegate import settings as options
from tidegate.frontends.cli.main import main
from tidegate.model.finding import Findings
from tidegate.reporters import text
from tidegate.workflows.check import baseline

DROP = 'migrations.RemoveField("order", "total"),'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Django:
    monkeypatch.setenv("TIDEGATE_CACHE", "off")
    monkeypatch.chdir(tmp_path)
    made = Django(tmp_path)
    made.add("0001_initial", ORDERS)
    return made


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fix", "--write-baseline"), "--fix and --write-baseline don't go together"),
        (("--drift", "--fix"), 'tidegate make -m "what changed" makes it'),
        (("--drift", "--since", "HEAD"), "--drift and --since don't go together"),
        (("--drift", "shop"), "--drift and shop don't go together"),
        (("--datbase", "sqlite"), "did you mean --database?"),
        (("--database", "postgres"), "next: write postgresql"),
    ],
)
def test_words_that_do_not_go_together(
    words: tuple[str, ...], said: str, project: Django, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is refused with what is meant or what to type, and nothing is written."""
    project.add("0002_drop", DROP)
    assert main(["check", *words], 0.0) == 2
    assert said in capfd.readouterr().err
    assert not (project.root / "tidegate-baseline.json").exists()


def test_a_file_that_is_no_migration(project: Django, capfd: pytest.CaptureFixture[str]) -> None:
    """It is said where migrations are looked for; a hook that names it does not fail."""
    (project.root / "manage.py").write_text("", "utf-8")
    assert main(["check", "manage.py"], 0.0) == 0
    assert "manage.py: no migration is there: tidegate reads" in capfd.readouterr().err
    assert main(["check", "shop/migrations/0001_initial.py"], 0.0) == 0
    assert "no migration" not in capfd.readouterr().err
    own = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "a")):
        subprocess.run(["git", *own, *words], cwd=project.root, check=True)
    assert main(["check", "--since", "HEAD", "shop/migrations/0001_initial.py"], 0.0) == 0
    assert "py: no migration there has changed since HEAD" in capfd.readouterr().err


def test_a_baseline_of_some_files_keeps_the_others(project: Django) -> None:
    """What was accepted of a file that was not reviewed stays accepted; all of it is counted."""
    first, second = project.add("0002_drop", DROP), project.add("0003_more", DROP)
    path = project.root / "tidegate-baseline.json"
    said = baseline.accepted(path, project.check(str(first)), True)
    assert said.startswith("1 finding accepted (1 error), beside those of other migrations")
    baseline.accepted(path, project.check(str(second)), True)
    assert sum(baseline.read(path).values()) == 2
    baseline.accepted(path, Findings("check", str(project.root)), False)
    assert not baseline.read(path)


@pytest.mark.parametrize(
    ("comment", "remedy"),
    [
        ("tidegate:allow column-dropped - it is empty", "column-dropped: it is empty"),
        ("tidegate: allow column-dropped  # it is empty", "column-dropped: it is empty"),
        ("tidegate: ignore column-dropped (empty)", "column-dropped: empty"),
        (
            "tidegate allow column-dropped, empty-step because",
            "column-dropped, empty-step: because",
        ),
        ("tidegate: noqa column-dropped", "column-dropped: the reason"),
    ],
)
def test_other_spellings_of_a_suppression(comment: str, remedy: str, project: Django) -> None:
    """They allow nothing, and one error says how this comment is written."""
    path = project.add("0002_drop", f"{DROP}  # {comment}")
    found = project.check(str(path)).at_least("warning")
    told = [one for one in found if one.rule != "column-dropped"]
    assert [one.rule for one in told] == ["unknown-rule"]
    assert told[0].remedy == f"write # tidegate: allow {remedy}"
    assert len(found) == 2


@pytest.mark.parametrize("comment", ["tidegate ignores the order", "as tidegate allowed it"])
def test_prose_is_no_suppression(comment: str, project: Django) -> None:
    """Words about the tool are not taken for an order to it."""
    path = project.add("0002_drop", f"{DROP}  # {comment}")
    assert [one.rule for one in project.check(str(path)).at_least("error")] == ["column-dropped"]


def test_a_long_line_is_cut_around_the_place(project: Django) -> None:
    """What is flagged is in sight with its carets under it, however far to the right it stands."""
    before = 'migrations.AddField("order", "a", models.TextField(null=True)), ' * 3
    path = project.add("0002_drop", f"{before}{DROP} # {'x' * 90}")
    found = project.check(str(path))
    lines = text.render(found, False).splitlines()
    (caret,) = [number for number, line in enumerate(lines) if "^^^" in line]
    shown, carets = lines[caret - 1], lines[caret]
    start, end = carets.index("^"), carets.rindex("^") + 1
    assert shown[start:end] == DROP.rstrip(",")
    assert len(shown) < 140
    assert shown.split(" | ")[1].startswith("...")
    assert shown.endswith("...")


@pytest.mark.parametrize(
    ("written", "what", "next"),
    [
        ('[tool.tidegate.chekc]\nfail-on = "info"\n', "[tool.tidegate.chekc] is not a table",
         "write [tool.tidegate.check]"),
        ('[tool.tidegate]\nwhen-bhind = "wait"\n', "when-bhind is not a setting",
         "write when-behind"),
        ("[tool.tidegate.plan]\nrewrite-above = 1\n", "[tool.tidegate.plan] has no setting",
         "write rewrite_above"),
        ("[tool.tidegate.xyz]\n", "[tool.tidegate.xyz] is not a table", "use one of: [tool."),
    ],
)  # fmt: skip
def test_settings_that_nobody_reads(tmp_path: Path, written: str, what: str, next: str) -> None:
    """Whatever table a verb asks for, and the process in the container: they are an error."""
    (tmp_path / "pyproject.toml").write_text(written, "utf-8")
    for read in (lambda: options.table(str(tmp_path), "compose"),
                 lambda: options.from_file(str(tmp_path))):  # fmt: skip
        with pytest.raises(options.BadSetting) as raised:
            read()
        assert what in raised.value.what
        assert raised.value.next.startswith(next)


def test_a_server_that_no_rule_knows(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL 9 is refused; MySQL 8 and a minor version are not."""
    monkeypatch.setenv("TIDEGATE_CACHE", "off")
    monkeypatch.chdir(tmp_path)
    for vendor, version, code in (("postgresql", "9", 2), ("mysql", "8", 0),
                                  ("postgresql", '"16.2"', 0), ("sqlite", "16", 2)):  # fmt: skip
        made = Django(tmp_path, vendor, f"server-version = {version}\n")
        made.add("0001_initial", ORDERS)
        assert main(["check"], 0.0) == code
        assert ("server-version is" in capfd.readouterr().err) is (code == 2)
