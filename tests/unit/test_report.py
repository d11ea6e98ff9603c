"""No secret reaches a line."""

from __future__ import annotations

import io
import json

import pytest

from tidegate.container.report import Report, masked
from tidegate.model.connection import Connection, Secret


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at postgresql://u:hunter2@db/x now", "at postgresql://u:***@db/x now"),
        ("postgresql://u:p@ss/word@db:5432/x", "postgresql://u:***@db:5432/x"),
        ("redis://:pw@cache:6379/0", "redis://:***@cache:6379/0"),
        ("http://host/path", "http://host/path"),
    ],
)
def test_urls_are_masked(text, shown):
    """The password of a URL is masked, also of one that is not well formed."""
    assert masked(text) == shown


def test_known_passwords_are_masked_everywhere():
    """A password that a driver's error repeats is masked too."""
    out = io.StringIO()
    report = Report("text", out=out)
    report.secrets = ("hunter2",)
    report.stage("wait", "db", "failed for hunter2")
    assert out.getvalue() == "tidegate  wait    db: failed for ***\n"


def test_jsonl_is_masked_and_parses():
    """Machines get the same masks."""
    out = io.StringIO()
    report = Report("jsonl", out=out)
    report.secrets = ("hunter2",)
    report.error(["bad hunter2"], 4)
    assert json.loads(out.getvalue()) == {"stage": "error", "text": "bad ***", "exit_code": 4}


def test_a_connection_never_prints_its_password():
    """repr, str and format of a connection and its secret show a mask."""
    one = Connection("default", "postgresql", password=Secret("hunter2"))
    assert "hunter2" not in f"{one!r} {one} {one.password} {one.shown} {one.password!r}"
    assert one.password.reveal() == "hunter2"
