"""Django's ORM and what else a migration's code calls, by name."""

from __future__ import annotations

import ast
from typing import Any

from tidegate.reading.migrations.kinds import Ref, Thing

OUTSIDE = {
    "requests", "httpx", "urllib", "urllib3", "aiohttp", "boto3", "botocore", "smtplib", "socket",
    "subprocess", "ftplib", "paramiko", "shutil",
}  # fmt: skip
MANAGERS = ("objects", "_default_manager", "_base_manager")
SAME = {"all", "iterator", "order_by", "values", "values_list", "select_related", "only", "using",
        "prefetch_related", "defer", "annotate", "db_manager", "select_for_update", "reverse",
        "get_queryset", "alias", "union", "aiterator", "items"}  # fmt: skip
FILTERS = {"filter", "exclude", "complex_filter", "difference", "intersection"}
ONE = {"get", "first", "last", "earliest", "latest", "get_or_create", "update_or_create", "create"}
MAKES = {"create", "bulk_create", "get_or_create", "update_or_create"}
RELATED = {"all", "filter", "exclude", "order_by", "select_related", "prefetch_related", "iterator",
           "values_list"}  # fmt: skip
NEXT = {"first", "last", "earliest", "latest"}
THROUGH = {"list", "tuple", "set", "sorted", "iter", "enumerate", "reversed", "tqdm", "chain",
           "zip"}  # fmt: skip
PARTS = {"Paginator", "batched", "chunked", "chunks", "grouper", "groupby", "ichunked", "sliced"}
SCHEMA = {"add_field", "alter_field", "remove_field", "create_model", "delete_model", "add_index",
          "remove_index", "rename_index", "add_constraint", "remove_constraint", "alter_db_table",
          "alter_unique_together", "alter_index_together"}  # fmt: skip


class Model(Thing):
    """A model: as it was (`apps.get_model`), or of today's code."""

    __slots__ = ("name", "today")

    def __init__(self, name: str, today: str = "") -> None:
        self.name = name
        self.today = today


class Related(Thing):
    """What a row holds under a name: a value, another row, or the manager of others."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def reaches_out(name: str) -> bool:
    """Whether a function is one that goes to another service or to files; not what parses URLs."""
    parts = name.split(".")
    pure = any(one.startswith("parse") for one in parts)
    return len(parts) > 1 and parts[0] in OUTSIDE and not pure


def is_given(value: Any) -> bool:
    """Whether a value is one of those that Django calls the function with."""
    return isinstance(value, Ref) and value.name in ("apps", "schema_editor")


def model_name(args: list[Any]) -> str:
    """Return `app.Model` of what get_model was called with; the model alone, "" where not told."""
    told = [one if isinstance(one, str) else "" for one in args[:2]]
    return ".".join(told) if told and told[-1] else ""


def named_by(node: ast.expr) -> str:
    """Return the name that an expression is; "" where it is more than that."""
    return node.id if isinstance(node, ast.Name) else ""


def starred(node: ast.List | ast.Tuple | ast.Set) -> bool:
    """Whether a part of a list is a list itself."""
    return any(isinstance(one, ast.Starred) for one in node.elts)
