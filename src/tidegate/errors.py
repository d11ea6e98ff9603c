"""One tree of errors: what happened, what it means, what to type next, and the exit code."""

from __future__ import annotations


class TidegateError(Exception):
    """Base of all errors that a user may see.

    `what` is one sentence of fact, `meaning` what it does to the user, `next` what to type.
    `exit_code` is the contract's.
    """

    exit_code = 70

    def __init__(self, what: str, meaning: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.meaning = meaning
        self.next = next

    def lines(self) -> list[str]:
        """Return the message as lines, the way every front end shows it."""
        out = [self.what]
        if self.meaning:
            out += [f"  {line}" for line in self.meaning.splitlines()]
        if self.next:
            first, *rest = self.next.splitlines()
            out += [f"  next: {first}", *(f"        {line}" for line in rest)]
        return out


class UsageProblem(TidegateError):
    """The command line or the settings can't be understood."""

    exit_code = 2


class NotReady(TidegateError):
    """A dependency was not ready before the deadline."""

    exit_code = 3


class RefusedForGood(TidegateError):
    """A dependency answered, and its answer won't change by waiting."""

    exit_code = 4


class StepFailed(TidegateError):
    """A step failed; the message says where the database stands."""

    exit_code = 5


class PolicyRefused(TidegateError):
    """The policy in force forbids to go on."""

    exit_code = 6


class ElectionNotWon(TidegateError):
    """Another process holds the election, or a lock, past the deadline."""

    exit_code = 7


class StateNotCurrent(TidegateError):
    """The answer to a question is no."""

    exit_code = 1


class UpdateUndone(TidegateError):
    """The update failed, and the previous release is running."""

    exit_code = 8


class UpdateNotUndone(TidegateError):
    """The update failed, and there is no previous release that runs."""

    exit_code = 9


class CommandMissing(TidegateError):
    """The command to become is not there; the shell's code for it."""

    exit_code = 127


class CommandRefused(TidegateError):
    """The command to become is there and can't be run; the shell's code for it."""

    exit_code = 126


class Stopped(BaseException):
    """A signal asked us to end; a BaseException, so that no `except Exception` swallows it.

    `stands` says where the database stands, when it came in the middle of a run.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum
        self.stands = ""

    @property
    def exit_code(self) -> int:
        """128 + the signal's number, as shells report it."""
        return 128 + self.signum
