"""What Compose refuses is refused here too: the same place, the same words, and no crash."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from checks.test_check_examples import seen
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import story

WEB = "services:\n  web:\n    image: example/web:1\n"
DB = "  db:\n    image: example/db:1\n"
# The file, the line, and words of `docker compose config` that the finding has too.
REFUSED: dict[str, tuple[str, int, str]] = {
    "services in a list": ("services:\n  - web:\n      image: a\n", 1, "services must be a mapping"),
    "no services": ("services:\n", 1, "services must be a mapping"),
    "a service without anything": ("services:\n  web:\n", 2, "services.web must be a mapping"),
    "a number for a mapping": (WEB + "    deploy: 3\n", 4, "services.web.deploy must be a mapping or null"),
    "a brace that stays open": ("services:\n  web:\n    image: a:${TAG\n", 3, "invalid interpolation format"),
    "a name that is none": (WEB + "    command: run ${TAG.x}\n", 4, "invalid interpolation format"),
    "a key twice": (WEB + "    image: b\n", 4, 'mapping key "image" already defined at line 3'),
    "a service twice": (WEB + "  web:\n    image: b\n", 4, 'mapping key "web" already defined at line 2'),
    "a strange key at the root": (WEB + "foo: 1\n", 4, "Additional property foo is not allowed"),
    "the first form of all": ("web:\n  image: a\n", 1, "Additional property web is not allowed"),
    "a misspelt key": (WEB + "    enviroment: {A: b}\n", 4, "services.web Additional property enviroment is not allowed"),
    "a misspelt key of a probe": (WEB + "    healthcheck: {test: x, intervall: 2s}\n", 4, "Additional property intervall"),
    "an undefined service": (WEB + "    depends_on: [db]\n", 4, 'service "web" depends on undefined service "db"'),
    "a condition that is none": (WEB + "    depends_on:\n      db: {condition: healthy}\n" + DB, 5, "condition must be one of the following"),
    "no condition": (WEB + "    depends_on:\n      db: {restart: true}\n" + DB, 5, "depends_on.db condition is required"),
    "a circle": (WEB + "    depends_on: [db]\n" + DB + "    depends_on: [web]\n", 4, "dependency cycle detected"),
    "neither image nor build": ("services:\n  web:\n    command: run\n", 2, "has neither an image nor a build context specified"),
    "an undefined volume": (WEB + '    volumes: ["data:/x"]\n', 4, 'service "web" refers to undefined volume data'),
    "an undefined network": (WEB + "    networks: [front]\n", 4, 'service "web" refers to undefined network front'),
    "an undefined secret": (WEB + "    secrets: [front]\n", 4, 'service "web" refers to undefined secret front'),
    "mappings in a list": (WEB + "    environment:\n      - A: b\n", 5, "services.web.environment.[0]: unexpected type map[string]interface {}"),
    "a text for a mapping": (WEB + "    environment: A=b\n", 4, "services.web.environment must be a mapping"),
    "a text for a list": (WEB + '    ports: "80:80"\n', 4, "services.web.ports must be a list"),
    "a key with nothing": (WEB + "    ports:\n", 4, "services.web.ports must be a list"),
    "a number for a text": (WEB + "    user: 1000\n", 4, "services.web.user must be a string"),
    "a number among words": (WEB + "    command: [sleep, 5]\n", 4, "services.web.command.1 must be a string"),
    "seconds without a unit": (WEB + '    healthcheck: {test: x, interval: "30"}\n', 4, 'missing unit in duration "30"'),
    "a probe without CMD": (WEB + "    healthcheck:\n      test: [curl, x]\n", 5, 'must start either by "CMD", "CMD-SHELL" or "NONE"'),
    "a word for a number": (WEB + "    deploy:\n      replicas: two\n", 5, 'parsing "two": invalid syntax'),
    "a name for two containers": (WEB + "    container_name: a\n    deploy: {replicas: 2}\n", 4, "can't set container_name and web as container name must be unique"),
    "two kinds of network": (WEB + "    network_mode: host\n    networks: [default]\n", 4, "mutually exclusive `network_mode` and `networks`"),
    "an include of itself": ("include: [compose.yaml]\n" + WEB, 1, "include cycle detected"),
    "an include of nothing": ("include: [b.yaml]\n" + WEB, 1, "b.yaml: no such file or directory"),
    "an extends of nothing": (WEB + "    extends: {service: base}\n", 4, "cannot extend service"),
    "an empty file": ("", 1, "empty compose file"),
    "a volume that is a text": (WEB + "volumes:\n  data: local\n", 5, "volumes.data must be a mapping or null"),
}  # fmt: skip
TAKEN = {
    "nulls that are allowed": WEB + "    deploy:\n    command:\nvolumes:\n  data:\n",
    "variables": WEB
    + "    healthcheck: {test: x, interval: '${EVERY:-5s}', retries: '${TRIES:-3}'}\n",
    "extensions everywhere": "x-a: 1\n" + WEB + "    x-b: [1]\n    deploy: {x-c: 2}\n",
    "a list of merges": "x-a: &a {tty: true}\nx-b: &b {init: true}\n" + WEB + "    <<: [*a, *b]\n",
    "a dollar alone": WEB + "    command: echo $$HOME costs 5$\n",
    "the default network": WEB + "    networks: [default]\n",
    "a Windows path": WEB + "    volumes: ['C:\\data:/x', './a:/b', '/c:/d', anonymous]\n",
}


def refused(folder: Path) -> list[tuple[int, str]]:
    """Return the line and the predicted words of every refusal."""
    rules = ("compose-file-refused", "compose-file-unreadable")
    found = [one for one in story.examine(ProjectFiles(folder)) if one.rule in rules]
    return [(one.problem.place.line, one.problem.printed) for one in found]


@pytest.mark.parametrize("case", REFUSED, ids=lambda one: one.replace(" ", "-"))
def test_it_is_refused_in_the_engines_words(case: str, tmp_path: Path) -> None:
    """The finding stands at the line, and predicts what `docker compose config` prints."""
    text, line, words = REFUSED[case]
    (tmp_path / "compose.yaml").write_text(text, encoding="utf-8")
    assert any(at == line and words in printed for at, printed in refused(tmp_path))
    done = _config(tmp_path)
    if done is not None:
        assert done.returncode != 0
        assert words in done.stderr


@pytest.mark.parametrize("case", TAKEN, ids=lambda one: one.replace(" ", "-"))
def test_what_compose_takes_is_taken(case: str, tmp_path: Path) -> None:
    """Silence where `docker compose config` ends with 0."""
    (tmp_path / "compose.yaml").write_text(TAKEN[case], encoding="utf-8")
    assert refused(tmp_path) == []
    done = _config(tmp_path)
    assert done is None or done.returncode == 0, done.stderr


def _config(folder: Path) -> subprocess.CompletedProcess[str] | None:
    """Ask Compose itself, which needs no engine for this; None where there is none."""
    if shutil.which("docker") is None:
        return None
    argv = ["docker", "compose", "config", "--quiet"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    return None if "is not a docker command" in done.stderr else done


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
ENDLESS = {
    "an anchor in itself": (WEB + "    environment: &a\n      A: b\n      <<: *a\n", "contains the anchor itself"),
    "a list in itself": ("x-a: &a [1, *a]\n" + WEB, "contains the anchor itself"),
    "anchors of anchors": (BOMB + WEB, "excessive aliasing"),
    "brackets without end": ("services: " + "[" * 20000 + "]" * 20000 + "\n", "nested too deeply"),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDLESS, ids=lambda one: one.replace(" ", "-"))
def test_a_file_without_end_is_named(case: str, tmp_path: Path) -> None:
    """It is one finding with the reason: nothing is raised, and the rest is still looked at."""
    text, words = ENDLESS[case]
    (tmp_path / "compose.yaml").write_text(text, encoding="utf-8")
    ((_, printed),) = refused(tmp_path)
    assert words in printed


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    """Docker makes a folder where a mounted file was missing; Compose then reads a folder."""
    (tmp_path / "compose.yaml").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert refused(tmp_path) == [(0, "read compose.yaml: is a directory")]


def test_what_another_file_declares_is_not_missing(tmp_path: Path) -> None:
    """A file that is given together with the default one names services and volumes of that."""
    (tmp_path / "compose.yaml").write_text(WEB + DB + "volumes:\n  data:\n", encoding="utf-8")
    over = WEB + "    depends_on: [db]\n    volumes: ['data:/x']\n"
    (tmp_path / "compose.prod.yaml").write_text(over, encoding="utf-8")
    assert refused(tmp_path) == []


def test_what_lies_outside_of_the_project_is_not_missing(tmp_path: Path) -> None:
    """An include of a folder above, or of an address, may declare anything."""
    text = "include: ['../shared/compose.yaml', 'https://example.com/a.git']\n"
    (tmp_path / "compose.yaml").write_text(text + WEB + "    depends_on: [db]\n", encoding="utf-8")
    assert refused(tmp_path) == []


def test_an_env_file_that_an_anchor_brings(tmp_path: Path) -> None:
    """A missing env_file is named at the anchor's line; a folder called env is looked into."""
    text = "x-app: &app\n  env_file: [./env/app.env]\nservices:\n  web:\n    <<: *app\n    image: a:1\n"
    (tmp_path / "compose.yaml").write_text(text, encoding="utf-8")
    assert ("env-file-missing", "compose.yaml:2") in seen(ProjectFiles(tmp_path))
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "app.env").write_text("A=b\n")
    assert not seen(ProjectFiles(tmp_path))


def test_a_part_for_another_file_is_not_judged_alone(tmp_path: Path) -> None:
    """In a folder of its own, with others beside it, a file may name what only they declare."""
    for name in ("probe", "relay"):
        (tmp_path / name).mkdir()
        text = WEB.replace("web", name) + "    depends_on: [db]\n    volumes: ['data:/x']\n"
        (tmp_path / name / "compose.yaml").write_text(text, encoding="utf-8")
    assert refused(tmp_path) == []
