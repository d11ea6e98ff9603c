"""Write the generated pages of docs/reference from the code.

usage: python scripts/docs.py [--check]

--check writes nothing, and exits with 1 when a page is not what the code says.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from tidegate.frontends.cli.main import usage, verbs  # noqa: E402  (the path comes first)
from tidegate.settings import SETTINGS, Setting  # noqa: E402
from tidegate.targets.composesettings import KEYS  # noqa: E402
from tidegate.workflows.check import rulepages  # noqa: E402
from tidegate.workflows.doctor.story import checks  # noqa: E402

NOTE = "<!-- Written by scripts/docs.py from the code: change the code, then run `just docs`. -->"


def commands_page() -> str:
    """Return the page of all verbs, from their modules' docstrings: what `--help` prints."""
    parts = ["# Commands", NOTE, "Each part is what the command's own `--help` prints.",
             block(usage())]  # fmt: skip
    for verb in verbs():
        module = importlib.import_module(f"tidegate.frontends.cli.commands.{verb}")
        parts += [f"## {verb}", block((module.__doc__ or "").strip())]
    parts.append("The exit codes are on [their own page](exit-codes.md).")
    return "\n\n".join(parts) + "\n"


def settings_page() -> str:
    """Return the page of all settings, from their one declaration."""
    parts = [
        "# Settings",
        NOTE,
        "Each setting is a key under `[tool.tidegate]` in `pyproject.toml` "
        "(or at the top of `tidegate.toml`), an environment variable, and a flag.\n"
        "A later one of these wins over an earlier one.\n"
        "The flag is taken by the commands whose help names it.",
    ]
    parts += [setting_part(one) for one in SETTINGS]
    return "\n\n".join(parts) + "\n"


def setting_part(one: Setting) -> str:
    """Return one setting's part of the page."""
    rows = [
        ("in files", f"`{one.name}`"),
        ("environment", f"`{one.variable}`"),
        ("flag", f"`{one.flag}`"),
        ("values", ", ".join(f"`{word}`" for word in one.choices) or one.kind),
        ("default", f"`{one.default}`" if one.default else "none"),
    ]
    if one.older:
        name, yes, no = one.older
        rows.append(("older name", f"`{name}`: `true` means `{yes}`, `false` means `{no}`"))
    table = "\n".join(["| | |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in rows)])
    return f"## {one.name}\n\n{one.help[0].upper()}{one.help[1:]}.\n\n{table}"


def checks_page() -> str:
    """Return the page of doctor's checks, from their modules."""
    found = checks()
    files = {rule: one for rule, one in found.items() if hasattr(one, "look")}
    live = {rule: one for rule, one in found.items() if rule not in files}
    parts = [
        "# Checks of doctor",
        NOTE,
        "`tidegate doctor` runs each of these over the project's files; "
        "those of the last part ask the container engine, with `--live`.",
        checks_table(found),
        *(check_part(rule, one) for rule, one in files.items()),
        "# Checks of what runs",
        *(check_part(rule, one) for rule, one in live.items()),
    ]
    return "\n\n".join(parts) + "\n"


def compose_page() -> str:
    """Return the page of the Compose settings, from their one declaration."""
    parts = [
        "# Compose settings",
        NOTE,
        "Keys of `[tool.tidegate.compose]` in `pyproject.toml` (or `[compose]` in "
        "`tidegate.toml`), and of `[tool.tidegate.environments.NAME]` for `--env NAME`.\n"
        "In rising order: the common table, the environment's table, the variable, the flag.\n"
        "`TIDEGATE_ENV` is an `--env` for every command.\n"
        "None of them has to be written where `tidegate settings` shows the right value.",
        "\n".join(
            [
                "| key | environment | default | meaning |",
                "| --- | --- | --- | --- |",
                *(
                    f"| `{one.name}` | `{one.variable}` | {one.default or 'found'} | {one.help} |"
                    for one in KEYS
                ),
            ]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def checks_table(found: dict[str, Any]) -> str:
    """Return the list of all checks."""
    rows = [
        f"| [{rule}](#{rule}) | {one.SEVERITY} | {(one.__doc__ or '').splitlines()[0]} |"
        for rule, one in found.items()
    ]
    return "\n".join(["| check | severity | what |", "| --- | --- | --- |", *rows])


def check_part(rule: str, one: Any) -> str:
    """Return one check's part of the page: its docstring, its error text, its examples."""
    parts = [f"## {rule}", (one.__doc__ or "").strip()]
    parts.append(f"It shows {one.WHEN}:\n\n{block(one.PRINTED)}")
    if hasattr(one, "BAD"):
        parts.append(f"Flagged at `{one.AT}` ({one.SEVERITY}):")
        parts += [f"`{path}`\n\n{block(shown(text))}" for path, text in one.BAD.items() if text]
        mended = {path: text for path, text in one.GOOD.items() if one.BAD.get(path) != text}
        parts.append("Mended:")
        parts += [f"`{path}`\n\n{block(shown(text))}" for path, text in mended.items() if text]
    return "\n\n".join(parts)


def shown(text: str) -> str:
    """Return an example's text; a carriage return is made visible."""
    return text.rstrip().replace("\r", "^M")


def rules_page() -> str:
    """Return the page of all review rules, from their modules: what `tidegate rule` prints."""
    head = "# Rules of `tidegate check`"
    said = (
        "The examples are applied to a real database by the tests, the flagged ones as well.\n"
        "They are what stands in `operations = [...]` or in `upgrade()`; `# --- next file` divides "
        "migrations, `# --- operations` ends what stands above the class, `# atomic = False` is "
        "the attribute, and `# --- downgrade` begins the way back."
    )
    return "\n\n".join([head, NOTE, said, rulepages.page()]) + "\n"


def block(text: str) -> str:
    """Return `text` as it stands."""
    return f"```text\n{text}\n```"


def python_page() -> str:
    """Return the page of the functions, from their signatures and docstrings."""
    api = importlib.import_module("tidegate.api")
    named = {name: getattr(api, name) for name in api.__all__}
    parts = ["# tidegate from Python", NOTE, (api.__doc__ or "").strip().partition("\n\n")[2],
             "```python\nfrom tidegate import boot, migrate, status\n```"]  # fmt: skip
    for name in ("status", "wait", "migrate", "boot", "adopt", "backup", "rollback", "history",
                 "check", "plan"):  # fmt: skip
        parts += [f"## {name}", block(signature(name, named[name])),
                  inspect.getdoc(named[name]) or ""]  # fmt: skip
    parts.append("## What they return")
    for one in named.values():
        if dataclasses.is_dataclass(one):
            fields = [f"    {field.name}: {field.type}" for field in dataclasses.fields(one)]
            body = "\n".join([f"class {one.__name__}", *fields])
            parts += [f"### {one.__name__}", block(body), inspect.getdoc(one) or ""]
    rows = ["| error | exit code | when |", "| --- | --- | --- |"]
    rows += [
        f"| `{name}` | {one.exit_code} | {inspect.getdoc(one)} |"
        for name, one in sorted(named.items())
        if inspect.isclass(one) and issubclass(one, Exception) and name != "TidegateError"
    ]
    parts += ["## What they raise", "Each is a `TidegateError`, and stands for an exit code of "
              "the commands.", "\n".join(rows)]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def signature(name: str, function: Any) -> str:
    """Return a function's signature, one argument a line."""
    found = inspect.signature(function)
    lines, keyword = [], False
    for one in found.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not keyword:
            lines.append("    *,")
            keyword = True
        default = "" if one.default is one.empty else f" = {one.default!r}"
        lines.append(f"    {one.name}: {one.annotation}{default},")
    return "\n".join([f"{name}(", *lines, f") -> {found.return_annotation}"])


PAGES = {
    "docs/reference/python.md": python_page,
    "docs/reference/checks.md": checks_page,
    "docs/reference/commands.md": commands_page,
    "docs/reference/settings.md": settings_page,
    "docs/reference/compose-settings.md": compose_page,
    "docs/reference/rules.md": rules_page,
}


def main(argv: list[str]) -> int:
    """Write the pages, or compare them."""
    if argv not in ([], ["--check"]):
        sys.stderr.write(__doc__ or "")
        return 2
    stale = []
    for name, page in PAGES.items():
        path, text = ROOT / name, page()
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    for name in stale:
        what = "is stale: run `python scripts/docs.py`" if argv else "written"
        sys.stdout.write(f"{name} {what}\n")
    return 1 if argv and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
