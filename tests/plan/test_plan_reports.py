"""The reports of a plan: one HTML page that works without network, and pages that name it all."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.projects import SmallProject
from tidegate.model.finding import Finding, Findings, Place
from tidegate.reporters import html

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference" / "plan.md"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or ""


@pytest.fixture
def page(
    make_project: Callable[..., SmallProject], deployed: Any, plan: Any, tmp_path: Path
) -> tuple[Path, Any]:
    """The page of a plan with several steps and findings, and the plan."""
    project = make_project("alembic")
    database = deployed(project)
    project.add("ALTER TABLE made_1 ADD COLUMN more integer NOT NULL",
                "CREATE INDEX made_2_id ON made_2 (id)")  # fmt: skip
    project.add("CREATE INDEX CONCURRENTLY made_1_id ON made_1 (id)", atomic=False)
    project.add("COMMENT ON TABLE made_1 IS '<script>alert(1)</script>'")
    found = plan(project, database.url, "--format", "html")
    path = tmp_path / "plan.html"
    path.write_text(found.ended.out)
    return path, found


def test_the_page_needs_nothing_beside_it(page: tuple[Path, Any]) -> None:
    """No script, no address to load from, and everything from the project is escaped."""
    text, document = page[0].read_text(), page[1].document
    assert text.startswith("<!doctype html>")
    assert not re.search(r"<script|<link|<img|src=|@import|url\(", text.replace("&lt;script", ""))
    assert "&lt;script&gt;alert(1)" in text
    for step in document["steps"]:
        assert step["id"] in text
    for finding in document["findings"]:
        assert finding["rule"] in text
    assert document["plan"] in text


@pytest.mark.skipif(not BROWSER, reason="no Chromium is installed")
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_draws_it(page: tuple[Path, Any], dark: bool, tmp_path: Path) -> None:
    """In a browser all sections are there, in light and in dark, and nothing overflows."""
    script = (
        "<script>document.title = [...document.querySelectorAll('h2')].map(h => h.innerText)"
        ".join('|') + '#' + getComputedStyle(document.body).backgroundColor + '#' +"
        "(document.documentElement.scrollWidth <= innerWidth)</script>"
    )
    copy = tmp_path / "measured.html"
    copy.write_text(page[0].read_text().replace("</body>", script + "</body>"))
    argv = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,2000",
            f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom", copy.as_uri()]  # fmt: skip
    if dark:
        argv.insert(1, "--blink-settings=preferredColorScheme=0")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title, done.stderr[-500:]
    sections, background, fits = title[1].split("#")
    assert sections.split("|") == [
        "Findings",
        "Locks on each table",
        "Steps",
        "Statements",
        "The schema, before and after",
        "What the way down leaves different",
    ]
    assert background == ("rgb(18, 22, 28)" if dark else "rgb(246, 247, 249)")
    assert fits == "true"


def test_the_page_of_another_verb() -> None:
    """Findings without a plan are a page as well."""
    one = Finding("some-rule", "warning", Place("a/b.py", 3), "what <it> does", "what to do")
    text = html.render(Findings("check", "/", (one,)), False)
    assert "what &lt;it&gt; does" in text
    assert "a/b.py:3" in text
    assert "Locks on each table" not in text


def test_the_reference_names_every_key(page: tuple[Path, Any]) -> None:
    """Each key of the document, its steps and statements stands in the reference."""
    document = page[1].document
    step = document["steps"][0]
    reference = REFERENCE.read_text()
    keys = {*document, *document["rehearsal"], *document["findings"][0], *step,
            *step["statements"][0], *document["basis"]}  # fmt: skip
    assert {key for key in keys if f"`{key}`" not in reference} == set()


def test_the_reference_names_every_rule() -> None:
    """Each rule that the code can tell stands in the reference, and no other."""
    folder = ROOT / "src" / "tidegate" / "workflows" / "plan"
    text = "".join((folder / name).read_text() for name in ("judge.py", "judge_steps.py"))
    told = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', text))
    listed = REFERENCE.read_text().partition("## Findings")[2]
    assert told == set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", listed))
