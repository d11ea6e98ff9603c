"""The documentation says what the code does: pages, tables, links and the tutorial's commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate import errors
from tidegate.frontends.cli.main import verbs
from tidegate.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "changes.d" / "README.md",
         *sorted((ROOT / "docs").rglob("*.md"))]  # fmt: skip
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^\| (\d+) \|", re.MULTILINE)


def test_generated_pages_are_current() -> None:
    """`scripts/docs.py --check` finds nothing to write."""
    done = run([sys.executable, str(ROOT / "scripts" / "docs.py"), "--check"], ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_check_tells_a_stale_page(tmp_path: Path) -> None:
    """A page that is not what the code says is named, and the exit code is 1."""
    script = (ROOT / "scripts" / "docs.py").read_text(encoding="utf-8")
    (tmp_path / "scripts").mkdir()
    copy = tmp_path / "scripts" / "docs.py"
    copy.write_text(script, encoding="utf-8")
    assert run([sys.executable, str(copy)], tmp_path).returncode == 0
    page = tmp_path / "docs" / "reference" / "settings.md"
    page.write_text(page.read_text(encoding="utf-8") + "more\n", encoding="utf-8")
    done = run([sys.executable, str(copy), "--check"], tmp_path)
    assert done.returncode == 1
    assert "docs/reference/settings.md is stale" in done.stdout


def test_every_verb_is_documented() -> None:
    """Each verb has its part in the reference and its line in the README."""
    reference = (REFERENCE / "commands.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for verb in verbs():
        assert f"\n## {verb}\n" in reference
        assert re.search(rf"^\| `tidegate {verb}\b", readme, re.MULTILINE), verb


def test_every_setting_is_documented() -> None:
    """Each setting stands in the reference with its variable, flag and older name."""
    reference = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    for one in SETTINGS:
        part = reference.partition(f"\n## {one.name}\n")[2].partition("\n## ")[0]
        assert f"`{one.variable}`" in part
        assert f"`{one.flag}`" in part
        assert not one.older or f"`{one.older[0]}`" in part


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_resolve(page: Path) -> None:
    """Each relative link leads to a file of the repository."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [link.partition("#")[0] for link in LINK.findall(text) if "://" not in link]
    assert [one for one in targets if one and not (page.parent / one).exists()] == []


def test_every_page_is_reached_from_the_index() -> None:
    """docs/README.md links each page below it."""
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text("utf-8"))}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if page != index}
    assert pages - linked == set()


@pytest.mark.parametrize("page", ["README.md", "docs/reference/exit-codes.md"])
def test_exit_codes_are_those_of_the_code(page: str) -> None:
    """The table's numbers are 0 and the codes of the error tree."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert {int(code) for code in CODE.findall(text)} == {0} | error_codes(errors.TidegateError)


def error_codes(kind: type[errors.TidegateError]) -> set[int]:
    return {kind.exit_code}.union(*(error_codes(one) for one in kind.__subclasses__()))


def test_the_tutorial_runs(tmp_path: Path) -> None:
    """Each `$ tidegate …` of the tutorial ends as it says, and prints the lines that it shows."""
    pytest.importorskip("django")
    project = tmp_path / "work"
    project.mkdir()
    made = run([sys.executable, "-m", "django", "startproject", "shop", "."], project)
    assert made.returncode == 0, made.stderr
    with (project / "shop" / "settings.py").open("a", encoding="utf-8") as settings:
        settings.write('\nSTATIC_ROOT = BASE_DIR / "collected"\n')
    tutorial = (ROOT / "docs" / "tutorial" / "first-boot.md").read_text(encoding="utf-8")
    for command, code, shown in examples(tutorial):
        words = shlex.split(command, comments=True)
        assert words[0] == "tidegate"
        done = run([sys.executable, "-m", *words], project)
        printed = done.stdout + done.stderr
        assert done.returncode == code, f"{command}\n{printed}"
        for line in shown:
            assert line in printed, f"{command}\n{printed}"


def examples(page: str) -> list[tuple[str, int, list[str]]]:
    """Return (command, exit code, lines shown up to `…`) of each example in the page."""
    found: list[tuple[str, int, list[str]]] = []
    for kind, text in FENCE.findall(page):
        if kind != "console":
            continue
        for line in text.splitlines():
            if line.startswith("$ "):
                code = re.search(r"# exit code (\d+)$", line)
                found.append((line[2:], int(code[1]) if code else 0, []))
            else:
                found[-1][2].append(line.partition("…")[0].rstrip())
    assert found
    return found


def run(argv: list[str], where: Path) -> subprocess.CompletedProcess[str]:
    """Run a command without the settings of whoever runs the tests."""
    ours = ("TIDEGATE_", "DJANGO_", "PG", "DATABASE_", "MIGRATE_ON", "COLLECTSTATIC_", "AUTO_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    env["PATH"] = str(Path(sys.executable).parent) + os.pathsep + env.get("PATH", "")
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), env.get("PYTHONPATH", "")])
    return subprocess.run(
        argv, cwd=where, env=env, capture_output=True, text=True, timeout=120, check=False
    )
