"""Suppression comments: `# tidegate: allow RULE: the reason`, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tidegate.model.finding import Finding, Place
from tidegate.reading.migrations.record import Allowed, Record
from tidegate.workflows.check import rulebook
from tidegate.workflows.check.settings import CheckSettings

TOOLS = r"tidegate\s*[:-]?\s*(?:allow|ignore|disable|noqa|skip)\b"


def suppressed(
    findings: Sequence[Finding], records: Iterable[Record], settings: CheckSettings
) -> tuple[list[Finding], int]:
    """Return the findings that no comment allows, with what is to say of the comments themselves.

    The second is how many were allowed.
    """
    comments = {one.path: one for one in records if one.allowed}
    used: set[tuple[str, int, str]] = set()
    kept = []
    for one in findings:
        record = comments.get(one.place.path)
        comment = _allowing(one, record.allowed) if record else None
        if comment is None:
            kept.append(one)
        else:
            used.add((one.place.path, comment.line, one.rule))
    hidden = len(findings) - len(kept)
    known = set(rulebook.names()) if comments else set()
    for record in comments.values():
        for comment in record.allowed:
            kept += _about(comment, record, used, known, settings)
    return kept, hidden


def _allowing(one: Finding, allowed: Sequence[Allowed]) -> Allowed | None:
    for comment in allowed:
        end = max(one.place.end_line, one.place.line)
        if one.rule in comment.rules and one.place.line <= comment.about <= end:
            return comment
    return None


def _about(
    comment: Allowed,
    record: Record,
    used: set[tuple[str, int, str]],
    known: set[str],
    settings: CheckSettings,
) -> list[Finding]:
    out = []
    for name in comment.rules or ("",):
        if name not in known:
            said, help = _unknown(name, comment, known)
            out.append(_finding("unknown-rule", "error", said, help, comment, record))
            if help.startswith("write # "):
                break  # it says how the whole comment is written
        elif (record.path, comment.line, name) not in used:
            said = f"the comment allows {name}, and nothing here is flagged by it"
            out.append(
                _finding("unused-suppression", "warning", said, "delete it", comment, record)
            )
    if not comment.reason and not (out and out[-1].remedy.startswith("write # ")):
        said = "the comment does not say why"
        help = f"write # tidegate: allow {', '.join(comment.rules)}: the reason"
        out.append(_finding("suppression-without-reason", "warning", said, help, comment, record))
    levels = [settings.level(one.rule, False, record.path, one.severity) for one in out]
    return [one for one, level in zip(out, levels, strict=True) if level != "off"]


def _unknown(name: str, comment: Allowed, known: set[str]) -> tuple[str, str]:
    """Return what is wrong with a name that is no rule's, and what to write."""
    words = ", ".join([*comment.rules]) + (f": {comment.reason}" if comment.reason else "")
    meant = [one for one in re.findall(r"[\w-]+", words) if one in known]
    if name and meant and name not in meant:
        reason = re.sub("|".join([*map(re.escape, meant), TOOLS]), " ", words)
        reason = " ".join(reason.split()).strip(" -:;,.()[]=#\u2013\u2014") or "the reason"
        said = "the comment is not read: after the rule comes a colon, and then the reason"
        return said, f"write # tidegate: allow {', '.join(dict.fromkeys(meant))}: {reason}"
    near = rulebook.nearest(name)
    help = f"write {near}" if near else "see them all with tidegate rules"
    return f"the comment allows {name or 'nothing'}, and there is no such rule", help


def _finding(
    rule: str, severity: str, message: str, remedy: str, comment: Allowed, record: Record
) -> Finding:
    return Finding(rule, severity, Place(record.path, comment.line), message, remedy, record.id)
