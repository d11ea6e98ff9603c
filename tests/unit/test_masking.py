"""What is masked, and what a mask would tell."""

from __future__ import annotations

import pytest

from tidegate.model.masking import hide, of_environ
from tidegate.model.sqltext import without_strings


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("hG7!kk", "it was hG7!kk all along", "it was *** all along"),
        ("correcthorsebattery", "a correcthorsebattery", "a ***"),
        ("app", "files docker-compose.yml; service app", "files docker-compose.yml; service app"),
        ("app", "postgresql://app:app@db/app", "postgresql://app:***@db/app"),
        ("app", "PASSWORD 'app' and password=app", "PASSWORD '***' and password=***"),
        ("app", '{"password": "app"}', '{"password": "***"}'),
        ("app", "the password application", "the password application"),
        ("ab", "ab ab", "ab ab"),
    ],
)
def test_hide(secret: str, text: str, shown: str):
    """A secret is masked everywhere; one that reads like a name, where a secret stands."""
    assert hide(text, [secret]) == shown


def test_of_environ():
    """Variables whose names say so hold secrets; short ones and KEY within a word do not."""
    environ = {
        "DB_PASSWORD": "longenough",
        "API_KEY": "abcdefgh",
        "MONKEY": "bananas",
        "PWD": "/srv/x",
    }
    assert set(of_environ(environ)) == {"longenough", "abcdefgh"}


def test_a_server_repeats_no_literal():
    """The line that a server quotes is cut inside a literal as often as not."""
    assert without_strings("LINE 1: create role r password 'SECR") == (
        "LINE 1: create role r password '…'"
    )
