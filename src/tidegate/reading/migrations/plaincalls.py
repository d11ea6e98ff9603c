"""Calls that are plain work on texts, lists and dictionaries: these are carried out."""

from __future__ import annotations

from typing import Any

from tidegate.reading.migrations.kinds import Unknown, is_known, is_made

LIMIT = 20_000  # characters of a string that is put together


def plain_call(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Return what a function of Python's gives; None where it is none of the few."""
    first = args[0] if args else None
    if name in ("textwrap.dedent", "inspect.cleandoc", "dedent") and isinstance(first, str):
        import textwrap

        return textwrap.dedent(first)
    if name in ("list", "tuple", "sorted") and len(args) == 1 and isinstance(first, list | tuple):
        return None if is_made(first) else list(first)
    if name in ("zip", "enumerate", "reversed") and args:
        return _in_step(name, args, kwargs)
    if name == "str" and len(args) == 1 and is_known(first):
        return str(first)
    if name == "dict" and not args:
        return dict(kwargs)
    if name == "range" and args and all(isinstance(one, int) for one in args):
        return list(range(*args[:3]))[:500]
    return None


def _in_step(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    lists = args if name == "zip" else args[:1]
    if any(is_made(one) or not isinstance(one, list | tuple | str) for one in lists):
        return None
    if name == "zip":
        return list(zip(*lists, strict=False))
    if name == "reversed":
        return list(reversed(lists[0]))
    start = kwargs.get("start", args[1] if len(args) > 1 else 0)
    return list(enumerate(lists[0], start)) if isinstance(start, int) else None


def text_method(receiver: Any, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Return what a method of a text or dictionary gives; None where it is none of the few."""
    if isinstance(receiver, dict) and name == "items":
        return [(key, value) for key, value in receiver.items()]
    if isinstance(receiver, dict) and name in ("keys", "values"):
        return list(getattr(receiver, name)())
    if not isinstance(receiver, str):
        return None
    if name in ("strip", "lstrip", "rstrip", "lower", "upper", "replace", "title"):
        return getattr(receiver, name)(*args) if is_known(args) else Unknown("text method")
    if name == "format":
        if is_known(args) and is_known(kwargs):
            try:
                return receiver.format(*args, **kwargs)[:LIMIT]
            except (IndexError, KeyError, ValueError):
                return Unknown("format")
        return Unknown("a text put together from data", receiver)
    if name == "join" and args and is_known(args[0]) and isinstance(args[0], list | tuple):
        return receiver.join(map(str, args[0]))[:LIMIT]
    return None
