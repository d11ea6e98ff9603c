"""Our own merge of Compose files says what `docker compose config` says."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tidegate.reading.project import composefiles
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

BASE = """
name: shop
x-app: &app
  image: example/shop:${TAG:-1.0}
  environment: &env
    A: one
    B: ${B_VALUE}
services:
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: ${DB_PASSWORD:?missing}
  web:
    <<: *app
    command: ["gunicorn", "shop.wsgi"]
    environment:
      <<: *env
      C: "true"
      D: 0o17
    depends_on: [db]
    volumes:
      - ./src:/app
      - data:/data
    ports: ["8000:8000"]
    healthcheck:
      test: curl -f http://localhost
      interval: 5s
  worker:
    <<: *app
    profiles: [jobs]
    command: celery -A shop worker
volumes:
  data:
"""
CASES: dict[str, tuple[list[str], dict[str, str]]] = {
    "one file": (["compose.yaml"], {"compose.yaml": BASE}),
    "override": (
        ["compose.yaml", "compose.override.yaml"],
        {
            "compose.yaml": BASE,
            "compose.override.yaml": """
services:
  web:
    command: python manage.py runserver
    environment:
      - A=two
      - E=five
    depends_on:
      db:
        condition: service_healthy
    volumes:
      - ./other:/app
      - cache:/cache
    healthcheck:
      test: ["CMD", "true"]
  db:
    healthcheck:
      test: ["CMD", "pg_isready"]
volumes:
  cache:
""",
        },
    ),
    "reset and override": (
        ["compose.yaml", "more.yaml"],
        {
            "compose.yaml": BASE,
            "more.yaml": """
services:
  web:
    environment: !override
      ONLY: this
    depends_on: !reset []
    ports: !override
      - "9000:9000"
""",
        },
    ),
    "extends": (
        ["compose.yaml"],
        {
            "compose.yaml": """
name: shop
services:
  base:
    image: example/base:1
    environment: {A: "1", B: "2"}
  web:
    extends: base
    environment: {B: "3"}
    command: [run]
  other:
    extends:
      file: common/services.yaml
      service: app
    environment:
      LOCAL: "yes"
""",
            "common/services.yaml": """
services:
  root:
    image: example/root:1
    environment: {R: r}
  app:
    extends: root
    volumes:
      - ./code:/code
    restart: always
""",
        },
    ),
    "include": (
        ["compose.yaml"],
        {
            "compose.yaml": "name: shop\ninclude:\n  - db/compose.yaml\nservices:\n  web:\n    image: example/web:1\n    depends_on: [db]\n",
            "db/compose.yaml": "services:\n  db:\n    image: postgres:16\n    volumes:\n      - ./init:/docker-entrypoint-initdb.d\n    environment: {POSTGRES_PASSWORD: x}\n",
        },
    ),
    "interpolation": (
        ["compose.yaml"],
        {
            "compose.yaml": """
name: shop
services:
  web:
    image: "example/web:${TAG}"
    environment:
      - PLAIN=$PLAIN
      - DEFAULT=${NOPE:-fallback}
      - NESTED=${NOPE:-${PLAIN:-x}}
      - SET=${EMPTY-unset}
      - COLON=${EMPTY:-empty}
      - PLUS=${PLAIN:+there}
      - DOLLAR=a$$b
      - QUOTED=${QUOTED}
      - DOUBLE=${DOUBLE}
      - PASSED
    entrypoint: sh -c 'echo $$HOME "two words"'
""",
            ".env": "TAG=9\nPLAIN=plain\nEMPTY=\nQUOTED='pa$word'\nDOUBLE=\"x ${PLAIN} y\" # comment\nPASSED=through # no\nexport OTHER=1\n",
        },
    ),
    "env files": (
        ["compose.yaml"],
        {
            "compose.yaml": "name: shop\nservices:\n  web:\n    image: example/web:1\n    env_file:\n      - a.env\n      - b.env\n    environment:\n      TWO: own\n",
            "a.env": "ONE=1\nTWO=2\nSPACED = yes\nHASH=a#b\nCOMMENT=a # b\nSINGLE='$ONE'\n",
            "b.env": 'ONE=uno\nMULTI="first\nsecond"\n',
        },
    ),
}


@pytest.fixture(scope="module")
def compose() -> str:
    """The Compose plugin; it needs no engine to merge files."""
    docker = shutil.which("docker")
    works = docker and subprocess.run(
        [docker, "compose", "version"], capture_output=True, check=False
    )
    if not works or works.returncode:
        pytest.skip("docker compose is not installed")
    assert docker
    return docker


@pytest.mark.parametrize("case", CASES)
def test_the_merge_is_that_of_compose(case: str, compose: str, tmp_path: Path) -> None:
    """Each service has the same image, command, variables, mounts, dependencies and probe."""
    files, tree = CASES[case]
    tree = {".env": "B_VALUE=two\nDB_PASSWORD=secret\n", **tree}
    for name, text in tree.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    argv = [compose, "compose", *(word for one in files for word in ("-f", one)), "--profile", "*"]
    env = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [*argv, "config", "--format", "json"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)["services"]
    project = ProjectFiles(tmp_path, tuple(files))
    ours = {one.name: one for one in project.services}
    assert set(ours) == set(theirs)
    for name, service in ours.items():
        assert summary(service, tmp_path) == engine_summary(theirs[name]), name


def summary(one: Service, root: Path) -> dict[str, Any]:
    health = one.own_health
    return {
        "image": one.image,
        "command": list(one.words("command") or []),
        "entrypoint": list(one.words("entrypoint") or []),
        "environment": {name: given.value or "" for name, given in one.environment.items()},
        "volumes": sorted(
            (mount.target, str(root / mount.source) if mount.kind == "bind" else mount.source)
            for mount in one.mounts
        ),
        "depends_on": {name: condition for name, (condition, _) in one.depends_on.items()},
        "health": list(health.words) if health else [],
        "restart": one.restart,
        "profiles": [
            each.text for each in (one.get("profiles").items if one.get("profiles") else ())
        ],  # type: ignore[union-attr]
    }


def engine_summary(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "image": one.get("image", ""),
        # Compose escapes each dollar again, so that its output can be read back.
        "command": [word.replace("$$", "$") for word in one.get("command") or []],
        "entrypoint": [word.replace("$$", "$") for word in one.get("entrypoint") or []],
        "environment": {
            k: str(v or "").replace("$$", "$") for k, v in (one.get("environment") or {}).items()
        },
        "volumes": sorted(
            (mount["target"], mount.get("source", "")) for mount in one.get("volumes") or []
        ),
        "depends_on": {
            name: each["condition"] for name, each in (one.get("depends_on") or {}).items()
        },
        "health": [
            word.replace("$$", "$") for word in (one.get("healthcheck") or {}).get("test") or []
        ],
        "restart": one.get("restart", ""),
        "profiles": one.get("profiles") or [],
    }


def test_a_line_of_an_anchor_is_that_of_the_anchor(tmp_path: Path) -> None:
    """A value that comes through `<<` keeps the place at which it is written."""
    (tmp_path / "compose.yaml").write_text(BASE, encoding="utf-8")
    project = ProjectFiles(tmp_path)
    web = next(one for one in project.services if one.name == "web")
    assert web.place_of("image").line == 4
    assert web.environment["A"].place.line == 6
    assert web.environment["C"].place.line == 18


def test_broken_yaml_is_a_problem_with_its_line(tmp_path: Path) -> None:
    """A file that can't be parsed is named with the line, and nothing is raised."""
    texts = {"compose.yaml": "services:\n  web:\n    image: [a\n"}
    stack = composefiles.load(["compose.yaml"], texts.get)
    assert [(one.path, one.line) for one in stack.problems] == [("compose.yaml", 4)]


def test_extends_in_a_circle_ends(tmp_path: Path) -> None:
    """A service that extends itself over another is reported, and reading goes on."""
    texts = {"compose.yaml": "services:\n  a:\n    extends: b\n  b:\n    extends: a\n"}
    stack = composefiles.load(["compose.yaml"], texts.get)
    assert stack.problems


def test_stacks_are_told_apart() -> None:
    """A file whose services all say what they run stands alone; another lies over the default."""
    texts = {
        "compose.yaml": "services:\n  web:\n    build: .\n",
        "compose.override.yaml": "services:\n  web:\n    ports: []\n",
        "compose.prod.yaml": "services:\n  web:\n    image: example/web:1\n",
        "compose.dev.yaml": "services:\n  web:\n    command: dev\n",
        "values.yaml": "services: []\n",
    }
    assert composefiles.find_stacks(sorted(texts), texts.get) == [
        ("compose.yaml", "compose.override.yaml"),
        ("compose.yaml", "compose.dev.yaml"),
        ("compose.prod.yaml",),
    ]
