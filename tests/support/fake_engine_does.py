"""What a command of `FakeTarget` does to its file; on its own, so that each starts quickly.

`fails` are the commands that end with 1; `busy` the numbers of those that meet what a command
before them left under way, in the engine's own words; `kills` is the number of the command after
which whoever ran it is killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys


def engine(path: str, verb: str, words: list[str]) -> int:
    """Do one command."""
    with open(path, encoding="utf-8") as file:
        state = json.load(file)
    state["log"].append(" ".join([verb, *words]))
    fails = verb in state["fails"] or " ".join([verb, *words]) in state["fails"]
    images = state["images"]
    busy = len(state["log"]) in state.get("busy", ())
    if busy:
        said = 'Conflict. The container name "/shop-web-1" is already in use by container "1f85"'
        print(f"Error when allocating new name: {said}.", file=sys.stderr)
    elif fails:
        print(f"no {verb}", file=sys.stderr)
    elif verb == "build":
        images["shop"] = state["built"]
    elif verb == "tag":
        images[words[1]] = images.get(words[0], words[0])
    elif verb == "untag":
        for name in words:
            images.pop(name, None)
    elif verb == "replace":
        state["running"][words[0]] = images["shop"]
        state["made"] += 1
    elif verb == "status":
        project = {"framework": "django", "static": state.get("static", "")}
        print(json.dumps({"project": project, "databases": [{
            "alias": "default", "state": "behind", "applied": 1, "pending": state["pending"],
            "unknown": [], "missing": [], "why": "", "level": ["a.1"], "heads": ["a.2"],
        }]}))  # fmt: skip
    elif verb == "migrate":
        state["pending"] = []
    elif verb == "collectstatic":
        state["collected"] = images["shop"]
    elif verb == "rollback":
        state["pending"] = ["a.2"]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(state, file)
    if len(state["log"]) == state.get("kills"):
        os.kill(os.getppid(), signal.SIGKILL)
    return 1 if fails or busy else 0


if __name__ == "__main__":
    sys.exit(engine(sys.argv[1], sys.argv[2], sys.argv[3:]))
