"""The example projects as their READMEs say, with real images."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from support import pages
from support.gate import eventually
from support.stacks import Stack, docker, exited

Make = Callable[..., Stack]
ROOT = Path(__file__).resolve().parents[2]
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILLED = {
    "DJANGO_SECRET_KEY": "only-for-the-tests-0123456789",
    "POSTGRES_PASSWORD": "Sesame4711open",
    "HTTP_PORT": "18088",
    "DEV_PORT": "18089",
    "DEV_DB_PORT": "18090",
}


# The checks are the example's own; only the first of them comes sooner.
SOON = "    healthcheck: {start_interval: 1s}\n"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this tidegate's wheel."""
    folder = tmp_path_factory.mktemp("wheels")
    if shutil.which("uv"):
        argv = ["uv", "build", "--wheel", "-q", "-o", str(folder), str(ROOT)]
    else:
        argv = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "-q",
            "-w",
            str(folder),
            str(ROOT),
        ]
    subprocess.run(argv, check=True, timeout=120, capture_output=True)
    return folder


def example(one: Stack, name: str, services: list[str], wheels: Path) -> Stack:
    """Copy an example, with a project name of its own and our wheel as a build context."""
    shutil.copytree(ROOT / "examples" / name, one.folder, dirs_exist_ok=True)
    compose = (one.folder / "compose.yaml").read_text()
    compose = re.sub(r"^name: .*\n", "", compose, flags=re.MULTILINE)
    compose = compose.replace("image: taskboard:", f"image: {one.name}:")
    more = "".join(
        f"  {each}:\n    build: {{additional_contexts: {{wheels: {wheels}}}}}\n{SOON}"
        for each in services
    )
    if name == "taskboard":
        more += "  nginx:\n    healthcheck: {interval: 1s}\n"
    return one.write({
        "compose.yaml": f"name: {one.name}\n{compose}",
        "compose.override.yaml": f"services:\n{more}",
    })  # fmt: skip


def unsealed(one: Stack) -> None:
    """Build the next release without a seal, which is most of a build's time: it boots all the
    same, and the first one was sealed."""
    text = (one.folder / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.endswith("tidegate seal")]
    assert len(lines) == len(text.splitlines()) - 1
    one.write({"Dockerfile": "\n".join([*lines, ""])})


def blocks(page: Path, title: str) -> list[str]:
    """Return the commands of one part of a README."""
    part = page.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    part = part or page.read_text(encoding="utf-8").partition("\n## ")[0]
    lines = [line for text in SHELL.findall(part) for line in text.splitlines()]
    return [line.partition("#")[0].strip() for line in lines]


def do(one: Stack, line: str) -> None:
    """Run one line of a README as it stands."""
    if line == "cp .env.example .env":
        text = (one.folder / ".env.example").read_text()
        for name, value in FILLED.items():
            text = re.sub(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        more = [f"{name}={value}" for name, value in FILLED.items() if f"{name}=" not in text]
        one.write({".env": "\n".join([text, *more, ""])})
    elif line.startswith("tidegate "):
        exited(one, line.split()[1:], 0)
    else:
        words = line.replace('"', "").split()
        assert words[:2] == ["docker", "compose"]
        docker(*words[1:], cwd=one.folder)


def got(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status, answer.read().decode("utf-8", "replace")


def test_taskboard_as_its_readme_says(stack: Make, wheels: Path) -> None:
    """`docker compose up -d` alone is enough; then a release with a migration, one with other
    static files that is not well and takes them with it, and three webs."""
    one = example(stack(), "taskboard", ["web", "worker", "beat"], wheels)
    readme = one.folder / "README.md"
    for line in blocks(readme, "In containers"):
        do(one, line)
    board = f"http://127.0.0.1:{FILLED['HTTP_PORT']}"
    status, page = got(f"{board}/login/")
    assert status == 200
    style = re.search(r'href="(/static/[^"]+\.css)"', page)
    assert style
    assert got(board + style[1])[0] == 200, "nginx serves the collected files from the volume"
    assert sql(one, "select count(*) from tidegate_run where state = 'done'") == "1"
    one.write({
        "tasks/migrations/0019_task_note.py": "from django.db import migrations, models\n\n\n"
        "class Migration(migrations.Migration):\n"
        "    dependencies = [('tasks', '0018_alter_task_priority_alter_task_status')]\n"
        "    operations = [migrations.AddField('task', 'note', models.TextField(default=''))]\n"
    })  # fmt: skip
    unsealed(one)
    before = {name: one.ids(name) for name in ("web", "worker", "beat", "db", "redis", "nginx")}
    for line in blocks(readme, "A new release"):
        do(one, line)
    after = {name: one.ids(name) for name in before}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"web", "worker", "beat"}
    assert got(f"{board}/login/")[0] == 200
    plain = f"{board}/static/tasks/board.css"
    before_it = (got(plain), got(f"{board}/static/staticfiles.json"))
    one.write({"board.css": "body { color: red }\n", "Dockerfile.red": RED.format(one.name)})
    docker("build", "-q", "-t", f"{one.name}:latest", "-f", "Dockerfile.red", ".", cwd=one.folder)
    red = ["up", "--no-build", "--only", "web", "--timeout", "9", "--verify", f"{board}/gone"]
    assert "1 static file copied to '/srv/static'" in exited(one, red, 8).err
    assert (got(plain), got(f"{board}/static/staticfiles.json")) == before_it
    assert got(board + style[1])[0] == 200, "the page's own file, by its hash"
    one.compose("down", "--volumes", "-t", "2")
    one.compose("up", "-d", "--scale", "web=3", "--wait", "web")
    assert sql(one, "select count(*) from tidegate_run") == "1", "one of three webs migrated"
    assert len(one.ids("web")) == 3


# A release with another style sheet, made of the one that runs; nothing else is built. A seal would
# know the old sheet; without one the files themselves are looked at.
RED = """\
FROM {}:latest
USER root
RUN rm -f tidegate.seal
COPY board.css tasks/static/tasks/board.css
USER app
"""


def sql(one: Stack, text: str) -> str:
    return one.compose("exec", "-T", "db", "psql", "-U", "taskboard", "-Atc", text)


def test_taskboard_in_development(stack: Make, wheels: Path) -> None:
    """The source is mounted, the gate stays in front, and a changed file is served at once."""
    one = example(stack(), "taskboard", ["web", "worker", "beat"], wheels)
    do(one, "cp .env.example .env")
    dev = (one.folder / "compose.dev.yaml").read_text()
    one.write({"compose.dev.yaml": dev.replace(
        "  web:\n    <<: *dev\n",
        f"  web:\n    <<: *dev\n    build: {{additional_contexts: {{wheels: {wheels}}}}}\n",
    )})  # fmt: skip
    start, make, migrate = pages.lines("how-to/develop-with-hot-reload.md")
    pages.do(one, start)
    page = f"http://127.0.0.1:{FILLED['DEV_PORT']}/login/"
    eventually(lambda: answered(page) == 200, 90, "the development server")
    pages.do(one, migrate)
    template = one.folder / "tasks/templates/base.html"
    template.write_text(template.read_text() + "<!-- fresh from the host -->\n")
    eventually(lambda: "fresh from the host" in text_of(page), 30, "the changed page")
    models = one.folder / "tasks/models.py"
    text = models.read_text()
    assert "class Department(" in text
    models.write_text(text.replace(
        "class Department(models.Model):\n",
        "class Department(models.Model):\n    room = models.CharField(max_length=9, default='')\n",
    ))  # fmt: skip
    assert 'ADD COLUMN "room"' in pages.do(one, make).out
    assert list((one.folder / "tasks/migrations").glob("*_add_rooms.py"))


def answered(url: str) -> int:
    try:
        return got(url)[0]
    except OSError:
        return 0


def text_of(url: str) -> str:
    try:
        return got(url)[1]
    except OSError:
        return ""


def test_menuplanner_as_its_readme_says(stack: Make, wheels: Path) -> None:
    """SQLite in a volume: a start, a release with a revision, a second replica on the volume."""
    one = example(stack(), "menuplanner", ["web"], wheels)
    readme = one.folder / "README.md"
    for line in blocks(readme, ""):
        do(one, line)
    made = one.folder / "menuplanner/models.py"
    text = made.read_text()
    made.write_text(text + NOTE)
    done = exited(one, ["make", "-m", "note"], 0)
    assert "CREATE TABLE note" in done.out
    unsealed(one)
    for line in blocks(readme, "A new release"):
        do(one, line)
    assert exited(one, ["status", "--check"], 0)
    old = one.ids()
    one.compose("up", "-d", "--no-deps", "--no-build", "--scale", "web=2", "web", "--wait")
    assert len(one.ids() - old) == 1


NOTE = """

class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
"""
