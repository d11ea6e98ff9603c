"""Two projects of one name on one engine: neither may take the other's containers for its own."""

from __future__ import annotations

from tidegate.contracts.target import Target, Teller
from tidegate.errors import PolicyRefused

OWN_NAME = "give this one a name of its own: COMPOSE_PROJECT_NAME=... in its .env"


def refuse(target: Target, tell: Teller) -> None:
    """Raise PolicyRefused before something is done to another project's containers.

    Where somebody gave this project its name, two folders may well be meant for one project.
    """
    folder, is_named = target.stranger()
    if not folder:
        return
    if is_named:
        tell.warn(f"the containers of {target.name} were started from {folder}, and this is "
                  f"{target.root}")  # fmt: skip
        return
    raise PolicyRefused(
        f"the containers called {target.name} were started from {folder}",
        f"This is {target.root}: another folder, whose own name gives the project the same one. "
        "To the engine both are one project, with one database. Nothing was changed.",
        f"{OWN_NAME}\nor, where both folders are one project, say so: "
        f"COMPOSE_PROJECT_NAME={target.name} in its .env",
    )
