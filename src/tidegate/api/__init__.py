"""tidegate from Python: what the commands do, as functions that return values and raise errors.

For when no command line is at hand: a test's fixture, a notebook, a script, an app that gates
itself. They work in this process and on this machine, like the commands with `--local`: nothing
here speaks with a container engine. `root` is the project's folder; settings come from its file,
from the environment, and from the keywords here, which win. What is said while they work goes to
the logger `tidegate`. A signal's handler is never touched.

All errors are `TidegateError`: `what` happened, what it means (`meaning`), and what to type `next`.
"""

from tidegate.api.back import BackedUp, RolledBack, Run, backup, history, rollback
from tidegate.api.gate import Adopted, Database, Status, adopt, boot, migrate, status, wait
from tidegate.api.review import check, plan
from tidegate.container.migrating import Migrated
from tidegate.errors import (
    ElectionNotWon,
    NotReady,
    PolicyRefused,
    RefusedForGood,
    StateNotCurrent,
    StepFailed,
    TidegateError,
    UsageProblem,
)
from tidegate.model.finding import Finding, Findings

__all__ = ["Adopted", "BackedUp", "Database", "ElectionNotWon", "Finding", "Findings", "Migrated",
           "NotReady", "PolicyRefused", "RefusedForGood", "RolledBack", "Run", "StateNotCurrent",
           "Status", "StepFailed", "TidegateError", "UsageProblem", "adopt", "backup", "boot",
           "check", "history", "migrate", "plan", "rollback", "status", "wait"]  # fmt: skip
