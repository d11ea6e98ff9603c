"""The script asks for an interpreter that the image does not have.

Alpine images have `sh` and no `bash`; the kernel then reports the script itself as missing.
It is silent where a RUN installs the interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import edits
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.image import Image
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"exec \S+: no such file or directory",
    r"env: .?bash.?: No such file or directory",
    r"env: can't execute '\w+': No such file",
    r"exec: \"bash\": executable file not found",
)
PRINTED = "exec /app/entrypoint.sh: no such file or directory"
WHEN = "at every start"
BAD = {
    "Dockerfile": 'FROM python:3.12-alpine\nWORKDIR /app\nCOPY --chmod=755 . .\nENTRYPOINT ["/app/entrypoint.sh"]\n',
    "entrypoint.sh": "#!/bin/bash\nset -e\nexec gunicorn shop.wsgi\n",
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {**BAD, "entrypoint.sh": BAD["entrypoint.sh"].replace("bash", "sh")}
AT = "entrypoint.sh:1"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield scripts for bash in images on Alpine that do not install it."""
    for service in project.services:
        image = project.image(service)
        if (
            image is None
            or "alpine" not in image.base
            or "bash" in image.installed
            or "bash" in image.run_words()
        ):
            continue
        for use in project.start(service).scripts:
            first = use.parsed.shebang
            if use.by_shell or not re.search(r"\bbash\b", first):
                continue
            text = project.read(use.path) or ""
            plain = not re.search(
                r"\[\[|\bsource\b|<\(|\bdeclare\b|\bfunction\b|pipefail|\$\{\w+[\^,/]|=\(|BASH",
                text,
            )
            yield Problem(
                Place(use.path, 1),
                f"{use.path} asks for bash, and {image.base} has none.",
                "begin it with #!/bin/sh, or install bash in the Dockerfile (apk add --no-cache bash)",
                (image.base_place,),
                edits.swap(use.path, text, 1, first.strip(), "#!/bin/sh")
                if plain
                else _installed(project, image),
                printed=f"exec {use.target}: no such file or directory",
            )


def _installed(project: ProjectFiles, image: Image) -> tuple[Edit, ...]:
    """Install bash in the stage's first line, where root still works."""
    place = image.base_place
    text = project.read(place.path)
    if text is None or not place.line:
        return ()
    line = text.split("\n")[place.line - 1]
    if not line.upper().startswith("FROM ") or line.rstrip().endswith("\\"):
        return ()
    return (edits.insert_line(place.path, text, place.line + 1, "RUN apk add --no-cache bash"),)
