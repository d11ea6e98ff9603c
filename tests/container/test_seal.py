"""`tidegate seal`, then boot: what the seal saves, and what it must never hide."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.gate import APP, Database, Ended, Runner
from support.projects import POSTGRESQL, SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]

FRAMEWORK_MODULE = re.compile(
    r"\|\s+((?:django|alembic|sqlalchemy|psycopg|psycopg2|asyncpg)(?:\.\S+)?)\s*$", re.MULTILINE
)


@pytest.fixture(params=["django", "alembic"])
def project(request: pytest.FixtureRequest, make_project: MakeProject) -> SmallProject:
    return make_project(request.param, login="url")


SEALS: dict[tuple[object, ...], str] = {}  # as an engine keeps the layer of an unchanged tree
LONG_AGO = 1_600_000_000


def seal(runner: Runner, project: SmallProject, env: dict[str, str] | None = None) -> Path:
    """Seal as a Dockerfile does: without a database and without its variables."""
    path = project.root / "tidegate.seal"
    files = [one for one in sorted(project.root.rglob("*")) if "__pycache__" not in one.parts]
    files = [one for one in files if one.is_file() and one != path]
    for one in files:
        os.utime(one, (LONG_AGO, LONG_AGO))
    tree = tuple((str(one), one.read_bytes()) for one in files)
    key = (tree, *sorted((env or {}).items()))
    if key in SEALS:
        path.write_text(SEALS[key])
        return path
    done = runner("seal", cwd=project.root, env=env or {})
    assert done.code == 0, done.said
    SEALS[key] = path.read_text()
    return path


def boot(
    runner: Runner, project: SmallProject, env: dict[str, str], *flags: str, traced: bool = False
) -> Ended:
    python = ("-X", "importtime") if traced else ()
    return runner(
        "boot", "--timeout", "20", *flags, "--", *APP, cwd=project.root, env=env, python=python
    )


def imported(done: Ended) -> list[str]:
    """The modules of frameworks and drivers that the process imported."""
    return FRAMEWORK_MODULE.findall(done.err)


def test_current_imports_no_framework(tidegate: Runner, project: SmallProject, database: Database):
    """A sealed image before a current database starts without importing framework or driver."""
    env = database.environ
    seal(tidegate, project, env if database.vendor == "sqlite" else {})
    first = boot(tidegate, project, env)
    assert (first.code, first.out) == (0, "app started\n"), first.said
    assert database.tables() == ["made_1", "made_2"]

    second = boot(tidegate, project, env, traced=True)
    assert (second.code, second.out) == (0, "app started\n"), second.said
    assert "current" in second.err
    assert imported(second) == []
    assert database.runs() == ["done"]


def test_what_a_start_loads_is_compiled(
    tidegate: Runner, project: SmallProject, fresh: Fresh, tmp_path: Path
):
    """Sealing compiles what boot loads, in an image where nothing is, and Python may not do it."""
    import tidegate as installed

    folder = tmp_path / "libraries"
    shutil.copytree(Path(installed.__file__).parent, folder / "tidegate",
                    ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    database = fresh("newest")
    env = {**database.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    seal(tidegate, project, env)
    assert boot(tidegate, project, env).code == 0
    done = tidegate("boot", "--", *APP, cwd=project.root, env=env, python=("-v",))
    code = re.findall(rf"# code object from '?({re.escape(str(folder))}[^'\s]*)", done.err)
    assert (done.code, imported(done), len(code) > 10) == (0, [], True), done.said
    assert [path for path in code if not path.endswith(".pyc")] == []


@pytest.mark.parametrize("framework", ["django", "alembic"])
def test_login_from_separate_variables(
    framework: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """The seal learns logins made of POSTGRES_* variables too."""
    project, database = make_project(framework), fresh("newest")
    seal(tidegate, project, dict.fromkeys(database.parts, "5432"))
    assert boot(tidegate, project, database.parts).code == 0
    again = boot(tidegate, project, database.parts, traced=True)
    assert (again.code, again.out, imported(again)) == (0, "app started\n", []), again.said


def test_untraced_import_is_seen(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """Without a seal the same trace does show the framework: the check above can fail."""
    env = fresh("sqlite").environ
    assert boot(tidegate, project, env).code == 0
    done = boot(tidegate, project, env, traced=True)
    assert project.framework in imported(done)


def test_seal_holds_no_secret(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """What is set at build time is not written into the image."""
    database = fresh("newest")
    assert "s3cret" in database.url
    path = seal(tidegate, project, {**database.environ, "SECRET_KEY": "very-secret-key"})
    text = path.read_text()
    assert "s3cret" not in text
    assert "very-secret-key" not in text
    assert database.name not in text


def test_behind_with_a_seal(tidegate: Runner, project: SmallProject, database: Database):
    """A sealed image before a database that lacks a step applies that step and no other."""
    env = database.environ
    assert boot(tidegate, project, env).code == 0
    project.add("CREATE TABLE late (id integer)")
    seal(tidegate, project, env if database.vendor == "sqlite" else {})
    done = boot(tidegate, project, env)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert re.search(r"^ +load +\d", done.err, re.MULTILINE), "loading is a stage of its own"
    assert database.tables() == ["late", "made_1", "made_2"]
    assert database.rows(project.recorded_sql) == project.heads()


def test_ahead_with_a_seal(tidegate: Runner, project: SmallProject, database: Database):
    """An older sealed image before a newer schema warns, or refuses when told to."""
    env = database.environ
    gone = project.add("CREATE TABLE late (id integer)")
    assert boot(tidegate, project, env).code == 0
    project.remove(gone)
    seal(tidegate, project, env if database.vendor == "sqlite" else {})
    served = boot(tidegate, project, env)
    assert (served.code, served.out) == (0, "app started\n"), served.said
    assert "warning" in served.err
    assert gone in served.err
    refused = boot(tidegate, project, env, "--when-ahead", "fail")
    assert (refused.code, refused.out) == (6, ""), refused.said


def test_added_file(tidegate: Runner, project: SmallProject, database: Database):
    """A migration that came after the sealing is applied: the old seal speaks for nothing."""
    env = database.environ
    seal(tidegate, project, env if database.vendor == "sqlite" else {})
    assert boot(tidegate, project, env).code == 0
    project.add("CREATE TABLE late (id integer)")
    done = boot(tidegate, project, env)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert database.tables() == ["late", "made_1", "made_2"]


@pytest.mark.parametrize("same_size_and_time", [False, True])
def test_edited_file(
    same_size_and_time: bool, tidegate: Runner, project: SmallProject, fresh: Fresh
):
    """What a boot applies is the file as it is, even when size and time hide the edit."""
    database = fresh("newest")
    seal(tidegate, project)
    file = project.files[project.ids[-1]]
    was = file.stat()
    file.write_text(file.read_text().replace("made_2", "make_2" if same_size_and_time else "new"))
    if same_size_and_time:
        os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
        # Python itself would be deceived by these.
        shutil.rmtree(file.parent / "__pycache__", ignore_errors=True)
    done = boot(tidegate, project, database.environ)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert database.tables() == ["made_1", "make_2" if same_size_and_time else "new"]


def test_removed_file(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """A migration that was removed after the sealing is not asked for."""
    database = fresh("newest")
    seal(tidegate, project)
    project.remove(project.ids[-1])
    done = boot(tidegate, project, database.environ)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert database.tables() == ["made_1"]


def test_touched_files(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """Other times with the same bytes, as a copied image has them, change no outcome."""
    database = fresh("newest")
    seal(tidegate, project)
    assert boot(tidegate, project, database.environ).code == 0
    for file in project.files.values():
        os.utime(file, (1_000_000_000, 1_000_000_000))
    done = boot(tidegate, project, database.environ)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert "current" in done.err
    assert database.runs() == ["done"]


def test_other_settings_module(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """Sealed for one settings module and started with another: the other one's apps count."""
    project, database = make_project("django", login="url"), fresh("newest")
    (project.root / "extra" / "migrations").mkdir(parents=True)
    (project.root / "extra" / "__init__.py").write_text("")
    (project.root / "extra" / "migrations" / "__init__.py").write_text("")
    (project.root / "extra" / "migrations" / "0001_initial.py").write_text(
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
        "    operations = [migrations.RunSQL('CREATE TABLE extra (id integer)')]\n"
    )
    (project.root / "config" / "production.py").write_text(
        "from config.settings import *  # noqa: F403\n\nINSTALLED_APPS = ['shop', 'extra']\n"
    )
    seal(tidegate, project)
    assert boot(tidegate, project, database.environ).code == 0
    assert database.tables() == ["made_1", "made_2"]
    other = {**database.environ, "DJANGO_SETTINGS_MODULE": "config.production"}
    done = boot(tidegate, project, other)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert database.tables() == ["extra", "made_1", "made_2"]


def test_other_database(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """The seal knows no database: each one that is given is looked at, and migrated if it lacks."""
    first, second = fresh("newest"), fresh("oldest")
    seal(tidegate, project, first.environ)
    for database in (first, second):
        done = boot(tidegate, project, database.environ)
        assert (done.code, done.out) == (0, "app started\n"), done.said
        assert database.tables() == ["made_1", "made_2"]
        assert database.runs() == ["done"]


def test_other_vendor(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """Sealed with PostgreSQL and started with SQLite, the SQLite file is the one migrated."""
    server, file = fresh("newest"), fresh("sqlite")
    seal(tidegate, project, server.environ)
    done = boot(tidegate, project, file.environ)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert file.tables() == ["made_1", "made_2"]
    assert server.tables() == []


def test_recorded_but_not_the_seals(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """As many recorded steps as the seal knows, but others: never taken for current."""
    database = fresh("newest")
    seal(tidegate, project)
    assert boot(tidegate, project, database.environ).code == 0
    table = "django_migrations SET name" if project.framework == "django" else ""
    database.rows(
        f"UPDATE {table} = 'elsewhere' WHERE name LIKE '0002%'"
        if table
        else "UPDATE alembic_version SET version_num = 'elsewhere'"
    )
    done = boot(tidegate, project, database.environ, "--when-ahead", "fail")
    assert (done.code, done.out) == (6, ""), done.said
    assert "elsewhere" in done.err


@pytest.mark.parametrize("damage", ["", "tidegate-seal\t99\n\n{}", "head", "body", "end"])
def test_damaged_seal(damage: str, tidegate: Runner, project: SmallProject, fresh: Fresh):
    """An empty, foreign or cut-off seal is as good as none."""
    database = fresh("newest")
    path = seal(tidegate, project)
    text = path.read_text()
    head = text.index("\n\n")
    cuts = {"head": head // 2, "body": (head + len(text)) // 2, "end": len(text) - 1}
    path.write_text(text[: cuts[damage]] if damage in cuts else damage)
    done = boot(tidegate, project, database.environ)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert database.tables() == ["made_1", "made_2"]


def test_sealed_wrong_password(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """A sealed image says a wrong password as clearly as any other: 4, at once."""
    database = fresh("newest")
    assert database.server
    seal(tidegate, project)
    url = database.server.url(password="wr0ng-pa55", dbname=database.name)
    done = tidegate(
        "boot", "--", *APP, cwd=project.root, env={"DATABASE_URL": url},
        secrets=("wr0ng-pa55", "s3cret"),
    )  # fmt: skip
    assert (done.code, done.out) == (4, ""), done.said
    assert "password" in done.err


def test_gap_is_refused(tidegate: Runner, make_project: MakeProject):
    """A step whose parent is missing can't be sealed."""
    project = make_project("django", login="url")
    project.files[project.ids[0]].unlink()
    done = tidegate("seal", cwd=project.root, env={})
    assert done.code == 2, done.said
    assert project.ids[0] in done.err
    assert not (project.root / "tidegate.seal").exists()


def test_first_migration_of_an_app(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """The first migration of an app that had none at the sealing is seen, and applied."""
    project, database = make_project("django", login="url"), fresh("newest")
    settings = project.root / "config" / "settings.py"
    settings.write_text(settings.read_text().replace('"shop"', '"shop", "depot"'))
    (project.root / "depot").mkdir()
    (project.root / "depot" / "__init__.py").touch()
    seal(tidegate, project)
    assert boot(tidegate, project, database.environ).code == 0
    folder = project.root / "depot" / "migrations"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "0001_initial.py").write_text(
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
        '    operations = [migrations.RunSQL("CREATE TABLE crate (id integer)")]\n'
    )
    done = boot(tidegate, project, database.environ)
    assert done.code == 0, done.said
    assert "crate" in database.tables()


@pytest.mark.parametrize("password", ["pla1n-pa55", "per%cent"])
def test_settings_that_do_not_unquote(
    password: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """Settings that leave a URL's escapes as they are: fast without any, by the settings with."""
    project, database = make_project("django", login="url"), fresh("newest")
    assert database.server
    file = project.root / "config" / "settings.py"
    file.write_text(file.read_text().replace("import unquote", "import quote").replace(
        "unquote(_url.password or \"\")", "_url.password"
    ).replace("unquote(_url.username)", "_url.username"))  # fmt: skip
    seal(tidegate, project)
    role = f"plain_{len(password)}"
    database.server.sql(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{password}'")
    env = {"DATABASE_URL": database.url.replace("postgres:s3cret", f"{role}:{password}")}
    assert boot(tidegate, project, env).code == 0
    again = boot(tidegate, project, env, traced=True)
    assert (again.code, again.out) == (0, "app started\n"), again.said
    assert bool(imported(again)) == ("%" in password)


SWITCHING = """
import os
from pathlib import Path

SECRET_KEY = "for-the-tests-only"
INSTALLED_APPS = ["shop"]

def secret(name):
    path = os.getenv(name + "_FILE")
    return Path(path).read_text().strip() if path else os.getenv(name, "")

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.getenv("DB_NAME", "x")}}
if os.getenv("DB") in ("postgres", "postgresql"):
    DATABASES = {"default": {
        "ENGINE": "django.db.backends.postgresql", "HOST": os.getenv("DB_HOST", "nowhere.invalid"),
        "PORT": os.getenv("DB_PORT", "5432"), "USER": os.getenv("DB_USER", "postgres"),
        "PASSWORD": secret("DB_PASSWORD"), "NAME": os.getenv("DB_NAME", "app"),
        "OPTIONS": {"sslmode": os.getenv("DB_SSLMODE", "prefer")},
    }}
if os.getenv("STAGE") == "prod":
    DATABASES["default"]["HOST"] = "somewhere-else.invalid"
"""


@pytest.fixture
def switching(make_project: MakeProject, fresh: Fresh) -> tuple[SmallProject, dict[str, str]]:
    """A project whose settings switch by words, and the variables that lead to a database."""
    project, parts = make_project("django"), fresh("newest").parts
    (project.root / "config" / "settings.py").write_text(SWITCHING)
    env = {name.replace("POSTGRES_", "DB_"): value for name, value in parts.items()}
    env = {("DB_NAME" if name == "DB_DB" else name): value for name, value in env.items()}
    return project, {**env, "DB": "postgres"}


def test_a_word_that_switches_the_engine(tidegate: Runner, switching):
    """`if os.getenv("DB") == "postgres"`: the login is known though DB was not set at build."""
    project, env = switching
    seal(tidegate, project)
    assert boot(tidegate, project, env).code == 0
    for word in ("postgres", "postgresql"):
        again = boot(tidegate, project, {**env, "DB": word}, traced=True)
        assert (again.code, imported(again)) == (0, []), again.said


COMPANY = """
import os

ENGINE, NAME, USER = os.getenv("DB_ENGINE"), os.getenv("DB_NAME"), os.getenv("DB_USER")
if ENGINE and NAME and USER:
    DATABASES = {"default": {
        "ENGINE": "django.db.backends." + ENGINE, "NAME": NAME, "USER": USER,
        "PASSWORD": os.getenv("DB_PASSWORD"), "HOST": os.getenv("DB_HOST"),
        "PORT": os.getenv("DB_PORT")}}
else:
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
"""


def test_an_engine_that_needs_company(tidegate: Runner, switching):
    """`if ENGINE and NAME and USER`: the login is known though none was set at build."""
    project, env = switching
    (project.root / "config" / "settings.py").write_text(SWITCHING.split("def ")[0] + COMPANY)
    seal(tidegate, project)
    given = {**env, "DB_ENGINE": "postgresql"}
    assert boot(tidegate, project, given).code == 0
    again = boot(tidegate, project, given, traced=True)
    assert (again.code, imported(again)) == (0, []), again.said


YES_OR_NO = """
import os

def truth(name):
    word = os.getenv(name, "no").lower()
    if word not in ("yes", "no", "true", "false", "1", "0"):
        raise ValueError(f"invalid truth value {word!r}")
    return word in ("yes", "true", "1")

DEBUG = truth("DEBUG")
if truth("ELSEWHERE"):
    DATABASES["default"]["HOST"] = "elsewhere.invalid"
"""


def test_a_yes_or_no_that_takes_no_other_word(
    tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """DEBUG=False, of settings that refuse every other word, leaves the fast path open."""
    project, database = make_project("django", login="url"), fresh("newest")
    with (project.root / "config" / "settings.py").open("a") as settings:
        settings.write(YES_OR_NO)
    seal(tidegate, project)
    env = {**database.environ, "DEBUG": "False"}
    assert boot(tidegate, project, env).code == 0
    again = boot(tidegate, project, env, traced=True)
    assert (again.code, imported(again)) == (0, []), again.said
    elsewhere = boot(tidegate, project, {**env, "ELSEWHERE": "true"}, "--timeout", "1")
    assert elsewhere.code == 3 and "elsewhere.invalid" in elsewhere.err, elsewhere.said


FALLING_BACK = """
import os
from urllib.parse import unquote, urlsplit

SECRET_KEY = "for-the-tests-only"
INSTALLED_APPS = ["shop"]
POSTGRESQL = {"ENGINE": "django.db.backends.postgresql"}
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "x"}}
if url := os.environ.get("DATABASE_URL"):
    parts = urlsplit(url)
    DATABASES = {"default": {**POSTGRESQL, "HOST": parts.hostname, "PORT": str(parts.port or ""),
        "USER": unquote(parts.username), "PASSWORD": unquote(parts.password),
        "NAME": parts.path.lstrip("/")}}
elif host := os.environ.get("POSTGRES_HOST"):
    DATABASES = {"default": {**POSTGRESQL, "HOST": host,
        **{key: os.environ["POSTGRES_" + name] for key, name in {
            "PORT": "PORT", "USER": "USER", "PASSWORD": "PASSWORD", "NAME": "DB"}.items()}}}
"""


@pytest.mark.parametrize("built_with", ["nothing", "url", "parts"])
def test_whatever_is_set_while_sealing(
    built_with: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """What the build's environment happens to hold doesn't narrow what the seal learns."""
    project, database = make_project("django"), fresh("newest")
    (project.root / "config" / "settings.py").write_text(FALLING_BACK)
    ways = {"nothing": {}, "url": database.environ, "parts": database.parts}
    seal(tidegate, project, ways[built_with])
    assert boot(tidegate, project, database.environ).code == 0
    for env in (database.environ, database.parts):
        again = boot(tidegate, project, env, traced=True)
        assert (again.code, imported(again)) == (0, []), again.said


TWISTED = """
import json, os
from urllib.parse import unquote, urlsplit

SECRET_KEY = "for-the-tests-only"
INSTALLED_APPS = ["shop"]
env = os.environ.get
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "x"}}
server = {"ENGINE": "django.db.backends.postgresql", "HOST": env("POSTGRES_HOST"),
    "PORT": env("POSTGRES_PORT"), "USER": env("POSTGRES_USER"), "NAME": env("POSTGRES_DB"),
    "PASSWORD": env("POSTGRES_PASSWORD")}
"""
TWISTS = {
    "a pair": "if env('POSTGRES_HOST') and env('POSTGRES_DB'): DATABASES['default'] = server",
    "one hides another": (
        "if env('LOCAL'): pass\nelif env('POSTGRES_HOST'): DATABASES['default'] = server"
    ),
    "one takes no text": (
        "if env('LOGIN'): DATABASES['default'] = {**server, **json.loads(env('LOGIN'))['login']}"
    ),
}


@pytest.mark.parametrize("twist", TWISTS)
def test_never_another_login(twist: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """However the variables hang together, a seal leads to no database but the settings' own."""
    project, database = make_project("django"), fresh("newest")
    (project.root / "config" / "settings.py").write_text(TWISTED + TWISTS[twist])
    sealed = tidegate("seal", cwd=project.root, env={})
    assert sealed.code == 0, sealed.said
    elsewhere = boot(tidegate, project, {})
    assert elsewhere.code == 0, elsewhere.said  # the SQLite file is current
    env = dict(database.parts)
    if twist == "one takes no text":
        assert "where LOGIN is set: what they make of it can't be told" in sealed.err
        env["LOGIN"] = json.dumps({"login": {"PORT": env.pop("POSTGRES_PORT")}})
    done = boot(tidegate, project, env)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert database.tables() == ["made_1", "made_2"]


OBJECTS = {
    "read": "for key, value in json.loads(env('EXTRA', '{}')).items():\n    server[key] = value",
    "swallowed": (
        "try:\n    server.update(json.loads(env('EXTRA', '{}')))\nexcept ValueError:\n    pass"
    ),
}


@pytest.mark.parametrize("reading", OBJECTS)
def test_an_object_can_say_anything(
    reading: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """A variable with an object in it is never passed over: settings decide where it is set."""
    project, database, other = make_project("django"), fresh("newest"), fresh("newest")
    text = TWISTED + OBJECTS[reading] + "\nif env('POSTGRES_HOST'): DATABASES['default'] = server"
    (project.root / "config" / "settings.py").write_text(text)
    sealed = tidegate("seal", cwd=project.root, env={})
    assert "where EXTRA is set: what they make of it can't be told" in sealed.err, sealed.said
    assert boot(tidegate, project, database.parts).code == 0
    again = boot(tidegate, project, database.parts, traced=True)
    assert (again.code, imported(again)) == (0, []), again.said
    env = {**database.parts, "EXTRA": json.dumps({"NAME": other.parts["POSTGRES_DB"]})}
    assert tidegate("status", "--check", cwd=project.root, env=env).code == 1
    assert boot(tidegate, project, env).code == 0
    assert other.tables() == ["made_1", "made_2"]


BASE = TWISTED + "\nif env('POSTGRES_HOST'): DATABASES['default'] = server\n"
INSTALLED = {  # what lies beside the libraries, and what the project says
    "the settings": ({"settings.py": BASE}, ""),
    "what the settings import": ({"base.py": BASE}, "from company.base import *\n"),
    "what an import of theirs has read": (
        {"login.py": BASE, "base.py": "from company.login import *\n"},
        "from company.base import *\n",
    ),
}


@pytest.mark.parametrize("where", INSTALLED)
def test_settings_beside_the_libraries(
    where: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh, tmp_path: Path
):
    """Settings that `pip install .` has put among the libraries are asked anew each time."""
    project, database = make_project("django"), fresh("newest")
    installed, own = INSTALLED[where]
    package = tmp_path / "lib" / "site-packages" / "company"
    package.mkdir(parents=True)
    for name, text in {"__init__.py": "", **installed}.items():
        (package / name).write_text(text)
    settings = project.root / "config" / "settings.py"
    settings.write_text(own)
    always = {"PYTHONPATH": str(package.parent)}
    if not own:
        settings.unlink()
        always["DJANGO_SETTINGS_MODULE"] = "company.settings"
    seal(tidegate, project, always)
    elsewhere = boot(tidegate, project, always)
    assert elsewhere.code == 0, elsewhere.said  # the SQLite file is current
    env = {**always, **database.parts}
    done = boot(tidegate, project, env)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert database.tables() == ["made_1", "made_2"]
    again = boot(tidegate, project, env, traced=True)
    assert (again.code, imported(again)) == (0, []), again.said


def test_env_py_with_an_installed_app(
    tidegate: Runner, make_project: MakeProject, fresh: Fresh, tmp_path: Path
):
    """An env.py whose URL comes from an installed package is asked anew as well."""
    project, database, other = make_project("alembic"), fresh("newest"), fresh("newest")
    package = tmp_path / "lib" / "site-packages" / "company"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "login.py").write_text("import os\nURL = os.getenv('SHOP_URL', 'sqlite:///x')\n")
    env_py = next(project.root.rglob("env.py"))
    text = env_py.read_text()
    env_py.write_text(
        "from company.login import URL\n"
        + re.sub(r"create_engine\(url\([^)]*\)", "create_engine(URL", text)
    )
    always = {"PYTHONPATH": str(package.parent)}
    seal(tidegate, project, always)
    for one in (database, other):
        env = {**always, "SHOP_URL": one.url.replace("postgresql", POSTGRESQL, 1)}
        assert boot(tidegate, project, env).code == 0
        assert one.tables() == ["made_1", "made_2"]


def test_a_seal_that_leads_elsewhere(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """Who migrates by a seal makes sure first that the settings mean the same database."""
    project, database = make_project("django"), fresh("newest")
    (project.root / "config" / "settings.py").write_text(BASE)
    sealed = seal(tidegate, project)
    lines = sealed.read_text().splitlines(keepends=True)
    wrong = [re.sub(r"\tname\tenv\tPOSTGRES_DB", "\tname\tconst\tpostgres", one) for one in lines]
    assert wrong != lines
    sealed.write_text("".join(wrong))
    done = boot(tidegate, project, database.parts)
    assert done.code == 4, done.said
    assert "the seal leads to" in done.err and "Nothing was applied" in done.err
    assert database.tables() == []
    assert boot(tidegate, project, {**database.parts, "TIDEGATE_SEAL": "/none"}).code == 0


def test_what_settings_write_is_taken_back(tidegate: Runner, make_project: MakeProject):
    """Folders and files that settings make of made-up values don't stay in the image.

    They stand as long as the project is asked: its logging may write there.
    """
    project = make_project("django")
    settings = project.root / "config" / "settings.py"
    settings.write_text(
        settings.read_text()
        + "\nimport os, pathlib\ndata = pathlib.Path(os.environ['DATA_DIR'])\n"
        + "data.mkdir(exist_ok=True)\n(data / 'secret.key').write_text('x')\n"
        + "LOGGING = {'version': 1, 'root': {'handlers': ['file']}, 'handlers': {'file': "
        + "{'class': 'logging.FileHandler', 'filename': str(data / 'app.log')}}}\n"
    )
    before = {path for path in project.root.rglob("*") if "__pycache__" not in path.parts}
    path = seal(tidegate, project, {"DATABASE_URL": "postgresql://a:b@c.invalid/d"})
    after = {path for path in project.root.rglob("*") if "__pycache__" not in path.parts}
    assert after - before == {path}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("W = int(os.environ['WORKERS'])\nassert W < 5", "WORKERS"),
        ("H = os.environ['HOSTS'].split(',')[1]", "HOSTS"),
        ("K = open(os.environ['KEYFILE']).read()", "KEYFILE"),
    ],
)
def test_what_was_made_up_and_is_not_taken(
    line: str, name: str, tidegate: Runner, make_project: MakeProject
):
    """The message names the line, and the variable whose invented value the settings refuse."""
    project = make_project("django")
    settings = project.root / "config" / "settings.py"
    settings.write_text(f"import os\n{line}\n" + settings.read_text())
    done = tidegate("seal", cwd=project.root, env={})
    assert done.code == 2, done.said
    assert (
        f"config/settings.py:{line.count(chr(10)) + 2 if 'assert' not in line else 2}" in done.err
    )
    assert (
        f"next: give it one that they take; it is not kept: RUN {name}=… tidegate seal" in done.err
    )


def test_a_seal_within_its_time(tidegate: Runner, make_project: MakeProject):
    """Where the time is up the seal is written all the same, and says what it lacks."""
    project = make_project("django")
    settings = project.root / "config" / "settings.py"
    settings.write_text(settings.read_text() + "\nimport time\ntime.sleep(0.6)\n")
    done = tidegate("seal", "--timeout", "1", cwd=project.root, env={"SECRET_KEY": "x"})
    assert done.code == 0, done.said
    assert "boot will load the settings at each start: within 1 seconds" in done.err
    assert "setting\ttimeout\t60" in (project.root / "tidegate.seal").read_text()


def test_a_static_root_of_the_environment(
    tidegate: Runner, make_project: MakeProject, fresh: Fresh, tmp_path: Path
):
    """STATIC_ROOT from a variable: told at the sealing, and only static files wait for it."""
    project, database = make_project("django"), fresh("newest")
    settings = project.root / "config" / "settings.py"
    settings.write_text(
        settings.read_text()
        + "\nimport os\nINSTALLED_APPS = [*INSTALLED_APPS, 'django.contrib.staticfiles']\n"
        + "STATIC_URL = '/s/'\nSTATIC_ROOT = os.environ.get('STATIC_ROOT', 'collected')\n"
    )
    sealed = tidegate("seal", cwd=project.root, env={})
    assert "static files are where STATIC_ROOT will say" in sealed.err, sealed.said
    env = {**database.environ, "STATIC_ROOT": str(tmp_path / "elsewhere")}
    assert boot(tidegate, project, env).code == 0
    worker = boot(tidegate, project, env, "--collectstatic", "never", traced=True)
    assert (worker.code, imported(worker)) == (0, []), worker.said
    web = boot(tidegate, project, env, traced=True)
    assert web.code == 0 and imported(web), web.said


def test_settings_classes_of_pydantic(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """What pydantic's classes declare is asked for by name, whatever else the environment holds."""
    project, database = make_project("django"), fresh("newest")
    settings = project.root / "config" / "settings.py"
    settings.write_text(SETTINGS_CLASS)
    others = {f"OTHER_{n}": "x" for n in range(40)}
    done = tidegate("seal", cwd=project.root, env=others)
    assert done.code == 0, done.said
    sealed = (project.root / "tidegate.seal").read_text()
    assert "variable\tAPP_DB_HOST" in sealed and "OTHER_1" not in sealed
    env = {f"APP_DB_{key[9:]}": value for key, value in database.parts.items()}
    env = {**env, **others, "APP_DEBUG": "true", "APP_ORIGINS": '["https://a.example"]'}
    assert boot(tidegate, project, env).code == 0
    again = boot(tidegate, project, env, traced=True)
    assert (again.code, imported(again)) == (0, []), again.said


def test_what_a_web_framework_looks_up_for_itself(
    tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """FastAPI's telemetry reads variables of its own at its import: none is asked about."""
    project, database = make_project("alembic", login="url"), fresh("sqlite")
    env = project.root / "migrations" / "env.py"
    env.write_text("import fastapi  # noqa: F401\n" + env.read_text())
    seal(tidegate, project)
    assert "OTEL_" not in (project.root / "tidegate.seal").read_text()
    assert boot(tidegate, project, database.environ).code == 0
    telling = {**database.environ, "OTEL_PROPAGATORS": "baggage"}
    again = boot(tidegate, project, telling, traced=True)
    assert (again.code, imported(again)) == (0, []), again.said


SETTINGS_CLASS = """
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_")
    debug: bool
    workers: int = 2
    origins: list[str] = []
    db_host: str
    db_port: int = 5432
    db_user: str
    db_password: str
    db_db: str


one = Settings()
SECRET_KEY = "for-the-tests-only"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "HOST": one.db_host,
    "PORT": one.db_port, "USER": one.db_user, "PASSWORD": one.db_password, "NAME": one.db_db}}
"""


def test_a_secret_in_a_file(tidegate: Runner, switching, tmp_path: Path):
    """A password that a `_FILE` variable points at is read from that file at each start."""
    project, env = switching
    seal(tidegate, project)
    file = tmp_path / "secret"
    file.write_text(env.pop("DB_PASSWORD") + "\n")
    env["DB_PASSWORD_FILE"] = str(file)
    assert boot(tidegate, project, env).code == 0
    again = boot(tidegate, project, env, traced=True)
    assert (again.code, imported(again)) == (0, []), again.said
    file.write_text("wrong\n")
    assert boot(tidegate, project, env).code == 4


def test_an_option_out_of_a_variable(tidegate: Runner, switching):
    """A driver's option is made from its variable too: what it asks for is not left out."""
    project, env = switching
    seal(tidegate, project)
    assert boot(tidegate, project, env).code == 0
    plain = boot(tidegate, project, {**env, "DB_SSLMODE": "disable"}, traced=True)
    assert (plain.code, imported(plain)) == (0, []), plain.said
    strict = boot(tidegate, project, {**env, "DB_SSLMODE": "require"})
    assert strict.code == 4, strict.said


def test_a_word_that_no_recipe_was_learnt_for(tidegate: Runner, switching):
    """A word that leads elsewhere is never met with the recipe of another: settings decide."""
    project, env = switching
    seal(tidegate, project)
    assert boot(tidegate, project, env).code == 0
    done = boot(tidegate, project, {**env, "STAGE": "prod"}, "--timeout", "2")
    assert done.code in (3, 4), done.said
    assert "somewhere-else.invalid" in done.err


def test_a_seal_that_can_not_be_written(tidegate: Runner, make_project: MakeProject):
    """Sealing where nothing can be written says so, and how else to do it."""
    project = make_project("django")
    env = {"TIDEGATE_SEAL": "/proc/tidegate.seal"}
    done = tidegate("seal", cwd=project.root, env=env)
    assert done.code == 2, done.said
    assert "TIDEGATE_SEAL" in done.err
