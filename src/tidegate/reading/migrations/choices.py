"""Values that depend on the database: which of several one is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice, product
from typing import Any

from tidegate.reading.migrations.kinds import Call, Choice, Ref, Thing, Unknown, is_made

VENDORS = {"postgresql": "postgresql", "postgres": "postgresql", "mysql": "mysql",
           "mariadb": "mysql", "sqlite": "sqlite"}  # fmt: skip
DIALECT = ("dialect.name", ".engine.name", "dialect", ".dialect_name", "connection.vendor")
FEW = 8  # values that something may have, before nobody knows
ALL = ("postgresql", "mysql", "sqlite")


def is_dialect(value: Any) -> bool:
    """Whether a value is the name of the dialect in use."""
    name = value.name if isinstance(value, Ref) else ""
    return name.endswith(DIALECT) or name == "dialect_name"


def by_dialect(values: dict[Any, Any], key: Any, otherwise: Any = None) -> Choice | None:
    """Return what a dictionary holds for the dialect in use; None for any other key."""
    if not is_dialect(key):
        return None
    known = {VENDORS.get(str(name), ""): value for name, value in values.items()}
    return Choice(tuple(((one,), known.get(one, otherwise)) for one in ALL))


def chosen(
    names: dict[str, Any],
    before: dict[str, Any],
    between: dict[str, Any],
    vendors: tuple[tuple[str, ...], tuple[str, ...]],
) -> None:
    """Put choices into `names` for what a condition has set.

    `before` is what they were, `between` what they were after its first branch; the second one
    was followed after it. Nobody can tell which it was where `vendors` are empty.
    """
    for name, last in names.items():
        begun, first = before.get(name, names), between.get(name, names)
        one, other = (first, begun) if last is first else (first, last)
        if last is begun or one is names or other is names or one == other:
            continue  # it has one value, or it is used where it was set
        texts = isinstance(one, str) and isinstance(other, str)
        if texts or (any(vendors) and _fits(one) and _fits(other)):
            names[name] = Choice(((vendors[0], one), (vendors[1], other)))


def _fits(value: Any) -> bool:
    return isinstance(value, Call | Ref | Unknown) or not isinstance(
        value, list | dict | tuple | Thing
    )


def over(values: Sequence[Any], build: Callable[[list[Any]], Any]) -> Any:
    """Return what is built of values; a choice where one of them is."""
    if not any(isinstance(one, Choice) for one in values):
        return build(list(values))
    sets = {vendor: [told(one, vendor) for one in values] for vendor in ALL}
    if all(len(one) <= 1 for found in sets.values() for one in found):
        return Choice(
            tuple(
                ((vendor,), build([one[0] for one in found]))
                for vendor, found in sets.items()
                if all(found)
            )
        )
    common = sets[ALL[0]]
    if all(found == common for found in sets.values()):  # nobody knows which, on any of them
        made = [build(list(each)) for each in islice(product(*common), FEW)]
        return Choice(tuple(((), one) for one in made))
    return Unknown("a condition")


def told(value: Any, vendor: str) -> list[Any]:
    """Return what a value may be on one database: one value, or several where nobody knows."""
    if not isinstance(value, Choice):
        return [value]
    fit = [inner for vendors, inner in value.options if not vendors or vendor in vendors]
    return [each for inner in fit for each in told(inner, vendor)]


def holds(value: Any, depth: int = 0) -> bool:
    """Whether a choice is anywhere in a value."""
    if isinstance(value, Choice):
        return True
    if depth > 6:
        return False
    if isinstance(value, Call):
        inner = (*value.args, *value.kwargs.values(), value.receiver)
        return any(holds(one, depth + 1) for one in inner)
    if isinstance(value, dict):
        return any(holds(one, depth + 1) for one in value.values())
    if isinstance(value, list | tuple) and not is_made(value):
        return any(holds(one, depth + 1) for one in value)
    return False


def settled(value: Any, vendor: str) -> Any:
    """Return a value as it is on one database; unknown where that can't be told."""
    if isinstance(value, Choice):
        found = told(value, vendor)
        return settled(found[0], vendor) if len(found) == 1 else Unknown("a condition")
    if isinstance(value, Call):
        return value._replace(
            args=tuple(settled(one, vendor) for one in value.args),
            kwargs={key: settled(one, vendor) for key, one in value.kwargs.items()},
            receiver=settled(value.receiver, vendor),
        )
    if isinstance(value, dict):
        return {key: settled(one, vendor) for key, one in value.items()}
    if isinstance(value, list | tuple) and not is_made(value):
        return type(value)(settled(one, vendor) for one in value)
    return value
