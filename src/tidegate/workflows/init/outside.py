"""What a cluster has to be told: which variables are secrets, and where static files may lie."""

from __future__ import annotations

from tidegate.workflows.init.detect import Found
from tidegate.workflows.init.stack import environment

WAIT = ["tidegate", "boot", "--when-behind", "wait", "--collectstatic", "never", "--"]
LONGEST = 1800  # seconds that a migration of a release may take


def secrets(found: Found) -> list[str]:
    """Return the variables whose values are secret, or hold one."""
    return [name for name, value in environment(found).items() if ":?" in value]


def plain(found: Found) -> dict[str, str]:
    """Return the variables that anybody may read."""
    return {
        name: value.partition(":-")[2].rstrip("}") if value.startswith("${") else value
        for name, value in environment(found).items()
        if ":?" not in value
    }


def example(found: Found, name: str) -> str:
    """Return what a secret looks like, with nothing secret in it."""
    value = environment(found)[name]
    if "://" not in value:
        return ""
    scheme = value.partition("://")[0]
    return f"{scheme}://USER:PASSWORD@HOST/{found.name}"


def writable(found: Found) -> list[tuple[str, str]]:
    """Return the folders that the app writes to, each with a name for its volume."""
    folders = [("tmp", "/tmp"), ("static", found.static), ("media", found.media)]
    return [(name, path) for name, path in folders if path]
