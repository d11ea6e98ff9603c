"""The ways in which teams lay their Compose projects out, each found without being told."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from support.gate import eventually
from support.pages import blocks, do, lines
from support.stacks import COMPOSE_PG, CONF, PASSWORD, Stack, docker, exited

Make = Callable[..., Stack]

FOLDER = """\
services:
  backend:
    build: {context: .., dockerfile: docker/Dockerfile}
    restart: unless-stopped
    init: true
    environment: {SECRET_KEY: "${SECRET_KEY:?}"}
    volumes: ["data:/data"]
  worker:
    build: {context: .., dockerfile: docker/Dockerfile}
    restart: unless-stopped
    init: true
    command: ["python", "-c", "import time; time.sleep(10000)  # celery worker"]
    environment: {SECRET_KEY: "${SECRET_KEY:?}"}
    volumes: ["data:/data"]
volumes:
  data:
"""


def folder_layout(one: Stack) -> Stack:
    one.django()
    (one.folder / "compose.yaml").unlink()
    (one.folder / "Dockerfile").rename(one.folder / "away")
    return one.write({
        "docker/docker-compose.yml": f"name: {one.name}\n{FOLDER}",
        "docker/Dockerfile": (one.folder / "away").read_text(),
        ".env": f"SECRET_KEY={PASSWORD}\n",
    })  # fmt: skip


def test_files_in_a_folder_and_the_env_file_beside_the_project(stack: Make) -> None:
    """`-f docker/docker-compose.yml --env-file .env` is found; an update collects the
    static files into their volume, and `migrate` alone restarts nothing."""
    one = folder_layout(stack())
    begin = "docker compose --env-file .env -f docker/docker-compose.yml"
    dry = exited(one, ["up", "--dry-run"], 0)
    assert dry.out.splitlines()[0] == f"{begin} build backend worker"
    found = json.loads(exited(one, ["settings", "--format", "json"], 0).out)["compose"]
    assert {name: found[name]["value"] for name in ("files", "env_files", "service")} == {
        "files": "docker/docker-compose.yml", "env_files": ".env", "service": "backend"
    }  # fmt: skip
    assert all(found[name]["guessed"] for name in ("files", "env_files", "service"))
    one.write({"conf.py": CONF.replace('["shop"]', '["django.contrib.staticfiles", "shop"]')
               + 'STATIC_URL = "static/"\nSTATIC_ROOT = "/data/static"\n',
               "shop/static/shop/a.css": "one"})  # fmt: skip
    page = "how-to/adopt-a-compose-project.md"
    *_, up, migrate = commands = lines(page, "Compose files in a folder, one env file")
    assert len(commands) == 6
    for line in (*lines(page), *commands[:4]):
        do(one, line)
    assert one.served("backend") == "release one"
    one.write({"shop/static/shop/a.css": "two"})
    do(one, up)
    assert one.compose("exec", "-T", "backend", "cat", "/data/static/shop/a.css") == "two"
    before = one.ids("backend") | one.ids("worker")
    assert "service backend" in do(one, migrate).err
    assert one.ids("backend") | one.ids("worker") == before
    settings = blocks("toml", page, "Write down what was guessed")[0]
    over = "services: {worker: {profiles: [tools]}}\n"
    one.write({"pyproject.toml": settings, "docker/docker-compose.dev.yml": over})
    dry = exited(one, ["up", "--env", "dev", "--dry-run"], 0)
    assert "-f docker/docker-compose.dev.yml --profile tools build" in dry.out


def test_a_local_file_and_a_service_called_django(stack: Make) -> None:
    """`docker-compose.local.yml` in a folder with a space, with CRLF line ends, under PowerShell's
    eyes: build and start, make, apply, look, create a superuser."""
    one = stack("my project").django(at="docker-compose.local.yml").with_users()
    text = (one.folder / "docker-compose.local.yml").read_text().replace("  web:", "  django:")
    text = text.replace("build: .", "build: {context: ., dockerfile: ./compose/django/Dockerfile}")
    (one.folder / "Dockerfile").rename(one.folder / "away")
    one.write({"compose/django/Dockerfile": (one.folder / "away").read_text()})
    (one.folder / "docker-compose.local.yml").write_bytes(text.replace("\n", "\r\n").encode())
    (one.folder / ".env").write_bytes(b"POSTGRES_PASSWORD=x1234\r\n")
    page = "how-to/adopt-a-compose-project.md"
    commands = lines(page, "`docker-compose.local.yml`, driven from PowerShell")
    before, (up, make, migrate, status, superuser) = commands[:6], commands[6:]
    env = {"DJANGO_SUPERUSER_USERNAME": "mei", "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
           "DJANGO_SUPERUSER_EMAIL": "mei@example.org"}  # fmt: skip
    for line in before[:5]:  # the last one asks at a terminal
        do(one, line)
    do(one, up)
    one.write({"shop/models.py": (one.folder / "shop/models.py").read_text()
               + "    city = models.CharField(max_length=40, default='')\n"})  # fmt: skip
    assert "created shop/migrations/0002_add_the_city.py" in do(one, make).out
    do(one, up)
    do(one, migrate)
    assert do(one, status).out.splitlines()[-1] == "next: nothing to do"
    do(one, superuser, **env)


def test_several_files_are_a_question(stack: Make) -> None:
    """Without a terminal it is exit 2 with the choices; `--env` and `-f` answer it."""
    one = stack().django(at="docker-compose.local.yml")
    text = (one.folder / "docker-compose.local.yml").read_text()
    one.write({"docker-compose.production.yml": text})
    done = exited(one, ["up"], 2)
    assert "-f docker-compose.local.yml" in done.err
    assert "-f docker-compose.production.yml" in done.err
    dry = exited(one, ["up", "--env", "production", "--dry-run"], 0)
    assert dry.out.startswith("docker compose -f docker-compose.production.yml build")
    dry = exited(one, ["-f", "docker-compose.local.yml", "up", "--dry-run"], 0)
    assert dry.out.startswith("docker compose -f docker-compose.local.yml build")
    assert "there is no environment qa" in exited(one, ["up", "--env", "qa"], 2).err


def test_several_backends_are_a_question(stack: Make) -> None:
    """Two services with different code: exit 2 names both; a setting answers it."""
    one = stack().django()
    for name in ("shop", "billing"):
        one.write({f"{name}x/manage.py": "", f"{name}x/Dockerfile": "FROM tidegate-tests/base:1\n"})
    one.write({"compose.yaml": f"name: {one.name}\nservices:\n  orders: {{build: ./shopx}}\n"
                               "  bills: {build: ./billingx}\n"})  # fmt: skip
    done = exited(one, ["up"], 2)
    assert "several services hold migrations: bills, orders" in done.err
    one.write({"pyproject.toml": '[tool.tidegate.compose]\nservice = "bills"\n'})
    found = json.loads(exited(one, ["settings", "--format", "json"], 0).out)["compose"]
    assert found["service"] == {
        "value": "bills", "source": "[tool.tidegate.compose]", "guessed": False
    }  # fmt: skip
    one.write({"pyproject.toml": '[tool.tidegate.compose]\nservise = "bills"\n'})
    assert "servise, which is not a setting" in exited(one, ["settings"], 2).err


MIGRATIONS = """\
  migrations:
    build: .
    profiles: [migrations]
    depends_on: [db]
    command: ["python", "manage.py", "migrate"]
    environment:
      POSTGRES_HOST: db
      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?}
"""


@pytest.fixture
def own_container(stack: Make) -> Stack:
    """A `migrations` service under the profile of that name, for production and development."""
    one = stack().django(COMPOSE_PG, at="docker-compose.yml")
    text = (one.folder / "docker-compose.yml").read_text()
    text = text.replace("  db:\n    image", f"{MIGRATIONS}  db:\n    image")
    dev = text.replace(f"name: {one.name}", f"name: {one.name}-dev")
    return one.write({"docker-compose.yml": text, "docker-compose.dev.yml": dev})


def test_migrations_in_their_own_container(own_container: Stack) -> None:
    """The server starts and answers unmigrated; `migrate` uses the service made for it."""
    one = own_container
    one.compose("up", "-d", "--build", "web")
    assert one.served() == "release one"
    *before, migrate, migrate_dev = lines("how-to/migrations-in-their-own-container.md")
    eventually(lambda: "): empty, " in one.tidegate("status").out, 60, "an answer of the database")
    behind = exited(one, ["status", "--check"], 1)
    assert behind.out.splitlines()[-1].startswith("next: tidegate up, or tidegate migrate")
    serving = one.ids()
    assert "in a one-off container of the service migrations" in do(one, migrate).err
    assert one.ids() == serving
    assert exited(one, ["status", "--check"], 0)
    try:
        for line in (migrate_dev, *before):
            do(one, line)
    finally:
        docker("compose", "-f", "docker-compose.dev.yml", "--profile", "*", "down", "--volumes",
               "-t", "1", cwd=one.folder)  # fmt: skip
    dev = json.loads(exited(one, ["settings", "--env", "dev", "--format", "json"], 0).out)
    assert dev["compose"]["files"]["value"] == "docker-compose.dev.yml"
    assert dev["compose"]["project"]["value"] == f"{one.name}-dev"
    assert dev["compose"]["migrations"]["value"] == "migrations"


def test_tables_that_somebody_made_by_hand(own_container: Stack) -> None:
    """`already exists` is exit 5 and names adopt, which refuses a table of another form, and
    records the step when the table is what the step makes."""
    one = own_container
    one.compose("up", "-d", "db")

    def made(sql: str) -> bool:
        words = ("run", "db", "--", "psql", "-U", "shop", "-h", "127.0.0.1", "-c", sql)
        return one.tidegate(*words).code == 0

    eventually(lambda: made("create table shop_customer (id int)"), 60, "the database")
    done = exited(one, ["migrate"], 5)
    assert "step shop.0001_initial failed" in done.err
    assert "tidegate adopt --plan" in done.err
    refused = exited(one, ["adopt"], 1)
    assert "column public.shop_customer.id: integer" in refused.err
    assert made("drop table shop_customer; create table shop_customer (id bigint primary key "
                "generated by default as identity, name varchar(80) not null)")  # fmt: skip
    adopted = exited(one, ["adopt"], 0)
    assert "in a one-off container of the service migrations" in adopted.err
    assert "  adopt  shop.0001_initial" in adopted.out.splitlines()
    assert one.applied() == ["0001_initial"]


def test_an_overlay_is_laid_over_its_base(stack: Make) -> None:
    """`--env dev` with a file that is no project by itself takes the base file, too."""
    one = stack().django()
    one.write({"compose.dev.yaml": "services:\n  web:\n    environment: {DEBUG: '1'}\n"})
    dry = exited(one, ["up", "--env", "dev", "--dry-run"], 0)
    assert dry.out.startswith("docker compose -f compose.yaml -f compose.dev.yaml build web")
    one.write({"pyproject.toml": '[tool.tidegate.environments.dev]\nfiles = ["compose.yaml"]\n'
               'env_files = ["dev.env"]\n', "dev.env": "POSTGRES_PASSWORD=none\n"})  # fmt: skip
    dry = exited(one, ["up", "--env", "dev", "--dry-run"], 0)
    assert dry.out.startswith("docker compose --env-file dev.env -f compose.yaml build web")
