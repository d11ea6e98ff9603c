"""A named volume of Docker's as a place for backups, from where the command is typed.

The engine's files can't be reached from here, so a container that only holds the volume writes and
reads them, as a tar through its stdin and stdout. It runs as the owner of the volume's folder, and
a backup has its name when every digest was compared there.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

from tidegate.container.backup.archive import CHUNK, MANIFEST, SUMS, Backup, Damaged, NoBackup
from tidegate.container.report import masked
from tidegate.errors import NotReady, RefusedForGood, StepFailed, UsageProblem

SCHEME = "volume:"
INNER = "/tidegate-backups"
IMAGE = "busybox:latest"  # has all that is needed, where no container holds the volume yet
LABEL = "com.docker.compose.volume"
LONGEST = 60.0  # seconds for a question
# The owner of the folder is asked first, so that an app's container can read what lies there.
AS_OWNER = f"cd {INNER} && own=$(stat -c %u:%g .) && umask 077 && "
PUT = (
    AS_OWNER + "rm -rf .part-$1 && mkdir .part-$1 && cd .part-$1 && tar -xf - && "
    "sha256sum -c SHA256SUMS >/dev/null && chown -R $own . && cd .. && mv .part-$1 $1 && sync"
)
LIST = AS_OWNER + (  # a name stands for itself where it is a pattern without a file
    "set -- $1*/manifest.json $1*/SHA256SUMS && "
    'for one; do shift; [ ! -e "$one" ] || set -- "$@" "$one"; done && '
    '[ $# = 0 ] || tar -cf - "$@"'
)
GIVE = AS_OWNER + 'tar -cf - "$1"'
REMOVE = AS_OWNER + 'rm -rf "$1"'

Tell = Callable[[int], None]


class Volume:
    """One volume; see `stores.Bucket`, which does the same for object storage."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self.url, self.environ = url.rstrip("/"), environ
        self.named = self.url[len(SCHEME) :]
        if not self.named or "/" in self.named:
            raise UsageProblem(f"{url} names no volume", "", "write it as volume:NAME")
        self.docker = shutil.which("docker", path=environ.get("PATH")) or ""
        if not self.docker:
            raise UsageProblem(
                f"{self.url} needs docker, and there is none here",
                "A volume is written through the engine that has it.",
                "in a container, mount the volume and name its folder with TIDEGATE_BACKUP_DIR",
            )
        self.name = self._found()
        self.image = self._image()

    def _found(self) -> str:
        """Return the engine's name: the one that was given, or Compose's for it."""
        known = self._ask("volume", "ls", "--format", "{{.Name}}").split()
        if self.named in known:
            return self.named
        label = f"label={LABEL}={self.named}"
        found = self._ask("volume", "ls", "--filter", label, "--format", "{{.Name}}").split()
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageProblem(
                f"several projects have a volume {self.named}: {', '.join(found)}", "",
                f"name it in full: {SCHEME}{found[0]}",
            )  # fmt: skip
        raise RefusedForGood(
            f"there is no volume {self.named}", "tidegate makes none. Nothing was changed.",
            f"make it: docker volume create {self.named}; docker volume ls shows what is there",
        )  # fmt: skip

    def _image(self) -> str:
        """Return an image that is there already: that of a container with the volume."""
        given = self.environ.get("TIDEGATE_BACKUP_IMAGE", "")
        words = ("ps", "-a", "--filter", f"volume={self.name}", "--format", "{{.Image}}")
        return given or next(iter(self._ask(*words).split()), IMAGE)

    def _ask(self, *words: str) -> str:
        try:
            done = subprocess.run([self.docker, *words], env=dict(self.environ), text=True,
                                  capture_output=True, timeout=LONGEST, check=False)  # fmt: skip
        except subprocess.TimeoutExpired:
            raise NotReady(f"docker does not answer within {LONGEST:.0f} s") from None
        if done.returncode:
            raise NotReady(
                f"docker does not answer: {_last(done.stderr)}",
                f"{self.url} is a volume of its engine's.", "see whether it runs: docker info",
            )  # fmt: skip
        return done.stdout

    def check(self) -> None:
        """Raise now what a put would raise after a long dump: nothing that was not asked."""

    def put(self, backup: Backup, tell: Tell) -> Backup:
        """Put a backup there; its digests are compared before it has its name."""
        name = backup.path.name
        with self._running(PUT, name, takes=True) as (into, _), _archive(into) as tar:
            sent = 0
            for file in [*backup.manifest["files"], SUMS, MANIFEST]:
                tar.add(backup.path / file, file)
                sent += (backup.path / file).stat().st_size
                tell(sent)
        seal = sha256((backup.path / SUMS).read_bytes()).hexdigest()
        return Backup(Path(name), backup.manifest, f"{self.url}/{name}", seal)

    def open(self, name: str) -> Backup:
        """Read the manifest of one backup. Raises NoBackup or Damaged."""
        for one in self._listed(name):
            if one.path.name == name:
                return one
        raise NoBackup(
            f"{self.url}/{name} does not exist, or is not whole",
            "It was named as a backup. Nothing was changed.",
            f"see what is there: docker run --rm -v {self.name}:/b {self.image} ls /b",
        )

    def fetch(self, backup: Backup, folder: Path) -> Path:
        """Bring all of it into an empty folder on this machine."""
        with self._running(GIVE, backup.path.name) as (_, out), _reading(out) as tar:
            tar.extractall(folder, filter="data")
        return folder / backup.path.name

    def backups(self, alias: str, newest: bool = False) -> list[Backup]:
        """Return the whole backups of one database, oldest first; with `newest` the last alone."""
        found = [one for one in self._listed(f"{alias}-") if one.manifest.get("alias") == alias]
        return found[-1:] if newest else found

    def _listed(self, start: str) -> list[Backup]:
        texts: dict[str, dict[str, bytes]] = {}
        with self._running(LIST, start) as (_, out):
            data = out.read()
        if data:
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for member in tar:
                    file = tar.extractfile(member)
                    folder, _, name = member.name.partition("/")
                    if file and not folder.startswith("."):
                        texts.setdefault(folder, {})[name] = file.read()
        found = []
        for name, parts in texts.items():
            try:
                manifest = json.loads(parts[MANIFEST])
                seal = sha256(parts[SUMS]).hexdigest()
                found.append(Backup(Path(name), manifest, f"{self.url}/{name}", seal))
            except (KeyError, ValueError):
                continue
        return sorted(found, key=lambda one: one.created)

    def remove(self, backup: Backup) -> None:
        """Remove one backup."""
        with self._running(REMOVE, backup.path.name):
            pass

    @contextmanager
    def _running(
        self, script: str, word: str, takes: bool = False
    ) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        """Run a script in a container that has the volume and nothing else."""
        argv = [self.docker, "run", "--rm", "-i", "--network", "none", "--user", "0",
                "-v", f"{self.name}:{INNER}", "--entrypoint", "sh", self.image,
                "-c", script, "sh", word]  # fmt: skip
        process = subprocess.Popen(
            argv, env=dict(self.environ), stderr=subprocess.PIPE, stdout=subprocess.PIPE,
            stdin=subprocess.PIPE if takes else subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout and process.stderr
        try:
            yield process.stdin or io.BytesIO(), process.stdout
        except BrokenPipeError:
            pass  # what it says, below, is why
        except BaseException:
            process.kill()
            raise
        finally:
            if process.stdin and not process.stdin.closed:
                try:
                    process.stdin.close()
                except BrokenPipeError:
                    pass
            process.stdout.read()
            said = process.stderr.read().decode("utf-8", "replace")
            code = process.wait()
        if code:
            raise self._failed(said)

    def _failed(self, said: str) -> StepFailed:
        text = masked(_last(said))
        if "No space" in said:
            return StepFailed(f"the volume {self.name} is full", "Nothing was kept of it.",
                              "make room there, or name another place with --to")  # fmt: skip
        if "did NOT match" in said:
            return Damaged(f"what came to {self.url} is not what was sent", "", "start again")
        return StepFailed(
            f"{self.url} could not be written or read: {text}",
            f"It was done by a container of {self.image}.",
            "see what it says; TIDEGATE_BACKUP_IMAGE names an image with sh, tar and sha256sum",
        )


@contextmanager
def _archive(into: IO[bytes]) -> Iterator[tarfile.TarFile]:
    with tarfile.open(fileobj=into, mode="w|", bufsize=CHUNK) as tar:
        yield tar
    into.close()


@contextmanager
def _reading(out: IO[bytes]) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=out, mode="r|", bufsize=CHUNK) as tar:
            yield tar
    except tarfile.ReadError:
        pass  # the container says why


def _last(text: str) -> str:
    return next(iter(text.strip().splitlines()[-1:]), "it says nothing")
