"""An ignore file leaves the migrations out.

`.dockerignore` keeps them from the image, `.gitignore` from everybody else's checkout: the container finds no migrations, has nothing to apply, and the app meets tables that do not exist.
It is silent for images of other languages, such as a front end's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import edits
from tidegate.reading.project.ignore import Ignore
from tidegate.reading.project.image import Image
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"No migrations to apply",
    r"relation \"?[\w.]+\"? does not exist",
    r"column (\"?[\w.]+\"? )?does not exist",
    r"Can't locate revision identified by",
    r"NodeNotFoundError",
)
PRINTED = 'relation "shop_order" does not exist'
WHEN = "at the first request that needs a table"
_NODE = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = []\n"
BAD = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")\n',
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": _NODE,
    ".dockerignore": ".git\n**/migrations/0*.py\n",
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD ["gunicorn", "shop.wsgi"]\n',
}
GOOD = {**BAD, ".dockerignore": ".git\n"}
AT = ".dockerignore:2"
_OTHERS = ("node", "bun", "deno", "nginx", "nginx-unprivileged", "caddy", "httpd", "traefik", "haproxy",
           "golang", "rust", "ruby", "php", "openjdk", "postgres", "redis")  # fmt: skip
_PYTHON = re.compile(r"\b(python3?|pip3?|uv|poetry|pipenv)\b")


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield patterns that leave out migrations that the project has."""
    files = [one.path for found in project.app_migrations.values() for one in found]
    files += [one.path for each in project.alembics for one in project.revisions(each)]
    contexts = {(image.context, image.path) for image in project.images if _runs_python(image)}
    ignores = [(context, project.dockerignore(context, path)) for context, path in sorted(contexts)]
    for context, ignore in [*ignores, ("", project.gitignore)]:
        prefix = context + "/" if context else ""
        inside = [path[len(prefix) :] for path in files if path.startswith(prefix)]
        yield from _of_one(project, ignore, inside, prefix)


def _runs_python(image: Image) -> bool:
    """Whether it may run the code at all: the image of a front end leaves the back end out."""
    base = image.base.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return base not in _OTHERS or bool(_PYTHON.search(image.run_words()))


def _of_one(
    project: ProjectFiles, ignore: Ignore, files: list[str], prefix: str
) -> Iterable[Problem]:
    told: set[int] = set()
    for path in files:
        pattern = ignore.decisive(path)
        if pattern is None or pattern.line in told:
            continue
        told.add(pattern.line)
        text = project.read(ignore.path) or ""
        where = "the image" if "docker" in ignore.path else "the repository"
        specific = "migrations" in pattern.text or "versions" in pattern.text
        yield Problem(
            Place(ignore.path, pattern.line),
            f"The pattern {pattern.text} keeps {prefix}{path} out of {where}.",
            "take the pattern out",
            (Place(prefix + path, 1),),
            (edits.delete_lines(ignore.path, text, pattern.line, pattern.line),)
            if specific
            else (),
        )
