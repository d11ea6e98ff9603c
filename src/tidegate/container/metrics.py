"""What one command did, as metrics in a file that node-exporter's textfile collector reads.

Text in OpenMetrics' form, gauges only: each says how the last run of the command was. The file is
replaced in one piece (https://github.com/prometheus/node_exporter#textfile-collector).
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.container.report import Report

HELP = {
    "tidegate_exit_code": "exit code of the last run; for boot, 0 when the app was started",
    "tidegate_finished_timestamp_seconds": "when the last run ended",
    "tidegate_seconds": "how long the last run took",
    "tidegate_stage_seconds": "how long each stage of the last run took",
    "tidegate_step_seconds": "how long each step that the last run applied or undid took",
    "tidegate_database_state": "1 for the state that the last run left the database in",
    "tidegate_backup_bytes": "size of the backup that the last run made",
    "tidegate_backup_timestamp_seconds": "when that backup was made",
    "tidegate_backup_verified": "1 for the level to which that backup was proved",
}


class Metrics:
    """Listens to a report, and writes the file at the end."""

    def __init__(self, command: str, report: Report, environ: Mapping[str, str]) -> None:
        self.command = command
        self.folder = environ.get("TIDEGATE_METRICS_DIR", "")
        self.service = environ.get("TIDEGATE_SERVICE", "") or os.path.basename(
            os.path.abspath(environ.get("TIDEGATE_PROJECT", "") or ".")
        )
        self._report = report
        self._began = time.monotonic()
        self._found: list[tuple[str, dict[str, str], float]] = []
        if self.folder:
            report.listeners.append(self)

    def __call__(
        self, stage: str, subject: str, text: str, seconds: float | None, more: Mapping[str, object]
    ) -> None:
        """Note what a stage says."""
        if more.get("step") and seconds is not None:
            self._note("tidegate_step_seconds", seconds, step=str(more["step"]))
        if more.get("state"):
            known = {"database": subject, "state": str(more["state"])}
            self._note("tidegate_database_state", 1, **known)
        receipt = more.get("receipt")
        if isinstance(receipt, dict):
            self._note("tidegate_backup_bytes", float(receipt["bytes"]), database=subject)
            self._note("tidegate_backup_timestamp_seconds", time.time(), database=subject)
            level = str(receipt["verified"])
            self._note("tidegate_backup_verified", 1, database=subject, level=level)

    def _note(self, name: str, value: float, **labels: str) -> None:
        self._found.append((name, labels, value))

    def write(self, code: int) -> None:
        """Write the file; a folder that can't be written is warned of, and no more."""
        if not self.folder:
            return
        self._note("tidegate_exit_code", code)
        self._note("tidegate_finished_timestamp_seconds", time.time())
        self._note("tidegate_seconds", time.monotonic() - self._began)
        for stage, seconds in self._report.seconds.items():
            self._note("tidegate_stage_seconds", seconds, stage=stage)
        path = os.path.join(self.folder, f"tidegate-{self.command}-{_plain(self.service)}.prom")
        part = f"{path}.{os.getpid()}"
        try:
            with open(part, "w", encoding="utf-8") as file:
                file.write(self.text())
            os.replace(part, path)
        except OSError as error:
            mend = f"make it, or mount it at {self.folder}"
            if not isinstance(error, FileNotFoundError):
                mend = "let this user write there"
            self._report.warn(f"{self.folder} takes no metrics: {error.strerror}; {mend}")

    def text(self) -> str:
        """Return the file's text: each family once, in the order of HELP."""
        lines = []
        for name, help in HELP.items():
            rows = [(labels, value) for known, labels, value in self._found if known == name]
            if rows:
                lines += [f"# TYPE {name} gauge", f"# HELP {name} {help}"]
            for labels, value in rows:
                every = {"command": self.command, "service": self.service, **labels}
                shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in every.items())
                lines.append(f"{name}{{{shown}}} {value:.6g}" if value < 1e6 else
                             f"{name}{{{shown}}} {value:.3f}")  # fmt: skip
        return "\n".join([*lines, "# EOF", ""])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
