"""What expressions of Django's settings come to, without running them."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tidegate.reading.project import pycode
from tidegate.reading.project.pycode import UNKNOWN, Assigned, EnvRead


class Values:
    """The part of settings that evaluates: literals, names, the environment, paths."""

    if TYPE_CHECKING:
        modules: tuple[pycode.Module, ...]

        def last(self, name: str) -> Assigned | None:
            """Return the assignment that counts."""

        def path_of(self, node: ast.AST) -> str:
            """Return the file in which a node stands."""

        @property
        def reads(self) -> list[EnvRead]:
            """Every environment variable read while the settings load."""

    def evaluate(self, node: ast.expr, environ: Mapping[str, Any], depth: int = 0) -> Any:
        """Evaluate literals, names, environment reads and paths below BASE_DIR."""
        if depth > 12:
            return UNKNOWN
        simple = pycode.literal(node)
        if simple is not UNKNOWN:
            return simple
        read = pycode.env_read(node)
        if read is not None and read.required:
            declared = [one for one in self.reads if one.name == read.name and not one.required]
            read = declared[0] if declared else read
        if read is not None and read.via == "env" and read.name in self._schemes:
            return self._by_scheme(read, node, environ)
        if read is not None:
            return self._from_environ(read, node, environ)
        if isinstance(node, ast.Name) and node.id == "__file__":
            return "/@/" + self.path_of(node)
        if isinstance(node, ast.Attribute) and node.attr == "parent":
            inner = self.evaluate(node.value, environ, depth + 1)
            return posixpath.dirname(inner) if isinstance(inner, str) else UNKNOWN
        if isinstance(node, ast.Name):
            found = self.last(node.id)
            again = found is not None and found.value is not node
            return self.evaluate(found.value, environ, depth + 1) if found and again else UNKNOWN
        if isinstance(node, (ast.List, ast.Tuple)):
            return [self.evaluate(one, environ, depth + 1) for one in node.elts]
        if isinstance(node, ast.Dict):
            return {
                pycode.literal(key): self.evaluate(value, environ, depth + 1)
                for key, value in zip(node.keys, node.values, strict=True)
                if key is not None
            }
        if isinstance(node, ast.JoinedStr):
            return self._joined(node, environ, depth)
        if isinstance(node, ast.BinOp):
            return self._binary(node, environ, depth)
        if isinstance(node, ast.Call):
            return self._call(node, environ, depth)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            value = self.evaluate(node.operand, environ, depth + 1)
            return UNKNOWN if value is UNKNOWN else not value
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            values = [self.evaluate(one, environ, depth + 1) for one in node.values]
            return next((one for one in values if one is UNKNOWN or one), values[-1])
        return UNKNOWN

    @cached_property
    def _schemes(self) -> dict[str, tuple[str, Any]]:
        """What `environ.Env(DEBUG=(bool, False))` says of variables: their type and default."""
        out: dict[str, tuple[str, Any]] = {}
        for module in self.modules:
            if "Env(" not in module.text or module.tree is None:
                continue
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Call) and pycode.dotted(node.func).endswith("Env"):
                    for key in node.keywords:
                        if (
                            key.arg
                            and isinstance(key.value, ast.Tuple)
                            and len(key.value.elts) == 2
                        ):
                            kind, default = key.value.elts
                            out[key.arg] = (pycode.dotted(kind), pycode.literal(default))
        return out

    def _by_scheme(self, read: EnvRead, node: ast.expr, environ: Mapping[str, Any]) -> Any:
        kind, default = self._schemes[read.name]
        if read.name not in environ:
            return self._from_environ(read, node, environ) if not read.required else default
        value = self._from_environ(read, node, environ)
        if kind == "bool" and isinstance(value, str):
            return value.lower() in ("1", "true", "yes", "on", "y", "t", "ok")
        return value if kind in ("bool", "str") else UNKNOWN

    def _from_environ(self, read: EnvRead, node: ast.expr, environ: Mapping[str, Any]) -> Any:
        called = pycode.dotted(node.func) if isinstance(node, ast.Call) else ""
        if read.name in environ:
            text = environ[read.name]
            if text is UNKNOWN:
                return UNKNOWN
            if called.endswith((".list", ".tuple")):
                return [one.strip() for one in text.split(",") if one.strip()]
            if called.endswith(".bool"):
                return text.lower() in ("1", "true", "yes", "on", "y", "t", "ok")
            return text
        if read.required:
            return UNKNOWN
        return read.default if read.default is not UNKNOWN else self._default(node, environ)

    def _default(self, node: ast.expr, environ: Mapping[str, Any]) -> Any:
        """Evaluate a default that is no literal, such as a path below BASE_DIR."""
        given = node.args[1:2] if isinstance(node, ast.Call) else []
        if isinstance(node, ast.Call) and not given:
            given = [one.value for one in node.keywords if one.arg == "default"]
        return self.evaluate(given[0], environ, 6) if given else UNKNOWN

    def _joined(self, node: ast.JoinedStr, environ: Mapping[str, Any], depth: int) -> Any:
        """Put an f-string together, where each part is known and none is formatted."""
        out = ""
        for one in node.values:
            plain = not isinstance(one, ast.FormattedValue) or one.format_spec is None
            inner = one.value if isinstance(one, ast.FormattedValue) else one
            value = self.evaluate(inner, environ, depth + 1) if plain else UNKNOWN
            if not isinstance(value, (str, int, float)):
                return UNKNOWN
            out += str(value)
        return out

    def _binary(self, node: ast.BinOp, environ: Mapping[str, Any], depth: int) -> Any:
        left = self.evaluate(node.left, environ, depth + 1)
        right = self.evaluate(node.right, environ, depth + 1)
        if UNKNOWN in (left, right) if not isinstance(left, list) else left is UNKNOWN:
            return UNKNOWN
        if isinstance(node.op, ast.Div) and isinstance(left, str) and isinstance(right, str):
            return posixpath.join(left, right)
        if (
            isinstance(node.op, ast.Add)
            and isinstance(left, list)
            and isinstance(right, (list, tuple))
        ):
            return [*left, *right]
        if isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str):
            return left + right
        return UNKNOWN

    def _call(self, node: ast.Call, environ: Mapping[str, Any], depth: int) -> Any:
        called = pycode.dotted(node.func)
        if called in ("str", "Path", "pathlib.Path") and len(node.args) == 1:
            return self.evaluate(node.args[0], environ, depth + 1)
        if called in ("os.path.dirname", "dirname") and len(node.args) == 1:
            inner = self.evaluate(node.args[0], environ, depth + 1)
            return posixpath.dirname(inner) if isinstance(inner, str) else UNKNOWN
        if called in ("os.path.abspath", "os.path.realpath", "abspath", "realpath"):
            return self.evaluate(node.args[0], environ, depth + 1) if node.args else UNKNOWN
        if isinstance(node.func, ast.Attribute) and node.func.attr in (
            "resolve",
            "absolute",
            "as_posix",
        ):
            return self.evaluate(node.func.value, environ, depth + 1)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "joinpath":
            parts = [
                self.evaluate(one, environ, depth + 1) for one in (node.func.value, *node.args)
            ]
            return posixpath.join(*parts) if all(isinstance(p, str) for p in parts) else UNKNOWN
        if called in ("os.path.join", "join", "posixpath.join"):
            parts = [self.evaluate(one, environ, depth + 1) for one in node.args]
            return (
                posixpath.join(*parts)
                if parts and all(isinstance(p, str) for p in parts)
                else UNKNOWN
            )
        if isinstance(node.func, ast.Attribute) and node.func.attr == "split":
            base = self.evaluate(node.func.value, environ, depth + 1)
            at = pycode.literal(node.args[0]) if node.args else None
            good = isinstance(base, str) and (at is None or isinstance(at, str))
            return base.split(at) if good else UNKNOWN
        return UNKNOWN
