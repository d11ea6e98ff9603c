"""`backup` and `restore` through the project's target: the files are here, the database there.

The container of the app knows the login, the level and the ledger, and holds the election.
pg_dump and pg_restore are run in the database's own container, or are this machine's.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from tidegate.container import approving
from tidegate.container.backup import (
    archive,
    containers,
    errands,
    making,
    pgdump,
    pgread,
    places,
    proving,
    shelf,
    tools,
)
from tidegate.container.backup.archive import Backup, Draft
from tidegate.container.backup.progress import Progress
from tidegate.container.backup.snapshotlist import SCHEME
from tidegate.container.entry import Globals
from tidegate.container.outlet import answer
from tidegate.container.report import Report
from tidegate.contracts.target import Target
from tidegate.errors import ElectionNotWon, Stopped, UsageProblem
from tidegate.frontends.cli import mysqling
from tidegate.frontends.cli.serving import Asked, Serving
from tidegate.model.connection import Connection
from tidegate.reading.project import ignore
from tidegate.workflows.update import insiding, standing

COPY = "data.sqlite3"
STANDS = {
    "backup": "nothing was kept of this backup, and nothing was changed",
    "restore": "the old database stands, unless a line above says that it is the backup; then "
    "that one is complete. See tidegate status, and start again",
}
Opener = Callable[[str], AbstractContextManager[Backup]]
FLAGS = ("--to", "--verify", "--keep", "--days", "--jobs", "--recipient", "--scratch")
SWITCHES = ("--snapshot", "--end-sessions")
INSIDE = ("--databases", "--framework", "--timeout")


class Lent:
    """A database that a container holds still for us; see `container.backup.source`."""

    def __init__(self, asked: Asked, target: Target, environ: Mapping[str, str]) -> None:
        self.asked, self.target, self.environ = asked, target, environ
        self.connection = asked.connection()
        self.framework = str(asked.event["framework"])

    @property
    def server(self) -> str:
        """What the container read; a file has none."""
        return str(self.asked.event.get("server", ""))

    def level(self) -> dict[str, Any]:
        """What the container read under the election."""
        known = ("level", "level_digest", "half")  # an image's own tidegate may be older
        return {key: self.asked.event[key] for key in known if key in self.asked.event}

    def size(self) -> tuple[int, str]:
        """What the container read, too."""
        return int(self.asked.event["size"]), str(self.asked.event["tool"])

    def dump(self, draft: Draft, tell: Progress, jobs: int) -> dict[str, Any]:
        """Write the data into the draft; the rows are counted in the container meanwhile."""
        created = {"created": self.asked.event["created"]}
        if self.connection.vendor == "sqlite":
            with draft.file(COPY, tell) as out, open(self.asked.folder / COPY, "rb") as source:
                while chunk := source.read(archive.CHUNK):
                    out.write(chunk)
            return {**created, **self.asked.wait("facts")}
        server = str(self.asked.event["server"])
        program = programs(self.target, self.environ, server, "pg_dump")
        jobs = 1 if program.prefix else jobs
        event = self.asked.event
        needs = {key: event[key] for key in pgdump.NEEDS if key in event}
        draft.known |= {**pgdump.about(program, server, jobs, 0), **needs}
        raw = pgdump.write(program, str(self.asked.event["snapshot"]), self.connection, draft,
                           self.environ, tell, jobs)  # fmt: skip
        self.asked.say("dumped", {})
        about = pgdump.about(program, server, jobs, raw)
        seen = {key: event[key] for key in pgdump.SEEN if key in event}
        return {**created, **about, **seen, **self.asked.wait("facts")}


def programs(target: Target, environ: Mapping[str, str], server: str, program: str) -> tools.Tools:
    """Return PostgreSQL's programs that fit: of the database's container, else of this machine."""
    docker = shutil.which("docker", path=environ.get("PATH")) or "docker"
    for one in target.containers():
        if one.service == target.database and one.up and not environ.get("TIDEGATE_PG_BIN"):
            prefix = containers.as_an_app(docker, one.id)
            found = tools.in_container(prefix, program, one.name)
            if found and found.major >= int(server.split(".")[0]):
                return found
    return tools.fitting(environ, server, program)


def backup(
    glob: Globals, target: Target, report: Report, found: Mapping[str, str],
    environ: Mapping[str, str],
) -> int:  # fmt: skip
    """Back up every database of the project into a folder, or a bucket, of this machine's."""
    flags = {flag[2:]: found[flag] for flag in FLAGS if flag in found}
    if "to" in flags:
        where = flags.pop("to")
        flags["dir"] = where if places.is_remote(where) else str(Path(where).absolute())
    chosen = making.policy(Path(glob.root), environ, flags)
    if "--snapshot" in found:
        return _snapshot(glob, target, report, found, environ, chosen)
    _warn_of_image(target, chosen, report)
    receipts: list[dict[str, Any]] = []

    def keep(asked: Asked) -> Mapping[str, Any]:
        if "recorded" in asked.event:
            login, server = mysqling.login(asked, target, environ)
            report.secrets += _secret(login.connection)
            receipt = mysqling.keep(asked, login, server, chosen, environ, report)
            receipts.append({"database": login.connection.alias, **receipt})
            return receipt
        source = Lent(asked, target, environ)
        report.secrets += _secret(source.connection)
        receipt = making.keep(source, chosen, environ, report)
        receipts.append({"database": source.connection.alias, **receipt})
        return receipt

    words = [word for flag in INSIDE if flag in found for word in (flag, found[flag])]
    with Serving(environ, {"keep": keep}) as serving:
        _run(target, report, serving, ("backup", *words))
    _print(glob, receipts)
    return 0


def _print(glob: Globals, receipts: Sequence[Mapping[str, Any]]) -> None:
    if glob.format == "json":
        answer(json.dumps({"backups": receipts}, indent=2))
    elif glob.format != "jsonl":
        answer("\n".join(str(one.get("path") or one["label"]) for one in receipts))


def _snapshot(
    glob: Globals, target: Target, report: Report, found: Mapping[str, str],
    environ: Mapping[str, str], chosen: making.Policy,
) -> int:  # fmt: skip
    """The server makes it, and keeps it: nothing comes out here."""
    words = ["--verify", chosen.verify, "--keep", str(chosen.keep), "--days", str(chosen.days)]
    words += [flag for flag in SWITCHES if flag in found]
    words += [word for flag in INSIDE if flag in found for word in (flag, found[flag])]
    with Serving(environ, {}) as serving:
        said = _run(target, report, serving, ("backup", *words))
    _print(glob, next(one for one in said if one["stage"] == insiding.RESULT)["backups"])
    return 0


def restore(
    glob: Globals, target: Target, report: Report, found: Mapping[str, str], words: list[str],
    environ: Mapping[str, str],
) -> int:  # fmt: skip
    """Bring a backup of this machine's back as the project's own database."""
    if not words:
        raise UsageProblem("restore needs a backup", "", "tidegate restore backups/NAME")
    known = {**environ}
    command = f"tidegate restore {words[0]}"
    if found.get("--identity"):
        known["TIDEGATE_BACKUP_IDENTITY"] = found["--identity"]
        command += f" --identity {found['--identity']}"
    command += "".join(f" {flag} {found[flag]}" for flag in ("--env", "--service") if flag in found)

    def word(asked: Asked) -> Mapping[str, Any]:
        approving.need_word(found.get("--approve", ""), asked.event["word"],
                            asked.event["lost"], command, environ)  # fmt: skip
        return {}

    more = [each for flag in INSIDE if flag in found for each in (flag, found[flag])]
    with ExitStack() as stack:
        answers: dict[str, Any] = {"word": word}
        offered = []
        if not words[0].startswith(SCHEME):
            offered.append(places.named(words[0], known))
            here = stack.enter_context(places.plain(offered[0], known))
            proving.read_back(here, known)
            report.stage("verify", str(here.manifest["alias"]), "the backup is whole")
            answers |= bringing(lambda path: nullcontext(here), target, known)
            answers |= mysqling.bringing(offered[0], here, target, known, report)
        serving = stack.enter_context(Serving(environ, answers))
        offer(serving, offered)
        said = _run(target, report, serving, ("restore", words[0], *more))
    done = next(one for one in said if one["stage"] == insiding.RESULT)
    answer(done["kept"] or done["name"])
    return 0


def bringing(opened: Opener, target: Target, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the answers that a restore needs; `opened` gives the plain files of a backup."""

    def fill(asked: Asked) -> Mapping[str, Any]:
        fresh = asked.connection()
        with opened(asked.event["path"]) as here:
            program = programs(target, environ, str(here.manifest["tool_major"]), "pg_restore")
            pgread.fill(here, fresh, environ, bool(asked.event["owners"]), program)
        return {}

    def data(asked: Asked) -> Mapping[str, Any]:
        place = asked.folder / COPY
        with opened(asked.event["path"]) as here:
            shutil.copyfile(here.data, place)
        place.chmod(0o644)
        return {}

    return {"fill": fill, "data": data}


def known(root: Path, environ: Mapping[str, str], found: Mapping[str, str]) -> dict[str, Backup]:
    """Return the backups that this machine knows of, for a way back."""
    chosen = making.policy(root, environ, {})
    out = shelf.every(chosen.folder) if not chosen.remote else []
    if chosen.remote:
        for alias in (found.get("--databases") or "default").split(","):
            out += places.found(chosen.folder, chosen.remote, alias, environ)
    named = found.get("--from", "")
    if places.is_remote(named):
        for alias in (found.get("--databases") or "default").split(","):
            out += places.found(Path(), named, alias, environ)
    elif named:
        out += shelf.every(Path(named).absolute())
    return {one.shown: one for one in out}


def opening(known: Mapping[str, Backup], environ: Mapping[str, str]) -> Opener:
    """Return what opens one of them: decrypted and fetched where it has to be, and proved."""

    @contextmanager
    def opened(path: str) -> Iterator[Backup]:
        with places.plain(known[path], environ) as here:
            proving.read_back(here, environ)
            yield here

    return opened


def offer(serving: Serving, backups: list[Backup]) -> None:
    """Show the container what backups there are: their manifests, and no data."""
    listed = [{"shown": one.shown, "seal": archive.seal_of(one), "manifest": one.manifest}
              for one in backups]  # fmt: skip
    errands.write(serving.folder, errands.KNOWN, {"backups": listed})


def _run(
    target: Target, report: Report, serving: Serving, words: tuple[str, ...]
) -> list[insiding.Event]:
    standing.prepared(target, target.migrator, report)
    command = target.inside(
        ("--format", "jsonl", *words), mounts=serving.mounts, environ=serving.variables
    )
    try:
        return insiding.talk(
            command, report, lambda: insiding.end_leftovers(target, report), serving
        )
    except Stopped as stop:
        stop.stands = stop.stands or STANDS.get(words[0], "")
        raise
    except ElectionNotWon:  # the inside knows who was in the way
        raise
    except Exception as error:
        raise serving.problem or error from None


def _warn_of_image(target: Target, chosen: making.Policy, report: Report) -> None:
    """A folder of backups below the code gets into the next image that is built of it."""
    for code in dict.fromkeys(one.code for one in target.services if one.code):
        if chosen.remote or not chosen.folder.is_relative_to(code):
            continue
        try:
            text = Path(code, ".dockerignore").read_text("utf-8")
        except OSError:
            text = ""
        inner = chosen.folder.relative_to(code).as_posix()
        if not ignore.parse(text, ".dockerignore").ignores(inner):
            report.warn(
                f"{chosen.folder} lies in what the image is built from, and would be copied into "
                f"it: write {inner}/ into {Path(code, '.dockerignore')}, or name another folder "
                "with --to"
            )


def _secret(connection: Connection) -> tuple[str, ...]:
    return (connection.password.reveal(),) if connection.password else ()
