"""Fetch PostgreSQL servers of other versions, for the tests: nothing of the system is changed.

usage: python scripts/servers.py [VERSION ...] [--into DIR]

Each is unpacked from its distribution's own packages into a folder below `.matrix/servers/`. apt
fetches them by a configuration of its own: it checks the archive's signature, and each package by
the hash that the signed index has. The last line says what to set for the tests:

    export TIDEGATE_TEST_POSTGRES="$(python scripts/servers.py 13 17)"

A version that its archive doesn't have any more is left out, and said on stderr; exit 1 then.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PLACE = Path(__file__).resolve().parent.parent / ".matrix" / "servers"
DEBIAN, UBUNTU = "debian-archive-keyring", "ubuntu-archive-keyring"
PACKAGES = {DEBIAN: "debian-archive-keyring", UBUNTU: "ubuntu-keyring"}  # that have these keys
WITHIN = 120  # seconds that one call of apt may take
# Of all that a server depends on these are left out: what compiles queries, Perl for Debian's
# scripts around it, and the C library, which comes once, of the newest release.
LEFT_OUT = ("libllvm", "libz3", "libperl", "libjson-perl", "libpython", "libc6", "libc-bin",
            "libcrypt-dev")  # fmt: skip
WRAPPER = """#!/bin/sh
exec {loader} --argv0 "$0" --library-path {libraries} {program} "$@"
"""


@dataclass(frozen=True)
class Release:
    """Where a version of the server is to be had."""

    name: str
    keyring: str = DEBIAN

    @property
    def suites(self) -> tuple[str, ...]:
        """The suites: Debian puts corrections into the release itself, Ubuntu beside it."""
        return (self.name,) if self.keyring == DEBIAN else (self.name, f"{self.name}-updates")

    @property
    def archive(self) -> str:
        """The address of its archive."""
        if self.keyring == DEBIAN:
            return "http://deb.debian.org/debian"
        if architecture() in ("amd64", "i386"):
            return "http://archive.ubuntu.com/ubuntu"
        return "http://ports.ubuntu.com/ubuntu-ports"


RELEASES = {
    "13": Release("bullseye"),
    "14": Release("jammy", UBUNTU),
    "15": Release("bookworm"),
    "16": Release("noble", UBUNTU),
    "17": Release("trixie"),
    "18": Release("forky"),
}
NEWEST = RELEASES["18"]  # its C library runs what was linked with any older one


class NotToBeHad(Exception):
    """A package could not be fetched."""


class Apt:
    """apt with state, sources and keys of its own, for one release."""

    def __init__(self, release: Release, folder: Path, keyring: Path) -> None:
        self.folder = folder / release.name
        for name in ("state/lists/partial", "cache/archives/partial", "etc", "packages"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        sources = self.folder / "sources.list"
        begin = f"deb [signed-by={keyring}] {release.archive}"
        sources.write_text("".join(f"{begin} {one} main\n" for one in release.suites), "utf-8")
        options = {
            "Dir::State": self.folder / "state", "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache", "Dir::Etc": self.folder / "etc",
            "Dir::Etc::sourcelist": sources, "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::parts": "/dev/null", "Dir::Etc::trustedparts": "/dev/null",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none", "Acquire::Retries": "2", "Acquire::http::Timeout": "20",
            "Acquire::AllowInsecureRepositories": "false",
        }  # fmt: skip
        self._options = [
            word for key, value in options.items() for word in ("-o", f"{key}={value}")
        ]

    def update(self) -> None:
        """Fetch the signed index."""
        self._run("apt-get", "update", "--error-on=any")

    def depends(self, packages: Sequence[str]) -> list[str]:
        """Return `packages` and the libraries that they need."""
        no = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
        said = self._run(
            "apt-cache", "depends", "--recurse", *(f"--no-{one}" for one in no), *packages
        )
        named = [line for line in said.splitlines() if line and line[0] not in " <|"]
        return [
            *packages,
            *(one for one in named if one.startswith("lib") and not one.startswith(LEFT_OUT)),
        ]  # fmt: skip

    def unpack(self, packages: Sequence[str], into: Path) -> None:
        """Fetch packages, each by the hash in the signed index, and unpack them."""
        self._run("apt-get", "download", *dict.fromkeys(packages))
        for one in sorted((self.folder / "packages").glob("*.deb")):
            subprocess.run(["dpkg", "--extract", str(one), str(into)], check=True)
            one.unlink()

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            [command[0], *self._options, *command[1:]], cwd=self.folder / "packages", text=True,
            capture_output=True, timeout=WITHIN, env={**os.environ, "APT_CONFIG": "/dev/null"},
        )  # fmt: skip
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            raise NotToBeHad("; ".join(said or [done.stderr.strip()]))
        return done.stdout


def main(argv: Sequence[str]) -> int:
    """Fetch what isn't there yet; print the folders of the programs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("versions", nargs="*", metavar="VERSION", help=", ".join(RELEASES))
    parser.add_argument("--into", type=Path, default=PLACE)
    chosen = parser.parse_args(argv)
    unknown = [one for one in chosen.versions if one not in RELEASES]
    if unknown:
        parser.error(f"no PostgreSQL {', '.join(unknown)}; there are: {', '.join(RELEASES)}")
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        parser.error("apt-get and dpkg are needed: run it on Debian or Ubuntu, or in their images")
    got = list(fetch(chosen.versions or list(RELEASES), chosen.into.resolve()))
    print(":".join(str(one) for one in got))
    return 0 if len(got) == len(chosen.versions or RELEASES) else 1


def fetch(versions: Sequence[str], into: Path) -> Iterator[Path]:
    """Yield the folder of programs of each version that is to be had."""
    with tempfile.TemporaryDirectory(prefix="tidegate-apt-") as kept:
        for version in versions:
            programs = into / version / "usr" / "lib" / "postgresql" / version / "bin"
            try:
                if not (programs / "postgres").exists():
                    _make(version, into, Path(kept))
                yield programs
            except (NotToBeHad, subprocess.SubprocessError, OSError) as error:
                print(f"PostgreSQL {version} is left out: {error}", file=sys.stderr)


def _make(version: str, into: Path, kept: Path) -> None:
    """Unpack one server beside its place, and put it there when it answers."""
    library = into / "libc"
    if not library.exists():
        _put(lambda at: _apt(NEWEST, kept).unpack(["libc6"], at), library)
    names = [f"postgresql-{version}", f"postgresql-client-{version}"]

    def unpack(at: Path) -> None:
        apt = _apt(RELEASES[version], kept)
        apt.unpack(apt.depends(names), at)
        _wrap(at, into / version, version, library)

    _put(unpack, into / version)


@functools.cache
def _apt(release: Release, kept: Path) -> Apt:
    apt = Apt(release, kept, _keyring(release.keyring, kept))
    apt.update()
    return apt


@functools.cache
def _keyring(name: str, kept: Path) -> Path:
    """Return a distribution's keys: this machine's; Debian has Ubuntu's in a package."""
    below = Path("usr", "share", "keyrings", f"{name}.gpg")
    if Path("/", below).exists():
        return Path("/", below)
    if name == DEBIAN:
        raise NotToBeHad(f"/{below} is missing, to check packages with: install {PACKAGES[name]}")
    _apt(NEWEST, kept).unpack([PACKAGES[name]], kept / name)
    return kept / name / below


def _put(make: Callable[[Path], None], place: Path) -> None:
    """Have a folder made, whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    at = place.with_name(f"{place.name}.part")
    shutil.rmtree(at, ignore_errors=True)
    at.mkdir()
    try:
        make(at)
        at.rename(place)
    finally:
        shutil.rmtree(at, ignore_errors=True)


def _wrap(at: Path, place: Path, version: str, library: Path) -> None:
    """Put a wrapper before each program that runs it with its own libraries."""
    home = Path("usr", "lib", "postgresql", version)
    (at / home / "bin").rename(at / home / "programs")
    (at / home / "bin").mkdir()
    (at / home / "lib" / "llvmjit.so").unlink(missing_ok=True)  # or the server would load it
    folders = _with_libraries(library)
    loader = next(one for folder in folders for one in sorted(folder.glob("ld-linux*.so*")))
    folders += [place / one.relative_to(at) for one in _with_libraries(at)]
    for program in sorted((at / home / "programs").iterdir()):
        wrapper = at / home / "bin" / program.name
        if program.read_bytes()[:4] != b"\x7fELF":
            shutil.copy(program, wrapper)
            continue
        wrapper.write_text(WRAPPER.format(
            loader=loader, libraries=":".join(map(str, folders)),
            program=place / home / "programs" / program.name,
        ), "utf-8")  # fmt: skip
        wrapper.chmod(0o755)


def _with_libraries(at: Path) -> list[Path]:
    """Return the folders below `at` where a loader looks for shared libraries."""
    found = [*at.glob("usr/lib/*-linux-gnu*"), *at.glob("lib/*-linux-gnu*"), *at.glob("lib64")]
    return sorted(one for one in found if one.is_dir())


def architecture() -> str:
    """Return what dpkg calls this machine."""
    command = ["dpkg", "--print-architecture"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
