"""The container migrates at its start, and nothing waits for the database.

`depends_on` in its short form orders the starts and waits for nothing: the database takes seconds before it accepts connections, the migration fails at once, and the container ends or restarts until it is lucky.
Wait for a health check (`condition: service_healthy`), or in the entrypoint; `tidegate boot` waits by itself.
It is silent where the entrypoint waits in any way, where a loop tries again, and for services that only serve.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts, words
from tidegate.reading.project.acts import Act, shown
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service
from tidegate.reading.project.tree import Item

SEVERITY = "warning"
ERRORS = (
    r"Connection refused",
    r"\[Errno 111\] Connect call failed",
    r"the database system is starting up",
    r"Is the server running on (that )?host",
    r"could not connect to server",
    r"Can't connect to (MySQL )?server",
)
PRINTED = 'connection to server at "db" (172.18.0.2), port 5432 failed: Connection refused'
WHEN = "at the first start, while the database initialises its volume, and after a restart of both"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["sh", "-c", "python manage.py migrate && exec gunicorn shop.wsgi"]\n',
    "compose.yaml": """services:
  web:
    build: .
    depends_on:
      - db
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: shop
""",
}
GOOD = {
    **BAD,
    "compose.yaml": """services:
  web:
    build: .
    depends_on:
      db:
        condition: service_healthy
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: shop
    healthcheck:
      test: ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "postgres", "-d", "postgres"]
""",
}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield migrating services that start without waiting for their database."""
    for service in facts.built(project):
        servers = facts.databases(project, service)
        act = project.start(service).first(words.migrates)
        if act is None or not servers or _copes(project, service, act):
            continue
        if _toolbox(project, service):
            continue
        needed = [one for one in servers if one.name in service.depends_on] or servers[:1]
        server = needed[0]
        if any(
            facts.waits_for(project, service, one)
            for one in project.siblings(service)
            if one is not service
        ):
            continue
        at = (
            service.depends_on[server.name][1].place
            if server.name in service.depends_on
            else service.place
        )
        yield Problem(
            at,
            f"{service.name} runs `{shown(act.words)}` as soon as {server.name} is started, which is before it accepts connections.",
            f"wait for it: depends_on {server.name} with condition: service_healthy, and a health check on {server.name};\n"
            "or start with `tidegate boot -- COMMAND`, which waits",
            (act.place,),
            _mend(project, service, server),
            printed=f'connection to server at "{server.name}" failed: Connection refused',
        )


def _toolbox(project: ProjectFiles, service: Service) -> bool:
    """Whether it only borrows another image's start, to run commands of a person beside it."""
    image = project.image(service)
    own = service.words("command") is not None or service.words("entrypoint") is not None
    start = project.start(service)
    told = (start.command_place if start.command else start.entrypoint_place).path
    return (
        service.get("profiles") is not None and not own and image is not None and told != image.path
    )


def _copes(project: ProjectFiles, service: Service, migrate: Act) -> bool:
    acts = project.start(service).acts
    before = acts[: acts.index(migrate)]
    if any(words.waits(act.words) for act in before) or migrate.locked:
        return True
    looped = any({"loop", "until", "for"} & set(act.command.inside) for act in (*before, migrate))
    python = any(_waits_in_python(project, act) for act in before)
    return looped or python


def _waits_in_python(project: ProjectFiles, act: Act) -> bool:
    """A Python file that connects and sleeps or retries is a waiter, whatever its name."""
    names = [word for word in act.words if word.endswith(".py") and "manage.py" not in word]
    heredoc = act.command.heredoc
    texts = [heredoc] if heredoc else []
    for name in names:
        texts += [
            project.read(path) or ""
            for path in project.paths
            if path.endswith(name.rpartition("/")[2])
        ]
    return any(("sleep" in text or "retry" in text or "tenacity" in text) for text in texts)


def _mend(project: ProjectFiles, service: Service, server: Service) -> tuple[Edit, ...]:
    """Rewrite the short list as a mapping, and give the server a health check if it has none."""
    found = service.get("depends_on")
    path = found.path if found is not None else service.item.path
    text = project.read(path)
    if (
        text is None
        or not facts.is_postgres(server)
        or server.item.path != path
        or server.health_disabled
    ):
        return ()
    if found is None:
        out = list(
            edits.add_key(
                service.item,
                text,
                "depends_on",
                f"\n  {server.name}:\n    condition: service_healthy",
            )
        )
    elif not isinstance(found.value, tuple) or server.name not in service.depends_on:
        return ()
    elif found.style == "flow":
        out = [Edit(found.path, found.start, found.end, _conditions(found, server.name))]
    else:
        out = _longer(found, text, server.name)
    if server.own_health is None and out:
        probe = (
            '\n  test: ["CMD-SHELL", \'pg_isready -h 127.0.0.1 -U "$${POSTGRES_USER:-postgres}"\']'
            "\n  interval: 2s\n  timeout: 3s\n  retries: 15\n  start_period: 60s"
        )
        out += edits.add_key(server.item, text, "healthcheck", probe)
    return tuple(out)


def _conditions(found: Item, server: str) -> str:
    """Return `[db, cache]` as the mapping that waits for the one and only orders the other."""
    each = (
        f"{one.text}: {{condition: service_{'healthy' if one.text == server else 'started'}}}"
        for one in found.items
    )
    return "{" + ", ".join(each) + "}"


def _longer(found: Item, text: str, server: str) -> list[Edit]:
    """Return the edits that turn each `- name` into a name with its condition."""
    out: list[Edit] = []
    lines = text.split("\n")
    for one in found.items:
        line = lines[one.line - 1].rstrip("\r")
        lead = line[: len(line) - len(line.lstrip())]
        condition = "service_healthy" if one.text == server else "service_started"
        body = f"{lead}{one.text}:\n{lead}  condition: {condition}"
        begin = edits.line_start(text, one.line)
        out.append(
            Edit(found.path, begin, begin + len(line), body.replace("\n", edits.newline(text)))
        )
    return out
