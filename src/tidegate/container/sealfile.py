"""The seal: one text file in the image, a head of short lines and a JSON body.

The head is all that the fast path needs, and is read without importing anything; the body holds
every step. Columns are separated by tabs. Written by `tidegate seal`, checked at each boot
against the files it was made from.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

NAME = "tidegate.seal"
FORMAT = "3"
END = b"\n}\n"  # of a body that was written to its end


class Head:
    """The seal's head: `rows` maps a key to its lines, each split into columns."""

    __slots__ = ("_body", "_parsed", "path", "rows")

    def __init__(self, path: str, rows: dict[str, list[list[str]]]) -> None:
        self.path = path
        self.rows = rows
        self._body: str | None = None
        self._parsed: dict[str, Any] | None = None

    @property
    def body(self) -> str:
        """The body as it stands, read when it is first needed."""
        if self._body is None:
            with open(self.path, encoding="utf-8") as file:
                self._body = file.read().partition("\n\n")[2]
        return self._body

    def parsed(self) -> dict[str, Any]:
        """Return the body's values."""
        if self._parsed is None:
            import json

            self._parsed = json.loads(self.body)
        assert self._parsed is not None
        return self._parsed

    def all(self, key: str) -> list[list[str]]:
        """Return every line of `key`, without the key."""
        return self.rows.get(key, [])

    def one(self, key: str) -> str:
        """Return the first column of the only line of `key`, or an empty string."""
        lines = self.rows.get(key)
        return lines[0][0] if lines else ""


def seal_path(root: str, environ: Mapping[str, str]) -> str:
    """Return where the seal of the project at `root` lies."""
    return environ.get("TIDEGATE_SEAL", "") or os.path.join(root, NAME)


def read(path: str) -> Head | None:
    """Read a seal's head; None when there is none, or one of another format, or a part of one."""
    try:
        with open(path, "rb") as file:
            raw = file.read(1 << 16)
            while b"\n\n" not in raw and (more := file.read(1 << 16)):
                raw += more
            file.seek(-len(END), os.SEEK_END)
            whole = file.read() == END
        text = raw.partition(b"\n\n")[0].decode()
    except (OSError, UnicodeDecodeError):
        return None
    rows: dict[str, list[list[str]]] = {}
    for line in text.split("\n"):
        key, *columns = line.split("\t")
        rows.setdefault(key, []).append(columns)
    if rows.get("tidegate-seal") != [[FORMAT]] or not whole:
        return None
    return Head(path, rows)


class Files:
    """A seal, and whether the files are still those it was made from: looked at once."""

    __slots__ = ("_why", "head")

    def __init__(self, head: Head) -> None:
        self.head = head
        self._why: str | None = None

    def why_moved(self) -> str:
        """Return why the seal does not speak for them; empty when it does."""
        if self._why is None:
            self._why = why_moved(self.head)
        return self._why


def signature(paths: Iterable[str], times: bool = True) -> str:
    """Return a digest over the names, sizes and times of the migration files below `paths`.

    Without `times`, of the files in folders the names alone. Times in whole seconds: what an
    image layer keeps. What is gone, or not there yet, counts as such.
    """
    try:
        from _hashlib import openssl_sha256 as sha256
    except ImportError:
        from hashlib import sha256
    parts: list[str] = []
    for path in paths:
        parts.append(path)
        try:
            names = [name for name in os.listdir(path) if name[-3:] == ".py"]
            names.sort()
        except NotADirectoryError:
            parts += _sizes_and_times(path, [""])
        except OSError:
            parts.append("gone")
        else:
            parts += _sizes_and_times(path, names) if times else names
    return sha256("\n".join(parts).encode()).hexdigest()


def _sizes_and_times(path: str, names: list[str]) -> list[str]:
    """Return one line a file; from the folder's own descriptor, which is a third faster."""
    try:
        if names == [""]:
            found = os.stat(path)
            return [f"{found.st_size} {int(found.st_mtime)}"]
        folder = os.open(path, os.O_RDONLY)
    except OSError:
        return ["gone"]
    out = []
    try:
        for name in names:
            found = os.stat(name, dir_fd=folder)
            out.append(f"{name} {found[6]} {found[8]}")
    except OSError:
        out.append("gone")
    finally:
        os.close(folder)
    return out


def why_stale(head: Head, environ: Mapping[str, str]) -> str:
    """Return why the seal does not speak for the code and settings of now; empty when it does.

    A difference of the files is looked into by content: a copy of an image may have other times.
    """
    if why := why_another(head, environ):
        return why
    watched = _watched(head)
    return "" if signature(watched) == head.one("signature") else _by_content(head, watched)


def why_another(head: Head, environ: Mapping[str, str]) -> str:
    """Return why the seal speaks for another configuration than this; empty when it doesn't."""
    for name, value, origin in head.all("config"):
        now = environ.get(name) or (value if origin == "default" else "")
        if now != value:
            return f"{name} is {now or 'not set'}, and was {value} when the image was sealed"
    if moved := changed(head, "shape", environ):
        return f"{moved} decides which migrations exist, and is not as it was at the sealing"
    for (path,) in head.all("absent"):
        if os.path.exists(path):
            return f"{path} was not there when the image was sealed"
    return ""


def why_moved(head: Head) -> str:
    """Return whether the files are others than those sealed, without reading them.

    Enough to say that a database with all sealed steps is current: the names of the steps' files
    where those are the steps' ids (Django), else their sizes and times too.
    """
    times, digest = head.all("quick")[0]
    same = signature(_watched(head), times == "times") == digest
    return "" if same else "files have other names, times or sizes than at the sealing"


def _watched(head: Head) -> list[str]:
    return [path for (path,) in head.all("watch")]


def changed(head: Head, key: str, environ: Mapping[str, str]) -> str:
    """Return the first variable of a kind whose value is another than at the sealing."""
    for name, digest in head.all(key):
        if _short(environ.get(name)) != digest:
            return name
    return ""


def _by_content(head: Head, watched: Iterable[str]) -> str:
    sealed: dict[str, str] = head.parsed()["files"]
    now = digests(watched)
    for path in sorted(sealed.keys() | now.keys()):
        if path not in now:
            return f"{path} is gone since the sealing"
        if path not in sealed:
            return f"{path} was added after the sealing"
        if now[path] != sealed[path]:
            return f"{path} was edited after the sealing"
    return ""


def digests(paths: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of each Python file in the folders, and of each file, of `paths`."""
    from hashlib import sha256

    out: dict[str, str] = {}
    for path in paths:
        files = [path]
        if os.path.isdir(path):
            files = [os.path.join(path, n) for n in os.listdir(path) if n.endswith(".py")]
        for file in files:
            try:
                with open(file, "rb") as opened:
                    out[file] = sha256(opened.read()).hexdigest()
            except OSError:
                continue
    return out


def _short(value: str | None) -> str:
    """Return a short digest of a variable's value, so that no value is kept in the image."""
    if value is None:
        return "-"
    from hashlib import sha256

    return sha256(value.encode()).hexdigest()[:16]


def login(head: Head, alias: str, environ: Mapping[str, str]) -> dict[str, str] | str:
    """Return the fields of the login of `alias` from the environment, or why that can't be."""
    lines = [columns for columns in head.all("login") if columns[0] == alias]
    if not lines:
        return head.one("why") or "the seal has no recipe for the login"
    variables = [name for (name,) in head.all("variable")]
    switches = [name for (name,) in head.all("switch")]
    present = ",".join(
        f"{name}={environ[name]}" if name in switches else name
        for name in variables
        if name in environ
    )
    for _, vendor, pattern, *columns in lines:
        if pattern == present:
            return _cook(vendor, columns, environ)
    shown = ", ".join(name for name in variables if name in environ)
    return f"the seal knows no login for these variables as they are: {shown or 'none'}"


def _cook(vendor: str, columns: list[str], environ: Mapping[str, str]) -> dict[str, str] | str:
    out = {"vendor": vendor}
    for key, kind, source in zip(columns[::3], columns[1::3], columns[2::3], strict=True):
        if kind == "file":
            try:
                with open(environ[source], encoding="utf-8") as file:
                    out[key] = file.read().strip()
            except (OSError, UnicodeDecodeError) as error:
                return f"{source}: {error}"
        elif kind not in ("env", "const"):
            value = environ[source]
            plain = "?" not in value and "," not in value
            if kind[:5] == "plain" and "%" in value:
                return f"the settings take {source} with a percent sign in a way of their own"
            if plain and kind[-5:] == "-file" and value[:11] == "sqlite:////" and "%" not in value:
                return {"vendor": "sqlite", "name": value[10:]}
            if not plain or value[:8] != "postgres":
                return f"{source} is of a form that only the settings themselves can read"
            out["url"] = value
        elif kind == "env":
            if not environ[source]:
                return f"{source} is empty"
            out[key] = environ[source]
        else:
            out[key] = source
    return out


def try_out(path: str) -> None:
    """Raise OSError where no seal could be written; one that is there stays as it is."""
    part = f"{path}.{os.getpid()}.part"
    with open(part, "w", encoding="utf-8"):
        pass
    os.unlink(part)


def write(path: str, rows: Iterable[tuple[str, ...]], body: Mapping[str, Any]) -> None:
    """Write the seal in one piece: a half-written one is never seen."""
    import json

    text = "\n".join("\t".join(row) for row in [("tidegate-seal", FORMAT), *rows])
    text += "\n\n" + json.dumps(body, indent=1, sort_keys=True) + "\n"
    part = f"{path}.{os.getpid()}.part"
    with open(part, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(part, path)
