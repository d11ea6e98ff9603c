"""`tidegate make --data`, `--expand` and `--contract`: files that are written without asking."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from tidegate import discovery
from tidegate.container.entry import Globals
from tidegate.errors import UsageProblem
from tidegate.frontends.cli.outside import Option
from tidegate.workflows.check.review import review
from tidegate.workflows.check.tree import Tree
from tidegate.workflows.staging import making

OPTIONS = (
    Option("--data", True),
    Option("--expand", True),
    Option("--contract", True),
    Option("--table", True),
    Option("--set", True),
    Option("--where", True),
    Option("--undo", True),
)
KINDS = ("--data", "--expand", "--contract")
OTHERS = ("--empty", "--merge", "--message", "--renumber", "--rename", "--drop", "--filled",
          "--watch", "--squash")  # fmt: skip


def wanted(found: Mapping[str, str]) -> bool:
    """Whether one of these was asked for. Raises UsageProblem for what does not go together."""
    asked = [one for one in KINDS if one in found]
    words = [one for one in ("--table", "--set", "--where", "--undo") if one in found]
    if len(asked) > 1 or (asked and any(one in found for one in OTHERS)):
        other = asked[1] if len(asked) > 1 else next(one for one in OTHERS if one in found)
        raise UsageProblem(f"{asked[0]} and {other} don't go together", "", "leave one out")
    if words and "--data" not in found:
        raise UsageProblem(f"{words[0]} belongs to --data", "", "tidegate make --data NAME")
    if "--set" in found and "--table" not in found:
        raise UsageProblem("--set needs the table", "", "name it: --table TABLE")
    return bool(asked)


def run(glob: Globals, found: Mapping[str, str]) -> int:
    """Write the files, and show them with what the review says."""
    tree, app = Tree(glob.root), found.get("--app", "")
    if "--data" in found:
        data = making.Data(found["--data"], found.get("--table", ""), found.get("--set", ""),
                           found.get("--where", ""), found.get("--undo", ""))  # fmt: skip
        paths = making.data(tree, app, data)
    elif "--expand" in found:
        paths = making.expand(tree, app, found["--expand"])
    else:
        paths = making.contract(tree, app, found["--contract"])
    tree.write()
    after = _after(found)
    said = review(glob.root, [str(Path(glob.root, path)) for path in paths])
    if glob.format == "json":
        listed = [one.document() for one in said.findings]
        print(json.dumps({"created": paths, "sql": [], "findings": listed,
                          **({"next": after} if after else {})}, indent=2))  # fmt: skip
        return 0
    print("\n".join(f"created {path}" for path in paths))
    if said.findings:
        print(discovery.reporter("text").render(said, colour=False))
    if after:
        print(f"next: {after}")
    return 0


def _after(found: Mapping[str, str]) -> str:
    """Return what the author does next, with the models and then with the releases."""
    if "--data" in found:
        return "" if found.get("--set") else "write what is set into the file"
    change = found.get("--expand") or found.get("--contract", "")
    kind = change.partition(":")[0]
    if "--contract" in found:
        return {
            "rename": "release it alone, when nothing that runs uses the old name",
            "drop": "release it alone, when nothing that runs asks for the column",
            "type": "write the new type into the model, and release both",
        }.get(kind, "")
    later = f"when the release before it is gone: tidegate make --contract {shlex.quote(change)}"
    return {
        "rename": f"write the new name into the model and the code, and release both; {later}",
        "drop": f"take it out of the model and the code, and release both; {later}",
        "type": f"release it; the model stays as it is. When it is out: "
                f"tidegate make --contract {shlex.quote(change)}",
        "unique": "write the constraint of the last file into the model, under its name, and "
                  "release both",
    }.get(kind, "")  # fmt: skip
