"""tidegate: the gate between a Django or Alembic backend and its database.

`import tidegate` alone loads nothing more: the functions come from `tidegate.api` when they are
asked for.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tidegate._version import __version__

API = ("Adopted", "BackedUp", "Database", "ElectionNotWon", "Finding", "Findings", "Migrated",
       "NotReady", "PolicyRefused", "RefusedForGood", "RolledBack", "Run", "StateNotCurrent",
       "Status", "StepFailed", "TidegateError", "UsageProblem", "adopt", "backup", "boot", "check",
       "history", "migrate", "plan", "rollback", "status", "wait")  # fmt: skip

__all__ = [*API, "__version__"]


def __getattr__(name):  # type: ignore[no-untyped-def]
    if name == "__version__":  # not at the top: every start of a container would load it
        from tidegate._version import __version__

        return __version__
    if name not in API:
        raise AttributeError(f"module 'tidegate' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("tidegate.api"), name)
