"""The gate as a health endpoint needs it, without loading anything into the app's process.

A good seal says it all. Without one a child process asks the project, since asking means to
import settings, or to run env.py, and neither may happen inside an app that serves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tidegate import discovery
from tidegate import settings as options
from tidegate.container.gate import Gate, open_gate, sealed_gate
from tidegate.errors import TidegateError
from tidegate.model.connection import Connection, Secret
from tidegate.model.readiness import Transient
from tidegate.model.step import Step

PATIENCE = 60.0  # seconds that the project may take to say what it is


def describe(root: Path, environ: Mapping[str, str]) -> Gate:
    """Return the gate of the project at `root`. Raises TidegateError or Transient."""
    try:
        chosen = options.effective(options.from_file(str(root)), options.from_environ(environ))
    except options.BadSetting as error:
        raise Transient(f"{error.what}; {error.next}") from None
    gate, _ = sealed_gate(root, environ, chosen)
    return gate or _asked(root, environ)


def _asked(root: Path, environ: Mapping[str, str]) -> Gate:
    argv = [_python(), "-m", __name__, str(root)]
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        done = subprocess.run(
            argv, cwd=root, env={**environ, "PYTHONPATH": paths}, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Transient(f"the project could not be asked: {type(error).__name__}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Transient(f"the project could not be asked: {said[-1] if said else 'no answer'}")
    raw = json.loads(done.stdout)
    found = Path(raw["root"])
    project = discovery.find_project(found, environ, raw["framework"])
    connections = [
        Connection(**{**one, "password": Secret(one["password"])}) for one in raw["connections"]
    ]
    steps = {alias: [Step.from_dict(step) for step in some] for alias, some in raw["steps"].items()}
    return Gate(project, connections, environ, _steps=steps)


def _python() -> str:
    """Return the interpreter; inside uWSGI `sys.executable` is uWSGI itself."""
    if os.path.basename(sys.executable).startswith("python"):
        return sys.executable
    names = ("python.exe",) if os.name == "nt" else ("bin/python3", "bin/python")
    found = [os.path.join(sys.prefix, name) for name in names]
    return next((path for path in found if os.path.exists(path)), "python3")


def main(root: str) -> int:
    """Write what the project at `root` is to stdout; what the project itself prints is dropped."""
    out = os.dup(1)
    os.dup2(2, 1)
    environ = dict(os.environ)
    try:
        chosen = options.effective(options.from_file(root), options.from_environ(environ))
        gate = open_gate(Path(root), environ, chosen)
        found = {
            "root": root,
            "framework": gate.project.framework,
            "connections": [_plain(one) for one in gate.connections],
            "steps": {
                one.alias: [step.as_dict() for step in gate.steps(one.alias)]
                for one in gate.connections
            },
        }
    except TidegateError as error:
        sys.stderr.write(f"{error.what}\n")
        return 1
    with os.fdopen(out, "w", encoding="utf-8") as pipe:
        json.dump(found, pipe)
    return 0


def _plain(connection: Connection) -> dict[str, object]:
    return {**asdict(connection), "password": connection.password.reveal()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
