"""What `--wait-for URL` looks at: one file a protocol, found by the scheme.

Each probe goes as far as the application would have to go (login, database number, virtual host),
except `tcp://` (an open port only) and `mysql://` (the greeting, without logging in). An attempt
has one time limit for everything: name, connection, TLS and conversation.

A protocol is a module here with `SCHEMES` (each scheme and its port, 0 for none) and
`dependency(url, environ)`; with `WITH_DRIVER`, SQLAlchemy's `scheme+driver://` is taken as well;
`SHOWN` are the schemes that a message names, where not all are.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.container.services.target import BadServiceUrl, scheme_of
from tidegate.container.waiting import Dependency

__all__ = ["BadServiceUrl", "dependency"]


def dependency(url: str, environ: Mapping[str, str]) -> Dependency:
    """The dependency that a `--wait-for` URL names.

    `environ` completes a `postgresql://` URL as libpq would (PGPASSWORD, PGSSLMODE, …).
    """
    scheme = scheme_of(url)
    plain, _, driver = scheme.partition("+")
    for protocol in _protocols():
        if plain in protocol.SCHEMES and (not driver or hasattr(protocol, "WITH_DRIVER")):
            found: Dependency = protocol.dependency(url, environ)
            return found
    raise _unknown(scheme)


def _protocols() -> Iterator[Any]:
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        if hasattr(module, "SCHEMES"):
            yield module


def _unknown(scheme: str) -> BadServiceUrl:
    names = (name for one in _protocols() for name in getattr(one, "SHOWN", one.SCHEMES))
    known = ", ".join(f"{name}://" for name in names)
    plain = scheme.replace("+", "").replace("-", "")
    what = f"scheme {scheme}://" if plain.isalnum() and len(scheme) < 20 else "a value without one"
    return BadServiceUrl(f"--wait-for has a URL with an unknown scheme: {what}.", f"Use {known}.")
