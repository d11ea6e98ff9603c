"""Every rule's own examples: applied to a real database, the bad one flagged, the good one not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import rule_examples
from support.postgres import Server
from tidegate.contracts.rule import Example
from tidegate.model.finding import Finding
from tidegate.workflows.check.review import review
from tidegate.workflows.check.rulebook import Known, all_rules

pytest.importorskip("django")
pytest.importorskip("alembic")
pytest.importorskip("pgparse")
OFF = {"TIDEGATE_CACHE": "off"}
SCHEMAS = r"SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'"
LEFT = """SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'
UNION ALL SELECT evtname FROM pg_event_trigger UNION ALL SELECT pubname FROM pg_publication
UNION ALL SELECT relname FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'm', 'v', 'S')
AND NOT pg_is_other_temp_schema(relnamespace)"""
CASES = [
    pytest.param(rule, example, id=f"{rule.name}-{example.framework}-{number}")
    for rule in all_rules()
    for number, example in enumerate(rule.rule.examples)
]


@pytest.fixture(scope="module")
def database(servers: Callable[[str], Server]) -> Iterator[Callable[[], str]]:
    """Return the URL of an empty database: one that all use, emptied again for each."""
    import psycopg

    server = servers("newest")
    server.sql("CREATE DATABASE examples STRATEGY file_copy")
    url = str(server.url(dbname="examples"))
    with psycopg.connect(url, autocommit=True) as connection:

        def make() -> str:
            found = connection.execute(SCHEMAS).fetchall()
            for (name,) in found:
                connection.execute(f'DROP SCHEMA "{name}" CASCADE')  # type: ignore[call-overload]
            connection.execute("CREATE SCHEMA public")
            left = connection.execute(LEFT).fetchall()
            assert not left, f"an example left {left} behind"
            return url

        yield make


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_the_bad_example_is_flagged_with_exactly_its_rule(
    rule: Known, example: Example, tmp_path: Path
) -> None:
    """It is flagged by its rule at its line, and by no rule that is not named as a companion."""
    found = findings(rule, example, example.bad, tmp_path)
    ours = [one for one, _ in found if one.rule == rule.name]
    assert ours, f"not flagged; found {[one.rule for one, _ in found]}"
    (first, file) = next((one, file) for one, file in found if one.rule == rule.name)
    assert first.place.line == file.line(example.line), file.text
    others = {one.rule for one, _ in found if one.severity != "info"} - {rule.name}
    assert others <= set(rule.rule.companions) | set(example.companions)
    for one in ours:
        assert one.message
        assert one.message[-1] != "."
        assert one.remedy


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_the_good_example_is_silent(rule: Known, example: Example, tmp_path: Path) -> None:
    """Its rule says nothing, and no rule says that it is an error."""
    found = [one for one, _ in findings(rule, example, example.good, tmp_path)]
    assert [one.message for one in found if one.rule == rule.name] == []
    companions = set(rule.rule.companions) | set(example.companions)
    assert [
        one.message for one in found if one.severity == "error" and one.rule not in companions
    ] == []


@pytest.mark.parametrize("which", ["bad", "good"])
@pytest.mark.parametrize(("rule", "example"), CASES)
def test_examples_are_valid_on_a_real_database(
    rule: Known, example: Example, which: str, tmp_path: Path, database: Callable[[], str]
) -> None:
    """Both run to their end; where the rule says that the database refuses the bad one, it does."""
    if example.vendor == "mysql":
        pytest.skip("MySQL's examples are read, not run")
    if rule.name in ("model-imported", "unread") and which == "bad":
        pytest.skip("it is about the file, not about the database")
    url = f"sqlite:///{tmp_path / 'db.sqlite3'}" if example.vendor == "sqlite" else database()
    made = rule_examples.files(example, example.bad if which == "bad" else example.good)
    if which == "bad" and not example.applies:
        with pytest.raises(Exception) as raised:
            rule_examples.apply(example, made, url)
        assert str(raised.value)
        return
    rule_examples.apply(example, made, url)


def findings(
    rule: Known, example: Example, text: str, root: Path
) -> list[tuple[Finding, rule_examples.File]]:
    """Review the example; return what is said of its own files, with the file."""
    own = dict(rule_examples.write(example, text, root))
    if rule.rule.opt_in:
        with (root / "tidegate.toml").open("a", encoding="utf-8") as file:
            file.write(f"[check.rules]\n{rule.name} = true\n")
    found = review(str(root), environ=OFF).findings
    return [(one, own[one.place.path]) for one in found if one.place.path in own]
