"""What happened to others: doctor names it, is quiet when it is mended, and knows the error text."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.incidents import (
    clustered,
    configuring,
    entering,
    further,
    queueing,
    serving,
    starting,
)
from checks.incidents.base import Incident
from checks.test_check_examples import seen, written
from tidegate.workflows.doctor import errortext, story

INCIDENTS = [
    *starting.INCIDENTS,
    *entering.INCIDENTS,
    *configuring.INCIDENTS,
    *serving.INCIDENTS,
    *clustered.INCIDENTS,
    *queueing.INCIDENTS,
    *further.INCIDENTS,
]
each = pytest.mark.parametrize("incident", INCIDENTS, ids=lambda one: one.name.replace(" ", "-"))


@each
def test_it_is_named(incident: Incident, tmp_path: Path) -> None:
    """The rule speaks at the place where the fault is."""
    assert (incident.rule, incident.at) in seen(written(tmp_path, incident.bad))


@each
def test_it_is_quiet_when_mended(incident: Incident, tmp_path: Path) -> None:
    """Nothing of at least a warning is left of it."""
    left = story.examine(written(tmp_path, incident.good))
    assert [one.rule for one in left if one.rule == incident.rule or one.severity != "info"] == []


@each
def test_its_error_text_leads_to_it(incident: Incident, tmp_path: Path) -> None:
    """`--error` with what was printed then names the rule among what is found here."""
    found = story.examine(written(tmp_path, incident.bad))
    here = [one.rule for one in errortext.explain(incident.said, found) if one.here]
    assert incident.rule in here
