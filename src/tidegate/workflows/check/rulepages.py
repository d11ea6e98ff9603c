"""A rule's page: for `tidegate rule`, and for the reference."""

from __future__ import annotations

from typing import Any

from tidegate.contracts.rule import Example
from tidegate.workflows.check.rulebook import OWN, Known, all_rules, get

FRAMEWORKS = {"django": "Django", "alembic": "Alembic"}
VENDORS = {"postgresql": "PostgreSQL", "mysql": "MySQL and MariaDB", "sqlite": "SQLite"}
FAMILIES = {
    "locks": "Locks, scans and rewrites",
    "compatibility": "The release that still runs",
    "data": "Data migrations",
    "history": "Files and graph",
    "destructive": "What can't be had back",
    "autogenerate": "What autogenerate gets wrong",
    "mysql": "MySQL and MariaDB",
    "sqlite": "SQLite",
    "style": "Style, off until the settings name it",
}


def text(name: str) -> str:
    """Return a rule's page for a terminal."""
    one = get(name)
    if one is None:
        return f"{name}\n\n{OWN[name]}"
    parts = [one.name, one.page, _facts(one).replace("`", "")]
    for example in one.rule.examples:
        who = FRAMEWORKS[example.framework]
        parts += [f"Flagged ({who}):", _indented(example.bad)]
        parts += [f"Not flagged ({who}):", _indented(example.good)]
    parts.append(f"To allow it at a line:\n\n    # tidegate: allow {one.name}: the reason")
    return "\n\n".join(parts)


def page() -> str:
    """Return the reference page of all rules, as Markdown."""
    parts = []
    for family, title in FAMILIES.items():
        members = [one for one in all_rules() if one.family == family]
        parts.append(f"## {title}")
        parts.append("\n".join(f"- [{one.name}](#{one.name}): {one.title}" for one in members))
        for one in members:
            parts += [f"### {one.name}", one.page, _facts(one)]
            for example in one.rule.examples:
                parts += _example(example)
    parts.append("## Comments that allow findings")
    parts.append("\n".join(f"- `{name}`: {title}" for name, title in OWN.items()))
    return "\n\n".join(parts)


def _facts(one: Known) -> str:
    rule = one.rule
    said = [f"Severity {rule.severity}, confidence {rule.confidence}"]
    if rule.vendors:
        said.append("for " + " and ".join(VENDORS[name] for name in rule.vendors))
    if rule.opt_in:
        said.append("off until the settings name it")
    line = ", ".join(said) + "."
    line += "\nRewritten by `tidegate check --fix`." if rule.fixable else ""
    staged = ", ".join(FRAMEWORKS[name] for name in staged_for(one.name))
    if staged:
        line += f"\nDivided into staged files by `tidegate check --fix --unsafe` ({staged})."
    return line


def staged_for(name: str) -> list[str]:
    """Return the frameworks for which `--fix --unsafe` has an answer to a rule."""
    from tidegate.workflows.staging import alembic_fixes, django_fixes

    both = {"django": django_fixes.FIXERS, "alembic": alembic_fixes.FIXERS}
    return [framework for framework, fixers in both.items() if name in fixers]


def document(name: str) -> dict[str, Any]:
    """Return a rule as JSON: what `rules` lists of it, its page and its examples."""
    one = get(name)
    if one is None:
        return {"rule": name, "family": "comments", "title": OWN[name], "page": OWN[name]}
    return {
        **listed(one),
        "page": one.page,
        "examples": [
            {"framework": each.framework, "database": each.vendor, "bad": each.bad,
             "good": each.good}
            for each in one.rule.examples
        ],
        "allow": f"# tidegate: allow {one.name}: the reason",
    }  # fmt: skip


def listed(one: Known) -> dict[str, Any]:
    """Return what the list of rules says of one."""
    return {
        "rule": one.name,
        "family": one.family,
        "severity": one.rule.severity,
        "confidence": one.rule.confidence,
        "databases": list(one.rule.vendors) or list(VENDORS),
        "fixable": one.rule.fixable,
        "staged": staged_for(one.name),
        "title": one.title,
    }


def _example(example: Example) -> list[str]:
    who = FRAMEWORKS[example.framework]
    return [
        f"Flagged ({who}):",
        f"```python\n{example.bad.rstrip() or '# nothing'}\n```",
        f"Not flagged ({who}):",
        f"```python\n{example.good.rstrip()}\n```",
    ]


def _indented(code: str) -> str:
    return "\n".join("    " + line if line else "" for line in code.rstrip().splitlines())
