"""One simple command of a shell script, and what its surroundings make of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidegate.reading.project import branches


@dataclass(frozen=True)
class Command:
    """One simple command.

    `words` have their quotes taken off; expansions stay as they are written. `env` are the
    assignments before it. `inside` are the constructs around it, outermost first: `if`, `else`,
    `case`, `for`, `loop`, `until`, `function NAME`, `condition` (it is asked, not just run), `&`
    (in the background), `(` (a subshell). `after_failure` is the command behind its `||`,
    `fallback` all the names that run there, and `only_said` that they do no more than speak.
    `written` are the words with the runner in front (`uv run`), where `words` are without it.
    `errexit` says whether a failure here ends the script; `then` is the operator behind it.
    `given` are the comparisons of variables with words under which it runs. `path` is the file that
    it stands in, where that is a file that the script sources. `called` is the file and line of the
    function's call that looks at its failure. `closes` says that it is the last of an `if` or
    `case` of which every branch replaces the shell.
    """

    words: tuple[str, ...]
    line: int
    env: tuple[tuple[str, str], ...] = ()
    inside: tuple[str, ...] = ()
    after_failure: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()
    only_said: bool = False
    is_fallback: bool = False
    errexit: bool = False
    pipefail: bool = False
    piped: bool = False
    then: str = ""
    start: int = 0
    end: int = 0
    heredoc: str = ""
    written: tuple[str, ...] = ()
    given: tuple[branches.Given, ...] = ()
    path: str = ""
    called: tuple[str, int] = ("", 0)
    closes: bool = False

    @property
    def name(self) -> str:
        """The first word."""
        return self.words[0] if self.words else ""

    @property
    def replaces(self) -> bool:
        """Whether the shell becomes this command."""
        return self.name == "exec" and len(self.words) > 1

    @property
    def bare(self) -> Command:
        """The command without its `exec`."""
        rest = self.words[1:]
        while rest and rest[0].startswith("-"):
            rest = rest[2:] if rest[0] == "-a" else rest[1:]
        return replace(self, words=rest) if self.replaces else self

    @property
    def always(self) -> bool:
        """Whether it runs on every way through the script."""
        return not [one for one in self.inside if not one.startswith(("function", "("))]
