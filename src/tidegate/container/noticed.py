"""Steps that the project's own code applied while it was loaded: said once, and written down.

It is done before the gate can look at anything, so it can't be prevented.
"""

from __future__ import annotations

from tidegate.container.boot import Boot
from tidegate.container.gate import Gate
from tidegate.container.ledger import Ledger, Record
from tidegate.contracts.framework import Noticed
from tidegate.model.connection import Connection
from tidegate.model.level import in_order
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.step import Step
from tidegate.model.words import counted


def tell(one: Boot, gate: Gate) -> None:
    """Warn of each that wasn't told yet; its database is within reach."""
    found, gate.project.noticed[:] = list(gate.project.noticed), []
    for noticed in found:
        connection = next((c for c in gate.connections if c.alias == noticed.alias), None)
        steps = _steps(gate, noticed)
        if connection is None or not steps:
            continue
        one.report.warn(
            f"{noticed.alias}: {noticed.where}, applied {counted(len(steps), 'step')} while the "
            f"project was loaded (the last: {steps[-1].id}). Whatever loads it does the same, each "
            "worker too: with no election, no backup and no lock budget. Take the call out: "
            "tidegate applies the steps"
        )
        _write_down(one, gate, connection, noticed, steps)


def _steps(gate: Gate, noticed: Noticed) -> list[Step]:
    steps = gate.steps(noticed.alias)
    before = gate.project.recorded_ids(steps, noticed.before)
    after = gate.project.recorded_ids(steps, noticed.after)
    return [step for step in in_order(steps) if step.id in after - before]


def _write_down(
    one: Boot, gate: Gate, connection: Connection, noticed: Noticed, steps: list[Step]
) -> None:
    """Write a run of them, where nobody holds the election: who does writes its own."""
    try:
        election = gate.database(connection).election(5.0)
    except (Transient, Permanent):
        return
    try:
        if not election.try_win():
            return
        book = Ledger(
            election.query, connection.vendor, gate.project.framework, connection.alias, one.environ
        )
        book.begin(" ".join(step.id for step in steps)[:2000])
        records = [Record(step, 0.0) for step in steps]
        gate.standing(connection)
        after = gate.recorded_digest(connection.alias)
        book.end("done", 0.0, records, f"applied while loaded: {noticed.where}", after)
    except (Transient, Permanent):
        pass
    finally:
        election.release()
