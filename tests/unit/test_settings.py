"""Settings: one declaration, four sources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tidegate import settings
from tidegate.container.typos import mistyped


def test_rising_order(tmp_path):
    """Flags win over the environment, which wins over the file, which wins over the default."""
    (tmp_path / "pyproject.toml").write_text("[tool.tidegate]\ntimeout = 5\nwhen-ahead = 'fail'\n")
    file = settings.from_file(str(tmp_path))
    environ = settings.from_environ({"TIDEGATE_TIMEOUT": "6", "MIGRATE_ON_START": "false"})
    flags, rest = settings.from_argv(["--timeout=7", "--", "x"], ["timeout"])
    found = settings.effective(file, environ, flags)
    assert (found["timeout"], found["when_ahead"], found["when_behind"], found["backup"]) == (
        "7", "fail", "wait", "auto",
    )  # fmt: skip
    assert rest == ["--", "x"]


def test_own_name_wins_over_the_older_one():
    """TIDEGATE_WHEN_BEHIND is stronger than MIGRATE_ON_START."""
    found = settings.from_environ({"MIGRATE_ON_START": "true", "TIDEGATE_WHEN_BEHIND": "serve"})
    assert found == {"when_behind": "serve"}


@pytest.mark.parametrize(
    ("environ", "what"),
    [
        ({"MIGRATE_ON_START": "maybe"}, "MIGRATE_ON_START is 'maybe'"),
        ({"TIDEGATE_TIMEOUT": "soon"}, "TIDEGATE_TIMEOUT is 'soon'"),
        ({"TIDEGATE_WHEN_AHEAD": "x"}, "TIDEGATE_WHEN_AHEAD is 'x'"),
    ],
)
def test_bad_values_are_named(environ, what):
    """A bad value says which variable has it."""
    with pytest.raises(settings.BadSetting) as caught:
        settings.from_environ(environ)
    assert caught.value.what == what
    assert caught.value.next


@pytest.mark.parametrize("argv", [["--nope", "1"], ["--timeout"], ["--timeout", "x"]])
def test_bad_flags_are_refused(argv):
    """An unknown flag, one without a value and one with a bad value are errors."""
    with pytest.raises(settings.BadSetting):
        settings.from_argv(argv, ["timeout"])


def test_unknown_key_in_the_file(tmp_path):
    """A misspelt key is not passed over."""
    (tmp_path / "tidegate.toml").write_text("time_out = 5\n")
    with pytest.raises(settings.BadSetting, match="time_out is not a setting"):
        settings.from_file(str(tmp_path))


def test_wait_for_may_be_given_again():
    """Each --wait-for adds one."""
    found, _ = settings.from_argv(
        ["--wait-for", "tcp://a:1", "--wait-for", "tcp://b:2"], ["wait_for"]
    )
    assert found["wait_for"].split() == ["tcp://a:1", "tcp://b:2"]


def test_no_variable_of_its_own_is_taken_for_a_mistyped_one():
    """Whatever tidegate reads, or gives to what it starts, it does not warn of."""
    named = re.compile(r'"(TIDEGATE_[A-Z_]*[A-Z])"')
    sources = Path(settings.__file__).parent.rglob("*.py")
    found = {name for path in sources for name in named.findall(path.read_text("utf-8"))}
    assert len(found) > 20
    assert mistyped(dict.fromkeys(found, "x")) == []
