"""A `--wait-for` URL taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit


class BadServiceUrl(ValueError):
    """A `--wait-for` URL that cannot be understood; no text of it holds a password."""

    def __init__(self, what: str, next: str) -> None:
        super().__init__(f"{what} {next}")
        self.what = what
        self.next = next


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart; what is secret stays out of `repr`."""

    scheme: str
    host: str
    port: int
    path: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    query: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """For display: without user, password and query."""
        return f"{self.scheme}://{self.address}{self.path}"

    @property
    def address(self) -> str:
        """Host and port as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def options(self) -> dict[str, str]:
        """The query as names and values; the last of a name wins."""
        return dict(parse_qsl(self.query))

    def quote(self, said: str) -> str:
        """A server's words, on one short line and without the password."""
        if self.password:
            said = said.replace(self.password, "***")
        return "".join(c if c.isprintable() else " " for c in said).strip()[:200]


def scheme_of(url: str) -> str:
    """Return the scheme in small letters, or nothing."""
    return url.partition("://")[0].lower() if "://" in url else ""


def parse(url: str, ports: Mapping[str, int]) -> Target:
    """Take a service URL apart, or say why not; `ports` has each scheme's own, or 0."""
    scheme = scheme_of(url)
    scheme = scheme if scheme in ports else scheme.partition("+")[0]
    shown = f"{scheme}://…"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host = host if host.isascii() else host.encode("idna").decode()
        host.encode("idna")  # also finds empty and too long labels
    except ValueError:  # its text quotes the URL, so it is not chained
        raise _unreadable(shown) from None
    if any(c <= " " or c == "\x7f" for c in url) or "@" in _after_authority(parts):
        raise _unreadable(shown)
    if not host:
        raise BadServiceUrl(f"The URL {shown} names no host.", f"Write {scheme}://HOST:PORT.")
    port = port if port is not None else ports[scheme]
    if not port:
        raise BadServiceUrl(
            f"The URL {scheme}://{host} names no port.", f"Write {scheme}://{host}:PORT."
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Target(scheme, host, port, parts.path, user, password, parts.query)


def _after_authority(parts: SplitResult) -> str:
    """Where the rest of a password ends up that holds an unencoded '/', '?' or '#'."""
    return parts.path + parts.query + parts.fragment


def _unreadable(shown: str) -> BadServiceUrl:
    return BadServiceUrl(
        f"The URL {shown} cannot be read.",
        "Percent-encode reserved characters in user, password and path: '@' is %40, '/' is %2F,"
        " ':' is %3A, '#' is %23, '?' is %3F, '[' is %5B, a space is %20.",
    )
