"""An app has models and no migrations.

`migrate` makes tables for apps with migrations only; the first query of these models fails.
`manage.py makemigrations` without the app's name passes over an app that has no `migrations` folder.
It is silent for abstract and unmanaged models, and for apps that are not installed.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import pycode, words
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"relation \"?[\w.]+\"? does not exist",
    r"no such table: \w+",
    r"Table '[\w.]+' doesn't exist",
)
PRINTED = 'django.db.utils.ProgrammingError: relation "todo_item" does not exist'
WHEN = "at the first query, after a migrate that went well"
BAD = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    "shop/settings.py": 'SECRET_KEY = "x"\nINSTALLED_APPS = ["todo"]\n',
    "todo/models.py": "from django.db import models\n\n\nclass Item(models.Model):\n    text = models.TextField()\n",
}
GOOD = {
    **BAD,
    "todo/migrations/__init__.py": "",
    "todo/migrations/0001_initial.py": "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    initial = True\n    operations = []\n",
}
AT = "todo/models.py:4"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield the first model of each installed app without migrations."""
    settings = project.settings
    if settings is None:
        return
    if any(project.start(one).does(words.makes_migrations) for one in project.services):
        return  # the start writes them, which is a finding of its own
    installed = settings.value("INSTALLED_APPS")
    names = (
        [one for one in installed if isinstance(one, str)] if isinstance(installed, list) else []
    )
    user = settings.value("AUTH_USER_MODEL")
    modules = settings.value("MIGRATION_MODULES")
    moved = modules if isinstance(modules, dict) else {}
    for module in project.python:
        folder, name = posixpath.split(module.path)
        if name != "models.py" or project.app_migrations.get(folder):
            continue
        label = project.app_label(folder)
        if label in moved:
            continue
        if isinstance(user, str) and user.partition(".")[0] == label:
            continue
        dotted = folder.replace("/", ".")
        if not any(dotted.endswith(one.partition(".apps.")[0]) for one in names):
            continue
        model = _first_model(module)
        if model is not None:
            yield Problem(
                Place(module.path, model.lineno),
                f"The app {label} has the model {model.name} and no migrations: its table is never made.",
                f"python manage.py makemigrations {label}, and commit what it writes",
                (Place(*settings.line("INSTALLED_APPS"), note="installs it"),),
                (
                    Edit(
                        project.manage,
                        command=(
                            "python",
                            posixpath.basename(project.manage),
                            "makemigrations",
                            label,
                        ),
                    ),
                ),
            )


def _first_model(module: pycode.Module) -> ast.ClassDef | None:
    for node in module.tree.body if module.tree is not None else ():
        if isinstance(node, ast.ClassDef) and any(
            pycode.dotted(one) == "models.Model" for one in node.bases
        ):
            meta = next(
                (one for one in node.body if isinstance(one, ast.ClassDef) and one.name == "Meta"),
                None,
            )
            text = ast.unparse(meta) if meta is not None else ""
            if "abstract = True" not in text and "managed = False" not in text:
                return node
    return None
