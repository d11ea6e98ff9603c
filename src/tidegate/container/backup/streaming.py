"""A backup that goes into a bucket as it is dumped, and is read from there, where this machine has
no room for it.

It is proved by reading it back from the bucket; one that is encrypted is proved on its way to the
program that encrypts it, and what lies in the bucket is compared with what came out. The manifest
comes after that: what lies there before is no backup.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from tidegate.container.backup import crypt, shelf
from tidegate.container.backup.archive import (
    FORM,
    MANIFEST,
    SUMS,
    Backup,
    Damaged,
    Draft,
    Sink,
    Writer,
)
from tidegate.container.backup.crypt import Cipher
from tidegate.container.backup.feeding import fed
from tidegate.container.backup.filters import filtered
from tidegate.container.backup.stores import Bucket
from tidegate.container.backup.witnesses import Prove, Witnesses

ROOM = 16 << 20  # bytes that stay free on a disk
VENDORS = ("postgresql", "mysql", "mariadb")
"""Whose dump is one stream; a file is copied first."""


@dataclass(slots=True)
class Sent(Draft):
    """A draft whose one file goes straight into a bucket."""

    bucket: Bucket | None = None
    name: str = ""
    expected: int = 0

    @contextmanager
    def file(self, name: str, tell: Callable[[int], None]) -> Iterator[Writer]:
        """Open it."""
        with self.upload(name) as upload:
            writer = Writer(upload, tell)
            yield writer
        self.files[name] = writer.about

    @contextmanager
    def upload(self, name: str) -> Iterator[Sink]:
        """Give the object."""
        assert self.bucket
        with self.bucket.writing(f"{self.name}/{name}", self.expected) as upload:
            yield upload

    def sealed(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the manifest says, of one that is encrypted also that."""
        return manifest


@dataclass(slots=True)
class Sealed(Sent):
    """One that is shown to witnesses on its way, and encrypted."""

    cipher: Cipher | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    witnesses: Witnesses = field(default_factory=lambda: Witnesses([]))
    plain: dict[str, dict[str, Any]] = field(default_factory=dict)

    @contextmanager
    def file(self, name: str, tell: Callable[[int], None]) -> Iterator[Writer]:
        """Open it."""
        assert self.cipher
        self.witnesses.begin(name, self.known)
        sealed = f"{name}.{self.cipher.tool}"
        with self.upload(sealed) as upload:
            out = Writer(upload, tell)
            with filtered(self.cipher.argv(), out, self.environ) as door:
                writer = Writer(_Both(self.witnesses, door), _nothing)
                yield writer
            self.witnesses.close()
        self.files[sealed] = out.about
        self.plain[name] = writer.about

    def sealed(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Wait for the witnesses, and add for whom it is encrypted."""
        assert self.cipher
        self.witnesses.agree(manifest)
        plain = {"form": FORM, "files": self.plain}
        about = {"tool": self.cipher.tool, "recipients": list(self.cipher.recipients)}
        return {**manifest, "encrypted": {**about, "plain": plain}}


class _Both:
    """Two places for the same bytes."""

    def __init__(self, one: Sink, other: Sink) -> None:
        self._one, self._other = one, other

    def write(self, data: bytes) -> None:
        """Write them to both."""
        self._one.write(data)
        self._other.write(data)


def _nothing(count: int) -> None:
    """It is the size of what goes out that is told."""


def keep(
    bucket: Bucket, alias: str, expected: int, dump: Callable[[Sent], Mapping[str, Any]],
    proofs: Sequence[Prove],
) -> Backup:  # fmt: skip
    """Have a dump written into the bucket, prove what lies there, and give it its manifest."""
    draft = Sent(Path(), bucket=bucket, name=_name(alias), expected=expected)

    def prove(backup: Backup) -> None:
        for proof in proofs:
            proof(readable(bucket, backup, {}))

    return _kept(draft, bucket, dump, prove)


def keep_sealed(
    bucket: Bucket, alias: str, expected: int, dump: Callable[[Sent], Mapping[str, Any]],
    proofs: Sequence[Prove], cipher: Cipher, environ: Mapping[str, str],
) -> Backup:  # fmt: skip
    """Have a dump proved and encrypted on its way, compare what lies there, and give it its
    manifest."""
    draft = Sealed(
        Path(), bucket=bucket, name=_name(alias), expected=expected, cipher=cipher,
        environ=environ, witnesses=Witnesses(proofs),
    )  # fmt: skip

    def compare(backup: Backup) -> None:
        for name, one in draft.files.items():
            bucket.compare(f"{draft.name}/{name}", str(one["sha256"]))

    try:
        return _kept(draft, bucket, dump, compare)
    except BaseException:
        draft.witnesses.give_up()
        raise


def _name(alias: str) -> str:
    return shelf.name_for(alias, secrets.token_hex(3))


def _kept(
    draft: Sent, bucket: Bucket, dump: Callable[[Sent], Mapping[str, Any]], prove: Prove
) -> Backup:
    name = draft.name
    try:
        manifest, papers = draft.papers(draft.sealed(dump(draft)))
        backup = Backup(Path(name), manifest, f"{bucket.url}/{name}")
        prove(backup)
        for file in (SUMS, MANIFEST):
            bucket.place(f"{name}/{file}", papers[file])
    except BaseException:
        bucket.forget([f"{name}/{file}" for file in (MANIFEST, SUMS, *draft.files)])
        raise
    backup.seal = sha256(papers[SUMS]).hexdigest()
    return backup


def fits(backup: Backup, folder: Path) -> bool:
    """Return whether a folder has room for a backup that is fetched, and decrypted there."""
    copies = 2 if "encrypted" in backup.manifest else 1
    return shutil.disk_usage(folder).free > copies * backup.bytes + ROOM


def can(backup: Backup) -> bool:
    """Return whether it can be read as one stream."""
    manifest = backup.manifest
    form = manifest.get("encrypted", {}).get("plain", manifest)["form"]
    return manifest["vendor"] in VENDORS and form == FORM


def readable(bucket: Bucket, backup: Backup, environ: Mapping[str, str]) -> Backup:
    """Return the backup as one whose data are read from the bucket, and compared each time.

    One that is encrypted is decrypted on the way, and compared with what was proved, too.
    """
    ((file, known),) = backup.manifest["files"].items()
    sealed = backup.manifest.get("encrypted")
    name = f"{backup.path.name}/{file}"
    plain = {key: value for key, value in backup.manifest.items() if key != "encrypted"}
    if sealed:
        plain |= sealed["plain"]

    def feed(out: Sink) -> None:
        if not sealed:
            _read(bucket, name, str(known["sha256"]), out)
            return
        wanted = next(iter(sealed["plain"]["files"].values()))["sha256"]
        writer = Writer(out, _nothing)
        with crypt.opening(sealed["tool"], writer, environ, backup.shown) as door:
            _read(bucket, name, str(known["sha256"]), door)
        if writer.digest.hexdigest() != wanted:
            raise crypt.another(backup, file)

    @contextmanager
    def opened() -> Iterator[IO[bytes]]:
        with fed(feed) as source:
            yield source

    return Backup(backup.path, plain, backup.url, backup.seal, opened=opened)


def _read(bucket: Bucket, name: str, digest: str, out: Sink) -> None:
    """Pass an object on; raise where it is not what it was."""
    whole = sha256()
    for chunk in bucket.chunks(name):
        whole.update(chunk)
        out.write(chunk)
    if whole.hexdigest() != digest:
        raise Damaged(
            f"{bucket.url}/{name} is not what was sent", "It was cut or changed, and is not used.",
            "use another backup; see what stands between here and the storage",
        )  # fmt: skip
