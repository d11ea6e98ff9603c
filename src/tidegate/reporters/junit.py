"""JUnit's XML, for servers that show test results: one test case a rule and file."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from tidegate.model.finding import Finding, Findings


def render(found: Findings, colour: bool) -> str:
    """Return the document. Errors and warnings are failures; an info passes with its text."""
    failures = len(found.at_least("warning"))
    total = max(len(found.findings), 1)
    name = quoteattr(f"tidegate {found.verb}")
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites tests="{total}" failures="{failures}" errors="0">',
        f'  <testsuite name={name} tests="{total}" failures="{failures}" errors="0">',
    ]
    for one in found.findings:
        lines += _case(one)
    if not found.findings:
        lines.append(f"    <testcase classname={name} name={quoteattr(_clean(found.summary))}/>")
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"])


def _case(one: Finding) -> list[str]:
    where = f"{one.place.path}:{one.place.line}"
    head = f"    <testcase classname={quoteattr(_clean(one.place.path))} name={quoteattr(f'{one.rule} line {one.place.line}')}"  # noqa: E501
    text = escape(_clean("\n".join((where, one.message, f"next: {one.remedy}"))))
    if one.severity == "info":
        return [f"{head}>", f"      <system-out>{text}</system-out>", "    </testcase>"]
    message = quoteattr(_clean(one.message))
    kind = quoteattr(one.severity)
    return [
        f"{head}>",
        f"      <failure type={kind} message={message}>{text}</failure>",
        "    </testcase>",
    ]


def _clean(text: str) -> str:
    """XML 1.0 has no control characters but tab and line ends."""
    return "".join(one for one in text if one >= " " or one in "\t\n\r")
