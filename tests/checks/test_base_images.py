"""A FROM on an image that another Dockerfile of the project builds is followed to its own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.test_check_examples import Tree, seen, written
from tidegate.reading.project.image import Image
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import mending, story

BASE = """\
FROM python:3.12-slim
WORKDIR /srv
RUN useradd app
COPY start.sh /usr/local/bin/start.sh
ENTRYPOINT ["sh", "/usr/local/bin/start.sh"]
CMD ["gunicorn", "shop.wsgi"]
USER app
"""
SERVICES = """\
services:
  base:
    image: shop-base
    build: docker/base
  web:
    build: web
"""
TREE = {
    "docker/base/Dockerfile": BASE,
    "docker/base/start.sh": '#!/bin/sh\nset -e\nexec "$@"\n',
    "web/Dockerfile": "FROM shop-base\nCOPY . .\n",
    "web/manage.py": "print()\n",
    "compose.yaml": SERVICES,
}
BY_CONTEXT = SERVICES.replace(
    "build: web", "build:\n      context: web\n      additional_contexts:\n        {}"
)


def image(root: Path, tree: Tree, name: str = "web") -> tuple[ProjectFiles, Image]:
    """Return the project and the image of a service."""
    project = written(root, tree)
    found = project.image(next(one for one in project.services if one.name == name))
    assert found is not None
    return project, found


@pytest.mark.parametrize(
    ("begins", "compose"),
    [
        ("shop-base", SERVICES),
        ("docker.io/library/shop-base:latest", SERVICES),
        ("${BASE}", SERVICES.replace("build: web", "build: {context: web, args: {BASE: shop-base}}")),
        ("shop-base", SERVICES.replace("    image: shop-base\n", "").replace("services", "name: Shop\nservices", 1)),
        ("ours", BY_CONTEXT.format("ours: service:base")),
        ("ours", BY_CONTEXT.format("- ours=service:base")),
        ("ours", BY_CONTEXT.format("ours: docker-image://shop-base")),
        ("python:3.12", BY_CONTEXT.format('"python:3.12": service:base')),
    ],
)  # fmt: skip
def test_the_base_is_found(begins: str, compose: str, tmp_path: Path) -> None:
    """By the image's name, by Compose's own name for it, by a build argument, by a named context."""
    begin = "ARG BASE\nFROM " + begins if begins.startswith("$") else "FROM " + begins
    files = {"web/Dockerfile": begin + "\nCOPY . .\n", "compose.yaml": compose}
    project, found = image(tmp_path, {**TREE, **files})
    assert (found.base, found.base_place.path) == ("python:3.12-slim", "docker/base/Dockerfile")
    assert (found.user, found.workdir) == ("app", "/srv")
    script = found.origin("/usr/local/bin/start.sh")
    assert script is not None and script.source == "docker/base/start.sh"
    own = found.origin("/srv/manage.py")
    assert own is not None and own.source == "web/manage.py"
    start = project.start(next(one for one in project.services if one.name == "web"))
    assert [act.words[0] for act in start.acts if act.main] == ["gunicorn"]
    assert start.entrypoint_place.path == "docker/base/Dockerfile"


def test_a_stage_goes_before_an_image_of_its_name(tmp_path: Path) -> None:
    """A name that is both is the stage, as the builder has it."""
    own = "FROM python:3.13 AS shop-base\nWORKDIR /own\nFROM shop-base\n"
    _, found = image(tmp_path, {**TREE, "web/Dockerfile": own})
    assert (found.base, found.workdir) == ("python:3.13", "/own")


def test_an_image_that_bears_the_name_of_its_base(tmp_path: Path) -> None:
    """It begins with the one of the registry, and two that name each other end as well."""
    compose = "services:\n  web:\n    image: postgres:16\n    build: web\n"
    tree = {"web/Dockerfile": "FROM postgres:16\n", "compose.yaml": compose}
    _, found = image(tmp_path, tree)
    assert found.base == "postgres:16"
    ring = "services:\n  a: {image: a, build: a}\n  web: {image: b, build: web}\n"
    tree = {"web/Dockerfile": "FROM a\n", "a/Dockerfile": "FROM b\n", "compose.yaml": ring}
    _, found = image(tmp_path / "ring", tree)
    assert found.base == "b"


def test_an_older_tag_is_another_image(tmp_path: Path) -> None:
    """What the stack builds as `dev` says nothing about `1.4`."""
    compose = SERVICES.replace("image: shop-base", "image: shop-base:dev")
    tree = {**TREE, "web/Dockerfile": "FROM shop-base:1.4\n", "compose.yaml": compose}
    _, found = image(tmp_path, tree)
    assert (found.base, found.user) == ("shop-base:1.4", "")


def test_files_come_out_of_another_image_and_a_named_folder(tmp_path: Path) -> None:
    """COPY --from keeps their origin; the ignore file of the build that copied them counts."""
    web = (
        "FROM python:3.12\nCOPY --from=shop-base /usr/local/bin/start.sh /start.sh\n"
        "COPY --from=more . /more\n"
    )
    tree = {
        **TREE,
        "web/Dockerfile": web,
        "web/.dockerignore": "start.sh\n",
        "more/.dockerignore": "left\n",
        "more/taken": "",
        "more/left": "",
        "compose.yaml": BY_CONTEXT.format("more: ./more"),
    }
    _, found = image(tmp_path, tree)
    where = {path: found.origin(path) for path in ("/start.sh", "/more/taken", "/more/left")}
    sources = {path: one.source if one else None for path, one in where.items()}
    assert sources == {
        "/start.sh": "docker/base/start.sh",
        "/more/taken": "more/taken",
        "/more/left": None,
    }


def test_what_the_base_has_is_no_fault(tmp_path: Path) -> None:
    """Its tools, its waiting and its owned folders count for the image above."""
    waits = '#!/bin/sh\nset -e\nuntil pg_isready -h db -U a -d a; do sleep 1; done\npython manage.py migrate\nexec "$@"\n'
    probe = 'test: ["CMD", "curl", "-f", "http://localhost:8000/"]\n      start_period: 120s\n'
    tree = {
        **TREE,
        "docker/base/start.sh": waits,
        "docker/base/Dockerfile": BASE.replace(
            "RUN useradd app", "RUN apt-get install -y curl && useradd app && install -d -o app /srv/media"
        ),
        "compose.yaml": SERVICES.replace("build: docker/base", "build: docker/base\n    scale: 0")
        + "    depends_on: [db]\n    volumes:\n      - media:/srv/media\n    healthcheck:\n      "
        + probe
        + "  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: a\nvolumes:\n  media:\n",
    }  # fmt: skip
    assert [
        one for one in seen(written(tmp_path, tree)) if one[0] != "replicas-migrate-together"
    ] == []


def test_what_the_base_lacks_is_named_in_its_file(tmp_path: Path) -> None:
    """A finding points to the Dockerfile that has the line, and `--fix` mends that one."""
    tree = {
        **TREE,
        "docker/base/start.sh": "#!/bin/sh\nset -e\npython manage.py migrate\ngunicorn shop.wsgi\n",
        "compose.yaml": SERVICES
        + "    scale: 2\n    volumes:\n      - media:/srv/media\n    healthcheck:\n"
        + '      test: ["CMD", "curl", "-f", "http://localhost:8000/"]\nvolumes:\n  media:\n',
    }
    project = written(tmp_path, tree)
    found = story.examine(project)
    assert {(one.rule, one.problem.place.path) for one in found} == {
        ("app-never-gets-the-stop-signal", "docker/base/start.sh"),
        ("command-is-dropped", "docker/base/start.sh"),
        ("several-containers-migrate", "docker/base/start.sh"),
        ("probe-tool-missing", "compose.yaml"),
        ("volume-owned-by-root", "compose.yaml"),
    }
    also = {(place.path, place.line) for one in found for place in one.problem.also}
    assert {("docker/base/Dockerfile", 1), ("docker/base/Dockerfile", 7)} <= also
    mending.apply(project, mending.plan(project, found), found)
    text = (tmp_path / "docker/base/Dockerfile").read_text()
    assert "RUN install -d -o app /srv/media\nUSER app\n" in text
    assert (tmp_path / "web/Dockerfile").read_text() == TREE["web/Dockerfile"]


def test_a_command_of_the_base_s_build_is_told_once(tmp_path: Path) -> None:
    """It stands in the base's Dockerfile, and is the base's to mend."""
    migrates = BASE.replace("USER app", "RUN python manage.py migrate\nUSER app")
    project = written(tmp_path, {**TREE, "docker/base/Dockerfile": migrates})
    found = [one for one in story.examine(project) if one.rule == "database-needed-at-build"]
    assert [(one.problem.place.path, one.problem.place.line) for one in found] == [
        ("docker/base/Dockerfile", 7)
    ]


def test_a_toolbox_upon_the_app_s_image_is_no_second_app(tmp_path: Path) -> None:
    """A service of a profile that only borrows the base's start runs what a person types."""
    waits = "    depends_on:\n      db:\n        condition: service_healthy\n"
    db = '  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: a\n    healthcheck:\n      test: ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "a", "-d", "a"]\n'
    tree = {
        **TREE,
        "docker/base/start.sh": "#!/bin/sh\nset -e\npython manage.py migrate\nexec \"$@\"\n",
        "compose.yaml": "name: shop\n" + SERVICES.replace("build: docker/base\n", "build: docker/base\n" + waits) + "    profiles: [tools]\n" + db,
    }  # fmt: skip
    assert seen(written(tmp_path, tree)) == []
    started = {**tree, "web/Dockerfile": TREE["web/Dockerfile"] + 'CMD ["gunicorn", "shop.wsgi"]\n'}
    assert [rule for rule, _ in seen(written(tmp_path / "own", started))] == [
        "nothing-waits-for-database"
    ]
