"""The health check calls a program that the image does not have.

Slim images have no curl and no wget; the probe ends with "executable file not found", the container is unhealthy for ever, and whoever waits for it never starts.
Ask with Python, which is there, or install the program.
It is silent where a RUN installs it or starts a program that may, where the base has it, and for images that are not built here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts, shell
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.image import Image
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Health

SEVERITY = "error"
ERRORS = (
    r"exec: \"(curl|wget|nc)\": executable file not found in \$PATH",
    r"(curl|wget|nc): (command )?not found",
    r"dependency failed to start: container \S+ is unhealthy",
)
PRINTED = 'exec: "curl": executable file not found in $PATH'
WHEN = "at every probe; after the retries the container is unhealthy"
BAD = {
    "Dockerfile": 'FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nCMD ["uvicorn", "shop:app"]\n',
    "compose.yaml": 'services:\n  web:\n    build: .\n    healthcheck:\n      test: ["CMD", "curl", "-f", "http://localhost:8000/"]\n',
}
GOOD = {
    **BAD,
    "Dockerfile": BAD["Dockerfile"].replace(
        "WORKDIR", "RUN apt-get update && apt-get install -y curl\nWORKDIR"
    ),
}
AT = "compose.yaml:5"
_INSTALLER = re.compile(r"\.(sh|bash)$|setup|install|provision|bootstrap")
_URL = re.compile(r"https?://[^\s'\"|;&)]+")


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield probes whose program is neither in the base image nor installed."""
    for service in facts.built(project):
        image, health = project.image(service), project.health(service)
        if image is None or health is None:
            continue
        for tool in _tools(health):
            if _has(image, tool) is not False:
                continue
            yield Problem(
                health.place,
                f"The health check of {service.name} calls {tool}, which {image.base} does not have and no RUN installs.",
                f"ask with Python: {_python(health)}\nor install {tool} in {image.path}",
                (image.base_place,),
                _mend(project, image, health),
                printed=f'exec: "{tool}": executable file not found in $PATH',
            )


def _tools(health: Health) -> list[str]:
    if health.words[0] == "CMD":
        return [one for one in health.words[1:2] if one in ("curl", "wget", "nc")]
    return [
        one.name for one in shell.parse(health.shell).commands if one.name in ("curl", "wget", "nc")
    ][:1]


def _has(image: Image, tool: str) -> bool | None:
    """Whether the image has a program; None where the base is not known to us."""
    if (
        tool in image.installed
        or re.search(rf"\b{tool}\b", image.run_words())
        or (tool == "nc" and "netcat" in image.run_words())
    ):
        return True
    if any(re.search(rf"bin/{tool}$", copy.target) for copy in image.copies):
        return True
    if any(_unseen(command) for run in image.runs for command in run.script.flat()):
        return None
    name, _, tag = image.base.partition("@")[0].rpartition("/")[2].partition(":")
    if name not in ("python", "debian", "ubuntu", "alpine", "node", "pypy") or "$" in image.base:
        return None
    if name == "alpine" or "alpine" in tag:
        return tool != "curl"  # busybox has wget and nc
    if name in ("debian", "ubuntu") or "slim" in tag:
        return False
    return True if tool != "nc" else None


def _unseen(command: shell.Command) -> bool:
    """Whether a RUN hands over to a program of the project or of a download, which may install."""
    said = [one for one in command.bare.words if one not in ("sudo", *shell.SHELLS)]
    program = said[0] if said else ""
    name = program.rpartition("/")[2]
    runs = program.startswith("./") or bool(_INSTALLER.search(name))
    return "/" in program and runs and not name.endswith(".py")


def _python(health: Health) -> str:
    found = _URL.search(health.shell)
    url = found[0] if found else "http://127.0.0.1:8000/"
    return f"import urllib.request; urllib.request.urlopen('{url}', timeout=3)"


def _mend(project: ProjectFiles, image: Image, health: Health) -> tuple[Edit, ...]:
    """Replace the probe by one in Python, where it is one plain request."""
    python = image.base.rpartition("/")[2].startswith("python")
    words = health.words[1:] if health.words[0] == "CMD" else health.shell.split()
    header = {"-H", "--header", "-X", "-d", "--data"} & set(words)
    plain = len(_URL.findall(health.shell)) == 1 and not header and "$" not in health.shell
    tail = " ".join(words[-2:]) if words else ""
    plain = plain and not re.search(r"[|;&]", health.shell.replace("|| exit 1", "")) and bool(tail)
    if not python or not plain:
        return ()
    new = json.dumps(["CMD", "python", "-c", _python(health)])
    item = health.item.get("test") if health.item is not None else None
    text = project.read(health.place.path) or ""
    if item is not None and item.path == health.place.path and item.end:
        if not isinstance(item.value, tuple) or item.style == "flow":
            return (Edit(item.path, item.start, item.end, new),)
        return ()
    found = image.healthcheck
    if found is None or health.place != found.place:
        return ()
    begin = edits.line_start(text, found.line)
    at = text.find("CMD", begin)
    end = edits.line_start(text, found.end_line + 1)
    body = "CMD " + json.dumps(["python", "-c", _python(health)])
    return (Edit(found.path, at, end, body + "\n"),) if at > 0 else ()
