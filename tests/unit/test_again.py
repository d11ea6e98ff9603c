"""The commands that a message tells one to type are about the target that was named."""

from __future__ import annotations

from importlib import import_module

import pytest

from tidegate.container.entry import split_globals
from tidegate.errors import UpdateUndone
from tidegate.frontends.cli import main
from tidegate.frontends.cli.again import VERBS, again, completed


@pytest.mark.parametrize(
    ("typed", "advice", "says"),
    [
        ("status", "tidegate up, or tidegate migrate", "tidegate up, or tidegate migrate"),
        ("status --env=dev", "tidegate up    (nothing runs)",
         "tidegate up --env dev    (nothing runs)"),
        ("-f docker/c.yml --env-file .env up", "correct it, then run tidegate up again",
         "correct it, then run tidegate -f docker/c.yml --env-file .env up again"),
        ("run --env dev web -- x --env prod", "tidegate logs web", "tidegate logs --env dev web"),
        ("--project a/b status", "or, without containers: tidegate status --local",
         "or, without containers: tidegate --project a/b status --local"),
        ("-f c.yml status", "tidegate status --local", "tidegate status --local"),
        ("--project 'my shop' logs", "see tidegate logs --help", "see tidegate logs --help"),
        ("up --env dev", "tidegate doctor names the line", "tidegate doctor names the line"),
    ],
)  # fmt: skip
def test_the_target_is_named_again(typed: str, advice: str, says: str) -> None:
    """Files, folder and environment stand where that verb takes them; twice changes nothing."""
    glob, _, argv = split_globals(typed.split(" "))
    assert again(advice, glob, argv) == says
    assert again(says, glob, argv) == says


def test_an_error_tells_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    """What an error says to type is completed, and what it tells of a log is not."""
    glob, _, argv = split_globals(["up", "--env", "dev"])
    error = UpdateUndone(
        "x", "| tidegate up said\nThe ways back: tidegate rollback --plan", "run tidegate up again"
    )
    completed(error, glob, argv)
    assert error.lines()[1:] == [
        "  | tidegate up said", "  The ways back: tidegate rollback --env dev --plan",
        "  next: run tidegate up --env dev again",
    ]  # fmt: skip


def test_every_verb_of_a_target_is_known() -> None:
    """What takes --env for its target is completed; `check` takes it for a comparison alone."""
    folder = "tidegate.frontends.cli.commands"
    helps = {name: import_module(f"{folder}.{name}").__doc__ or "" for name in main.names()}
    assert {name for name, text in helps.items() if "--env NAME" in text} == {*VERBS, "check"}
