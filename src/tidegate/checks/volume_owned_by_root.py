"""A volume belongs to root, and the app does not run as root.

A new volume takes over the owner of the folder that the image has at its place; where the image has no such folder, it belongs to root, and the app cannot write its uploads or static files.
Make the folder in the Dockerfile, with the right owner, before USER.
It is silent where a RUN or COPY makes or owns the folder, where the service runs as root, and for a user that a base image brings, which may bring the folder too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import replace

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts, words
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.image import Image, Run
from tidegate.reading.project.interpolation import interpolate
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "warning"
ERRORS = (
    r"PermissionError: \[Errno 13\] Permission denied",
    r"Permission denied: '/",
    r"unable to open database file",
)
PRINTED = "PermissionError: [Errno 13] Permission denied: '/app/media/a.png'"
WHEN = "at the first write, on every machine where the volume is new"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN useradd app\nUSER app\nCMD ["gunicorn", "shop.wsgi"]\n',
    "compose.yaml": "services:\n  web:\n    build: .\n    volumes:\n      - media:/app/media\nvolumes:\n  media:\n",
}
GOOD = {
    **BAD,
    "Dockerfile": BAD["Dockerfile"].replace(
        "useradd app\n", "useradd app && install -d -o app /app/media\n"
    ),
}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield named volumes at places that the image does not own."""
    for service in facts.built(project):
        image = project.image(service)
        assert image is not None
        user = image.user.split(":")[0]
        main = facts.main_of(project, service)
        if main is None or not (
            words.is_worker(main.words) or words.program(main.words) in facts.PYTHON_SERVERS
        ):
            continue  # what only serves files does not write them
        if user in ("", "root", "0") or "$" in user or service.text("user"):
            continue
        if not _made_here(image, user):
            continue
        for mount in service.mounts:
            if mount.kind != "volume" or mount.read_only or _owned(image, mount.target, user):
                continue
            if _handed_over(project, service, mount.source):
                continue
            yield Problem(
                mount.item.place,
                f"The volume at {mount.target} belongs to root, and {service.name} runs as {user}.",
                f"add to {image.user_place.path}, above USER: RUN install -d -o {user} {mount.target}",
                (replace(image.user_place, note=f"runs as {user}"),),
                _mend(project, image, mount.target, user),
            )


def _made_here(image: Image, user: str) -> bool:
    """Whether nothing below this file can own the folder: an image that brings the user may."""
    makes = rf"\b(useradd|adduser|groupadd|addgroup)\b[^&;|]*\b{re.escape(user)}\b"
    return image.plain or bool(re.search(makes, image.run_words()))


def _handed_over(project: ProjectFiles, service: Service, volume: str) -> bool:
    """Whether another service of the stack changes the volume's owner."""
    return any(
        "chown" in " ".join((*(one.words("entrypoint") or ()), *(one.words("command") or ())))
        and any(mount.source == volume for mount in one.mounts)
        for one in project.siblings(service)
    )


def _owned(image: Image, target: str, user: str) -> bool:
    """Whether something in the image makes the folder or hands a folder above it to somebody."""
    for run in image.runs:
        text = " ".join(run.script.text.split())
        if _owned_by(run, text, target, _exists(image, target)):
            return True
        home = rf"(-d|--home(-dir)?|-h)[ =]{re.escape(target)}(\s|$)"
        if re.search(r"useradd|adduser", text) and re.search(home, text):
            return True
        if run.user == user and re.search(
            rf"mkdir[^&;|]*{re.escape(posixpath.basename(target))}", text
        ):
            return True
    for copy in image.copies:
        owned = copy.owner.split(":")[0] in (user, "") and bool(copy.owner)
        here = copy.target.rstrip("/") == target or (
            (target + "/").startswith(copy.target.rstrip("/") + "/") and _exists(image, target)
        )
        if owned and here:
            return True
        if copy.instruction.flag("from") and copy.target.rstrip("/") == target:
            return True
    return (
        any(path == target for path, _ in image.volumes)
        and bool(image.volumes)
        and image.user == ""
    )


def _owned_by(run: Run, text: str, target: str, exists: bool) -> bool:
    """Whether one RUN makes the folder, or changes the owner of a tree that has it."""
    makes = re.search(r"\b(mkdir|install|chown)\b", text)
    recursive = re.search(r"\b(chown|chmod)\b[^&;|]*-\w*R", text)
    for word in re.split(r"[\s;&|]+", text):
        path = _path(run, word, posixpath.basename(target))
        unknown = re.match(r"""["']?\$\{?(\w+)""", word)
        if recursive and unknown is not None and unknown[1] not in run.environ:
            return True  # a folder that only its base image knows
        if makes and path == target:
            return True
        above = path not in ("", "/") and (target + "/").startswith(path + "/")
        if recursive and above and exists:
            return True
    return False


def _path(run: Run, word: str, name: str) -> str:
    """Return a word of a RUN as a path of the image; empty where it is none."""
    bare = interpolate(word.strip("\"'"), run.environ)
    if bare.startswith("/"):
        return posixpath.normpath(bare)
    is_path = bare.startswith(".") or "/" in bare or bare == name
    return posixpath.normpath(posixpath.join(run.workdir, bare)) if is_path else ""


def _exists(image: Image, target: str) -> bool:
    """Whether the image makes the folder at all: a RUN names it, or the project has it."""
    name = posixpath.basename(target)
    made = any(
        re.search(rf"(mkdir|install)[^&;|]*\b{re.escape(name)}\b", run.script.text)
        for run in image.runs
    )
    collected = "static" in name and any("collectstatic" in run.script.text for run in image.runs)
    copied = any(copy.target.rstrip("/") == target for copy in image.copies)
    below = any(
        (target + "/").startswith(copy.target.rstrip("/") + "/")
        and copy.source in ("", ".")
        and not copy.instruction.flag("from")
        for copy in image.copies
    )
    return made or collected or copied or (below and name in image.known_folders)


def _mend(project: ProjectFiles, image: Image, target: str, user: str) -> tuple[Edit, ...]:
    path, line = image.user_place.path, image.user_place.line
    text = project.read(path) or ""
    if not line or (user.isdigit() and not text):
        return ()
    return (edits.insert_line(path, text, line, f"RUN install -d -o {user} {target}"),)
