"""The walk over a shell's syntax tree: each command with what happens when it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tidegate.reading.project import branches, shellwords
from tidegate.reading.project.shellcommand import Command

QUIET = ("true", ":", "echo", "printf", "sleep", "/bin/true")


def walked(root: Any, errexit: bool, strict_behind: frozenset[int] = frozenset()) -> _Walk:
    """Return the commands and functions of a whole script."""
    walk = _Walk(errexit, strict_behind)
    walk.children(root, ())
    return walk


class _Walk:
    """Collects the commands of a syntax tree; `set -e` and its kin are kept on the way."""

    def __init__(self, errexit: bool, strict_behind: frozenset[int] = frozenset()) -> None:
        self.errexit, self.pipefail = errexit, False
        self.strict_behind = strict_behind
        self.bodies: list[tuple[int, int]] = []
        self.commands: list[Command] = []
        self.functions: dict[str, tuple[Command, ...]] = {}
        self.given: tuple[branches.Given, ...] = ()

    def children(self, node: Any, inside: tuple[str, ...]) -> None:
        kids, outer = node.children, self.given
        for index, kid in enumerate(kids):
            behind = kids[index + 1].type if index + 1 < len(kids) else ""
            before = len(self.commands)
            self.visit(kid, (*inside, "&") if behind == "&" else inside)
            if behind in (";", "&") and len(self.commands) > before:
                self.commands[-1] = replace(self.commands[-1], then=behind)
            passing = _passing(kid)
            if passing is not None:  # what stands below runs where the guard lets it
                inside, self.given = (*inside, "if"), (*self.given, passing)
        self.given = outer

    def visit(self, node: Any, inside: tuple[str, ...]) -> None:
        method = getattr(self, "on_" + node.type, None)
        if method is not None:
            method(node, inside)
        elif node.type not in ("comment", "command_substitution", "heredoc_body"):
            self.children(node, inside)

    def on_command(self, node: Any, inside: tuple[str, ...]) -> None:
        words: list[str] = []
        env: list[tuple[str, str]] = []
        for kid in node.children:
            if kid.type == "variable_assignment":
                name, _, value = shellwords.text(kid).partition("=")
                env.append((name, shellwords.unquoted(value)))
            elif "redirect" not in kid.type:
                words.append(shellwords.word(kid))
        if words:
            self.add(node, tuple(words), inside, tuple(env))

    def add(
        self, node: Any, words: tuple[str, ...], inside: tuple[str, ...], env: Any = ()
    ) -> None:
        if words[0] == "set":
            self.options(words[1:])
        self.errexit = self.errexit or node.start_byte in self.strict_behind
        asked = any(one == "condition" for one in inside)
        self.commands.append(
            Command(
                words,
                node.start_point[0] + 1,
                env,
                inside,
                errexit=self.errexit and not asked,
                pipefail=self.pipefail,
                start=node.start_byte,
                end=node.end_byte,
                given=self.given,
            )
        )

    def options(self, words: tuple[str, ...]) -> None:
        for index, word in enumerate(words):
            on = word.startswith("-")
            if word[:1] not in "-+" or not word:
                continue
            if "e" in word[1:]:
                self.errexit = on
            if "o" in word[1:] and index + 1 < len(words):
                self.errexit = on if words[index + 1] == "errexit" else self.errexit
                self.pipefail = on if words[index + 1] == "pipefail" else self.pipefail

    def on_test_command(self, node: Any, inside: tuple[str, ...]) -> None:
        self.add(node, ("[", shellwords.text(node)), inside)

    def on_declaration_command(self, node: Any, inside: tuple[str, ...]) -> None:
        self.add(
            node, tuple(shellwords.unquoted(shellwords.text(kid)) for kid in node.children), inside
        )

    def on_variable_assignment(self, node: Any, inside: tuple[str, ...]) -> None:
        pass  # a plain assignment runs nothing that we follow

    def on_list(self, node: Any, inside: tuple[str, ...]) -> None:
        left, operator, *rest = node.children
        right = rest[-1] if rest else None
        before = len(self.commands)
        self.visit(left, inside)
        mine = len(self.commands)
        outer = self.given
        if operator.type == "||" and right is not None:
            words, names = _first_words(right), _names(right)
            for index in range(before, mine):
                self.commands[index] = replace(
                    self.commands[index], after_failure=words, errexit=False, then="||",
                    fallback=names,
                )  # fmt: skip
        elif operator.type == "&&":
            for index in range(before, mine):
                # A failure of the left side of && does not end the script.
                self.commands[index] = replace(self.commands[index], errexit=False, then="&&")
        if right is not None:
            if left.type == "test_command":  # [ "$RUN" = yes ] && python manage.py migrate
                asked = branches.of(left)
                either = operator.type == "&&"
                self.given = (*outer, asked if either else branches.negated(asked))
                inside = (*inside, "if")
            self.visit(right, inside)
            self.given = outer
            if operator.type == "||":
                for index in range(mine, len(self.commands)):
                    self.commands[index] = replace(self.commands[index], is_fallback=True)

    def on_pipeline(self, node: Any, inside: tuple[str, ...]) -> None:
        parts = [kid for kid in node.children if kid.type not in ("|", "|&")]
        for index, kid in enumerate(parts):
            before = len(self.commands)
            self.visit(kid, inside)
            if index + 1 < len(parts):
                for at in range(before, len(self.commands)):
                    self.commands[at] = replace(
                        self.commands[at], piped=True, errexit=self.errexit and self.pipefail
                    )

    def on_redirected_statement(self, node: Any, inside: tuple[str, ...]) -> None:
        before = len(self.commands)
        self.visit(node.children[0], inside)
        # A list behind a heredoc (`cat <<E && next`) hangs below the redirect.
        for kid in node.children[1:]:
            if kid.type == "heredoc_redirect":
                body = next(
                    (shellwords.text(k) for k in kid.children if k.type == "heredoc_body"), ""
                )
                if len(self.commands) > before:
                    self.commands[before] = replace(self.commands[before], heredoc=body)

    def on_function_definition(self, node: Any, inside: tuple[str, ...]) -> None:
        name = next((shellwords.text(kid) for kid in node.children if kid.type == "word"), "")
        self.bodies.append((node.start_byte, node.end_byte))
        inner = _Walk(self.errexit, self.strict_behind)
        inner.children(node.children[-1], (*inside, f"function {name}"))
        self.functions[name] = tuple(inner.commands)
        self.functions.update(inner.functions)

    def on_if_statement(self, node: Any, inside: tuple[str, ...]) -> None:
        outer, asking = self.given, True
        here = branches.compared(node)
        passed = [here]
        for kid in node.children:
            if kid.type == "then":
                asking = False
            elif kid.type in ("elif_clause", "else_clause"):
                self.given = (*outer, *(branches.negated(one) for one in passed))
                self.visit(kid, inside)
                passed.append(branches.compared(kid))
            elif kid.type not in ("if", "elif", "fi", ";"):
                self.given = outer if asking else (*outer, here)
                before = len(self.commands)
                self.visit(kid, (*inside, "condition" if asking else "if"))
                if asking and len(self.commands) == before + 1:
                    words = _when_false(node, kid.type == "negated_command")
                    self.commands[before] = replace(self.commands[before], after_failure=words)
        self.given = outer
        self.close(node)

    on_elif_clause = on_if_statement

    def on_else_clause(self, node: Any, inside: tuple[str, ...]) -> None:
        self.children(node, (*inside, "else"))

    def on_while_statement(self, node: Any, inside: tuple[str, ...]) -> None:
        word = "until" if node.children[0].type == "until" else "loop"
        for kid in node.children[1:]:
            if kid.type == "do_group":
                self.children(kid, (*inside, word))
            else:
                self.visit(kid, (*inside, word, "condition"))

    def on_for_statement(self, node: Any, inside: tuple[str, ...]) -> None:
        for kid in node.children:
            if kid.type == "do_group":
                self.children(kid, (*inside, "for"))

    on_c_style_for_statement = on_for_statement

    def on_case_statement(self, node: Any, inside: tuple[str, ...]) -> None:
        outer = self.given
        passed: list[branches.Given] = []
        for kid in node.children:
            if kid.type == "case_item":
                here = branches.matched(node, kid)
                negations = tuple(branches.negated(one) for one in passed)
                others = negations if branches.any_other(kid) else (*negations, here)
                self.given = (*outer, *others) if here is branches.UNTOLD else (*outer, here)
                passed.append(here)
                self.children(kid, (*inside, "case"))
        self.given = outer
        self.close(node)

    def close(self, node: Any) -> None:
        if self.commands and branches.replaced(node):
            self.commands[-1] = replace(self.commands[-1], closes=True)

    def on_subshell(self, node: Any, inside: tuple[str, ...]) -> None:
        self.children(node, (*inside, "("))

    def on_negated_command(self, node: Any, inside: tuple[str, ...]) -> None:
        self.children(node, (*inside, "condition"))


def _passing(node: Any) -> branches.Given | None:
    """Return what holds behind a guard that ends well: `[ "$RUN" = yes ] || return 0`.

    None for anything else, also for one that ends with a failure: nothing goes on behind that.
    """
    if node.type == "list":
        left, operator, *rest = node.children
        if left.type != "test_command" or not rest or not _leaves(rest[-1]):
            return None
        asked = branches.of(left)
        return asked if operator.type == "||" else branches.negated(asked)
    if node.type != "if_statement" or any(
        kid.type in ("elif_clause", "else_clause") for kid in node.children
    ):
        return None
    body = node.children[[kid.type for kid in node.children].index("then") + 1 :]
    last = next((kid for kid in reversed(body) if kid.is_named and kid.type != "comment"), None)
    return branches.negated(branches.compared(node)) if last is not None and _leaves(last) else None


def _leaves(node: Any) -> bool:
    """Whether a command leaves the function or the script and calls that well."""
    words = _first_words(node)
    return words in (("return",), ("return", "0"), ("exit",), ("exit", "0"))


def _first_words(node: Any) -> tuple[str, ...]:
    """Return what a failure leads to: the first command, or the one that ends the script."""
    walk = _Walk(False)
    walk.visit(node, ())
    return _leads_to(walk.commands) or (shellwords.text(node),)


def _names(node: Any) -> tuple[str, ...]:
    """Return the names of everything that runs below a node."""
    walk = _Walk(False)
    walk.visit(node, ())
    return tuple(one.name for one in walk.commands)


def _leads_to(commands: Sequence[Command]) -> tuple[str, ...]:
    """Return the command that ends the script, else one that does more than speak, or the first."""
    ends = [one for one in commands if one.name in ("exit", "return") and one.always]
    acts = [one for one in commands if one.name not in QUIET]
    found = ends or acts or commands
    return found[0].words if found else ()


def _when_false(node: Any, negated: bool) -> tuple[str, ...]:
    """Return what an `if` does where the one command that it asks fails; `:` where nothing."""
    walk = _Walk(False)
    for kid in node.children[[one.type for one in node.children].index("then") + 1 :]:
        other = kid.type in ("elif_clause", "else_clause")
        if negated is not other:
            walk.visit(kid, ())
    return _leads_to(walk.commands) or (":",)
