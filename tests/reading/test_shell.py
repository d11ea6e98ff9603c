"""Scripts are parsed: what runs, in what order, and what happens when it fails."""

from __future__ import annotations

from tidegate.reading.project import shell


def one(text: str, name: str) -> shell.Command:
    return next(command for command in shell.parse(text).flat() if command.name == name)


def test_set_e_counts_from_its_line_on() -> None:
    """A command before `set -e` does not end the script, one after it does."""
    text = "#!/bin/sh\nbefore\nset -e\nafter\nset +e\nlast\n"
    assert [one(text, name).errexit for name in ("before", "after", "last")] == [False, True, False]


def test_the_shebang_may_set_it() -> None:
    """`#!/bin/sh -e` is `set -e`."""
    assert one("#!/bin/sh -e\nmigrate\n", "migrate").errexit


def test_long_options() -> None:
    """`set -o errexit` and `set -euo pipefail` both count."""
    assert one("set -o errexit\nset -o pipefail\na | b\n", "a").errexit
    assert one("set -euo pipefail\na | b\n", "a").errexit
    assert not one("set -e\na | b\n", "a").errexit


def test_what_a_failure_leads_to() -> None:
    """`||` names the command that follows a failure; the left side of `&&` does not end a script."""
    assert one("set -e\nmigrate || true\n", "migrate").after_failure == ("true",)
    assert one("set -e\nmigrate && serve\n", "migrate").then == "&&"
    assert not one("set -e\nmigrate && serve\n", "migrate").errexit
    assert one("set -e\nmigrate && serve\n", "serve").errexit


def test_conditions_and_loops() -> None:
    """A command that is asked, or tried again, is told from one that just runs."""
    assert one("if ! migrate; then exit 1; fi\n", "migrate").inside == ("condition", "condition")
    assert "until" in one("until nc -z db 5432; do sleep 1; done\n", "nc").inside
    assert one('if [ "$A" = b ]; then migrate; fi\n', "migrate").inside == ("if",)
    assert one('case "$1" in web) serve ;; esac\n', "serve").inside == ("case",)
    assert not one('case "$1" in web) serve ;; esac\n', "serve").always


def test_functions_run_where_they_are_called() -> None:
    """The body of a function stands at each call, and not where it is defined."""
    script = shell.parse("set -e\nsetup() {\n  migrate\n}\nwait_db\nsetup\nserve\n")
    assert [command.name for command in script.flat()] == ["set", "wait_db", "migrate", "serve"]
    assert one("setup() { migrate; }\nsetup || true\n", "migrate").after_failure == ("true",)


def test_exec_with_redirections_only_replaces_nothing() -> None:
    """`exec >log` is no exec of a command."""
    assert not any(command.replaces for command in shell.parse("exec >/tmp/log 2>&1\n").commands)
    assert one("exec gunicorn app\n", "exec").replaces
    assert one("exec gunicorn app\n", "exec").bare.words == ("gunicorn", "app")


def test_words_lose_their_quotes_and_keep_their_variables() -> None:
    """Quotes are the shell's, `"$@"` stays a word of its own."""
    assert one('run \'a b\' "$X"c d\\ e "$@"\n', "run").words == ("run", "a b", "$Xc", "d e", "$@")


def test_assignments_before_a_command() -> None:
    """They are its environment, not its name."""
    command = one("A=1 B='x y' manage migrate\n", "manage")
    assert command.env == (("A", "1"), ("B", "x y"))


def test_heredocs_and_comments_are_no_commands() -> None:
    """Text of a heredoc belongs to its command."""
    script = shell.parse("python - <<'E'\nmigrate\nE\n# migrate\nserve\n")
    assert [command.name for command in script.commands] == ["python", "serve"]
    assert script.commands[0].heredoc == "migrate\n"


def test_lines_are_those_of_the_file() -> None:
    """Continued lines and comments do not shift them."""
    script = shell.parse("#!/bin/sh\n\n# c\nfirst \\\n  --more\nsecond\n")
    assert [(command.name, command.line) for command in script.commands] == [
        ("first", 4),
        ("second", 6),
    ]


def test_broken_scripts_are_read_as_far_as_they_go() -> None:
    """A syntax error is noted, and nothing is raised."""
    script = shell.parse("if true; then\nserve\n")
    assert script.broken
