"""The app of the custom user model has no migrations, or none that makes it.

AUTH_USER_MODEL names a model of this app; Django's own admin and auth refer to it, and the first `migrate` does not know in which order to make the tables.
Once a database was migrated without it, the history is inconsistent and only a new database, or careful surgery, helps: so make the first migration now.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import words
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"Dependency on app with no migrations: \w+",
    r"Migration admin\.0001_initial is applied before its dependency \w+\.0001_initial",
    r"relation \"?auth_user\"? does not exist",
    r"relation \"?\w+_user\"? does not exist",
)
PRINTED = 'django.db.utils.ProgrammingError: relation "users_user" does not exist'
WHEN = "at the first migrate; on SQLite, which checks no references, at the first login"
BAD = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    "shop/settings.py": 'SECRET_KEY = "x"\nINSTALLED_APPS = ["django.contrib.admin", "users"]\nAUTH_USER_MODEL = "users.User"\n',
    "users/__init__.py": "",
    "users/models.py": "from django.contrib.auth.models import AbstractUser\n\n\nclass User(AbstractUser):\n    pass\n",
}
GOOD = {
    **BAD,
    "users/migrations/__init__.py": "",
    "users/migrations/0001_initial.py": "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    initial = True\n    dependencies = []\n    operations = [migrations.CreateModel(name='User', fields=[])]\n",
}
AT = "shop/settings.py:3"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield a user model whose app has no migrations."""
    settings = project.settings
    found = settings.last("AUTH_USER_MODEL") if settings is not None else None
    if settings is None or found is None:
        return
    value = settings.value("AUTH_USER_MODEL")
    label = value.partition(".")[0] if isinstance(value, str) else ""
    folder = _folder(project, label)
    if any(project.start(one).does(words.makes_migrations) for one in project.services):
        return  # the start writes them, which is a finding of its own
    if not label or not folder:
        return
    there = project.app_migrations.get(folder, [])
    model = str(value).partition(".")[2]
    if there and (not model or _made(model, [one.text for one in there])):
        return
    what = "no migration makes that model" if there else f"the app {label} has no migrations"
    yield Problem(
        Place(found.path, found.line),
        f"AUTH_USER_MODEL is {value}, and {what}.",
        f"python manage.py makemigrations {label}, and commit what it writes",
        (
            Place(
                f"{folder}/models.py"
                if f"{folder}/models.py" in project.path_set
                else f"{folder}/models/__init__.py",
                1,
            ),
        ),
        (
            Edit(
                project.manage,
                command=("python", posixpath.basename(project.manage), "makemigrations", label),
            ),
        ),
    )


def _made(model: str, texts: Sequence[str]) -> bool:
    """Whether a migration names the model; what SQL or a function makes can't be told."""
    text = "\n".join(texts)
    if "RunSQL" in text or "SeparateDatabaseAndState" in text or "operations = [" not in text:
        return True
    return bool(re.search(rf"""['"]{re.escape(model)}['"]""", text, re.I))


def _folder(project: ProjectFiles, label: str) -> str:
    found = [
        posixpath.dirname(path) for path in project.paths
        if path.endswith((f"{label}/models.py", f"{label}/models/__init__.py")) and label
    ]  # fmt: skip
    folders = [one[: -len("/models")] if one.endswith("/models") else one for one in found]
    root = posixpath.dirname(project.manage)
    named = [one for one in folders if posixpath.basename(one) == label]
    beside = [one for one in named if not root or one.startswith(root + "/")]
    return next(iter(beside or named), "")
