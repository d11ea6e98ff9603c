"""Dockerfiles: stages, continuation lines, heredocs, both forms of commands, and where files land."""

from __future__ import annotations

from pathlib import Path

from tidegate.reading.project import dockerfile
from tidegate.reading.project.project import ProjectFiles

FILE = """\
# syntax=docker/dockerfile:1
ARG PYTHON=3.12
FROM python:${PYTHON}-slim AS base
ENV HOME=/srv \\
    # a comment in between
    PORT=8000
WORKDIR $HOME
RUN apt-get update \\
 && apt-get install -y --no-install-recommends \\
    curl=7.* \\
 && rm -rf /var/lib/apt/lists/*

FROM base AS build
COPY src/ ./src/
RUN <<EOF
set -e
make all
EOF

FROM base
COPY --from=build --chown=app:app /srv/src /app/
COPY --chmod=755 docker/start.sh /usr/local/bin/start
USER app
ENTRYPOINT ["/usr/local/bin/start"]
CMD gunicorn app:app
"""


def test_instructions_keep_their_lines() -> None:
    """Continuation lines, comments inside them and heredocs belong to one instruction."""
    parsed = dockerfile.parse(FILE, "Dockerfile")
    lines = [(one.name, one.line, one.end_line) for one in parsed.instructions]
    assert lines[2:5] == [("ENV", 4, 6), ("WORKDIR", 7, 7), ("RUN", 8, 11)]
    heredoc = next(one for one in parsed.instructions if one.heredocs)
    assert (heredoc.line, heredoc.end_line, heredoc.heredocs) == (15, 18, ("set -e\nmake all",))


def test_stages_and_build_args() -> None:
    """ARG before FROM is replaced, and a build argument wins over its default."""
    assert [one.base for one in dockerfile.parse(FILE, "f").stages] == [
        "python:3.12-slim",
        "base",
        "base",
    ]
    assert dockerfile.parse(FILE, "f", {"PYTHON": "3.13"}).stages[0].base == "python:3.13-slim"


def test_both_forms_of_commands() -> None:
    """JSON gives words, anything else a line of shell."""
    parsed = dockerfile.parse(FILE, "f")
    entry = next(one for one in parsed.instructions if one.name == "ENTRYPOINT")
    cmd = next(one for one in parsed.instructions if one.name == "CMD")
    assert entry.words == ("/usr/local/bin/start",)
    assert (cmd.words, cmd.text) == (None, "gunicorn app:app")


def test_escape_directive() -> None:
    """A backtick continues lines where the first line says so."""
    parsed = dockerfile.parse("# escape=`\nFROM x\nRUN a `\n  b\n", "f")
    assert parsed.instructions[1].end_line == 4


def image(tmp_path: Path, tree: dict[str, str]) -> ProjectFiles:
    for name, text in tree.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return ProjectFiles(tmp_path)


def test_files_are_followed_through_stages(tmp_path: Path) -> None:
    """A file copied from an earlier stage is the project's file that went in there."""
    tree = {"Dockerfile": FILE, "src/app.py": "", "docker/start.sh": '#!/bin/sh\nexec "$@"\n'}
    found = image(tmp_path, tree).image_of("Dockerfile")
    assert found is not None
    start, app = found.origin("/usr/local/bin/start"), found.origin("/app/app.py")
    assert (start and start.source, start and start.mode) == ("docker/start.sh", "755")
    assert app and app.source == "src/app.py"
    assert (found.base, found.user, found.workdir) == ("python:3.12-slim", "app", "/srv")
    assert {"curl"} <= found.installed


def test_dockerignore_takes_files_out(tmp_path: Path) -> None:
    """What is ignored is not in the image, unless a later pattern keeps it."""
    tree = {
        "Dockerfile": "FROM python:3.12\nWORKDIR /app\nCOPY . .\n",
        ".dockerignore": "*.md\n!README.md\n**/secret\n",
        "README.md": "",
        "NOTES.md": "",
        "a/secret": "",
    }
    found = image(tmp_path, tree).image_of("Dockerfile")
    assert found is not None
    assert [bool(found.copied_to(name)) for name in ("README.md", "NOTES.md", "a/secret")] == [
        True,
        False,
        False,
    ]


def test_patterns(tmp_path: Path) -> None:
    """`COPY scripts/*.sh /bin/` brings each file that matches, under its own name."""
    tree = {
        "Dockerfile": "FROM x\nCOPY scripts/*.sh /bin/\n",
        "scripts/a.sh": "",
        "scripts/b.txt": "",
    }
    found = image(tmp_path, tree).image_of("Dockerfile")
    a, b = (found.origin(f"/bin/{name}") for name in ("a.sh", "b.txt")) if found else (None, None)
    assert (a and a.source, b) == ("scripts/a.sh", None)


def test_the_last_copy_wins(tmp_path: Path) -> None:
    """Two COPY of one path: the later one's file is there."""
    tree = {"Dockerfile": "FROM x\nCOPY a.sh /run.sh\nCOPY b.sh /run.sh\n", "a.sh": "", "b.sh": ""}
    found = image(tmp_path, tree).image_of("Dockerfile")
    origin = found.origin("/run.sh") if found else None
    assert origin and origin.source == "b.sh"
