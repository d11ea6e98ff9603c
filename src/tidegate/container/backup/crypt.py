"""Encryption by the well-known tools: age (or rage), and gpg. Keys are recipients, never phrases.

A backup is proved first, and encrypted then: its manifest keeps the digests of what was proved,
and whoever decrypts it compares with them. A folder of files is encrypted as one tar.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tidegate.container.backup import archive
from tidegate.container.backup.archive import CHUNK, DATA, Backup, Damaged, Sink
from tidegate.container.backup.filters import Broken, filtered, last
from tidegate.errors import PolicyRefused, StepFailed, UsageProblem

AGE = ("age", "rage")
INSTALL = {"age": "apt-get install age (Debian), apk add age (Alpine)",
           "gpg": "apt-get install gpg (Debian), apk add gnupg (Alpine)"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cipher:
    """One tool, and for whom it encrypts."""

    tool: str
    program: str
    recipients: tuple[str, ...]

    def argv(self) -> list[str]:
        """Return the command that encrypts stdin."""
        if self.tool == "age":
            return [self.program, *(word for one in self.recipients for word in ("-r", one))]
        named = [word for one in self.recipients for word in ("--recipient", one)]
        # The user names the key; whether its owner is trusted is a question for mail.
        return [self.program, "--batch", "--quiet", "--trust-model", "always", "--no-encrypt-to",
                "--no-auto-key-locate", "--compress-algo", "none", *named, "--encrypt"]  # fmt: skip


def cipher_for(recipients: str, environ: Mapping[str, str]) -> Cipher | None:
    """Return what encrypts for these recipients, tried once; None where there are none.

    An age recipient is a key (`age1…`, `ssh-…`); every other name is for gpg's key ring.
    """
    names = tuple(one.strip() for one in recipients.split(",") if one.strip())
    if not names:
        return None
    tool = "age" if all(one.startswith(("age1", "ssh-")) for one in names) else "gpg"
    cipher = Cipher(tool, _program(tool, environ), names)
    tried = subprocess.run(cipher.argv(), env=dict(environ), stdin=subprocess.DEVNULL,
                           capture_output=True, check=False)  # fmt: skip
    if tried.returncode:
        raise UsageProblem(
            f"{tool} can't encrypt for {', '.join(names)}: {last(tried.stderr)}",
            "The backup was not begun. Nothing was changed.",
            "give a public key (age1…, ssh-ed25519 …), or the fingerprint of a key that "
            "`gpg --list-keys` shows, in TIDEGATE_BACKUP_RECIPIENT or --recipient",
        )
    return cipher


def _program(tool: str, environ: Mapping[str, str]) -> str:
    for name in AGE if tool == "age" else (tool,):
        if found := shutil.which(name, path=environ.get("PATH")):
            return found
    raise PolicyRefused(
        f"there is no {tool} here",
        f"A backup that is encrypted for its recipient needs {tool}. Nothing was changed.",
        f"install it: {INSTALL[tool]}",
    )


def encrypted(backup: Backup, cipher: Cipher, folder: Path, environ: Mapping[str, str]) -> Backup:
    """Write an encrypted copy of a proved backup into `folder`, under its name."""
    plain = {key: backup.manifest[key] for key in ("form", "files")}
    name = f"{DATA}.tar" if backup.data.is_dir() else backup.data.name
    with archive.drafting(folder) as draft:
        with (
            draft.file(f"{name}.{cipher.tool}", lambda count: None) as out,
            filtered(cipher.argv(), out, environ) as door,
        ):
            _feed(backup, door)
        about = {"tool": cipher.tool, "recipients": list(cipher.recipients), "plain": plain}
        manifest = {**backup.manifest, "encrypted": about}
        made = draft.finish(folder / backup.path.name, manifest)
    return archive.check_digests(made.path)


def _feed(backup: Backup, door: IO[bytes]) -> None:
    if backup.data.is_dir():
        with tarfile.open(fileobj=door, mode="w|") as tar:
            tar.add(backup.data, arcname=DATA)
        return
    with open(backup.data, "rb") as source:
        shutil.copyfileobj(source, door, CHUNK)


@contextmanager
def decrypted(backup: Backup, folder: Path, environ: Mapping[str, str]) -> Iterator[Backup]:
    """Give the backup as it was before it was encrypted; it is gone afterwards."""
    about = backup.manifest["encrypted"]
    with archive.drafting(folder) as draft:
        place = draft.folder / "data.part"
        fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with (
            os.fdopen(fd, "wb") as out,
            opening(about["tool"], out, environ, backup.shown) as door,
            open(backup.data, "rb") as source,
        ):
            shutil.copyfileobj(source, door, CHUNK)
        files = about["plain"]["files"]
        if about["plain"]["form"] == archive.FOLDER_FORM:
            _unpack(place, draft.folder)
            place.unlink()
        else:
            place.rename(draft.folder / next(iter(files)))
        _compare(backup, draft.folder, files)
        draft.files.update(files)
        known = {key: value for key, value in backup.manifest.items() if key != "encrypted"}
        yield draft.finish(draft.folder, known)


def _unpack(tar: Path, folder: Path) -> None:
    """Take the plain files out; `extractall` with its filter came in the middle of 3.11."""
    (folder / DATA).mkdir(mode=0o700)
    with tarfile.open(tar) as opened:
        for member in opened:
            name = os.path.basename(member.name)
            source = opened.extractfile(member) if member.isfile() and name else None
            if source:
                with open(folder / DATA / name, "wb") as out:
                    shutil.copyfileobj(source, out, CHUNK)


def _compare(backup: Backup, folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    for name, wanted in files.items():
        path = folder / name
        if not path.is_file() or archive.digest_of(path) != wanted["sha256"]:
            raise another(backup, name)


def another(backup: Backup, name: str) -> Damaged:
    """Return the error for what was decrypted, and is not what was proved."""
    return Damaged(
        f"the backup {backup.shown} is not what was encrypted: {name}",
        "It was decrypted, and is another one than was proved. It is not used.",
        "use another backup",
    )


@contextmanager
def opening(tool: str, out: Sink, environ: Mapping[str, str], shown: str) -> Iterator[IO[bytes]]:
    """Give the door of what decrypts into `out`."""
    try:
        with filtered(_opener(tool, environ), out, environ) as door:
            yield door
    except Broken as error:
        raise StepFailed(
            f"{error.program} can't decrypt {shown}: {error.said}",
            "Nothing was changed.",
            "name the key that it was encrypted for: --identity FILE for age, or the key in "
            "gpg's key ring",
        ) from None


def _opener(tool: str, environ: Mapping[str, str]) -> list[str]:
    program = _program(tool, environ)
    if tool == "gpg":
        return [program, "--batch", "--quiet", "--decrypt"]
    identity = environ.get("TIDEGATE_BACKUP_IDENTITY", "")
    if not identity:
        raise UsageProblem(
            "the backup is encrypted with age, and no key was named", "",
            "name the file with the secret key: --identity FILE, or TIDEGATE_BACKUP_IDENTITY",
        )  # fmt: skip
    if not os.path.isfile(identity):
        raise UsageProblem(
            f"there is no file {identity}", "It was named as the key of the backup.",
            "correct --identity, or TIDEGATE_BACKUP_IDENTITY",
        )  # fmt: skip
    return [program, "--decrypt", "--identity", identity]
