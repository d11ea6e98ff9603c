"""A container engine of the test's own, which may be stopped and started at will."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from support.gate import eventually


def programs() -> Path | None:
    """The folder of dockerd: on the PATH, or where the engine that runs here has its own."""
    found = shutil.which("dockerd")
    if found:
        return Path(found).parent
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            program = (folder / "exe").readlink()
        except OSError:
            continue
        if program.name == "dockerd" and program.is_file():
            return program.parent
    return None


def missing() -> str:
    """Why there can be no such engine, or an empty string."""
    if os.name == "nt" or os.geteuid() != 0:
        return "an engine of one's own needs root"
    return "" if programs() else "dockerd is not installed"


class Engine:
    """dockerd without networks: containers are reached through `exec`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix://{folder}/docker.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Engine:
        place = programs()
        assert place
        init = next((one for one in ("tini-static", "docker-init") if (place / one).exists()), "")
        argv = [
            "unshare", "-m", "--propagation", "slave", str(place / "dockerd"),
            "--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec"),
            "--pidfile", str(self.folder / "pid"), "-H", self.address, "--bridge=none",
            "--iptables=false", "--ip-forward=false", "--ip-masq=false", "--shutdown-timeout=2",
            "--exec-opt", "native.cgroupdriver=cgroupfs",
            "--cgroup-parent", f"/tidegate-tests-{os.getpid()}",
        ]  # fmt: skip
        argv += ["--init-path", str(place / init)] if init else []
        path = f"{place}{os.pathsep}{os.environ['PATH']}"
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "PATH": path},
            )  # fmt: skip
        eventually(self.answers, 60, "the engine")
        return self

    def answers(self) -> bool:
        argv = ["docker", "-H", self.address, "version", "--format", "{{.Server.Version}}"]
        return subprocess.run(argv, capture_output=True, timeout=30).returncode == 0

    def stop(self) -> None:
        """Stop it as a restart of its service does: containers end with it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            self.process = None

    def load(self, image: str, source: Callable[[], bytes]) -> None:
        """Take an image over from elsewhere."""
        subprocess.run(["docker", "-H", self.address, "load"], input=source(), check=True,
                       capture_output=True, timeout=300)  # fmt: skip

    def images(self) -> set[str]:
        """The ids of its images."""
        argv = ["docker", "-H", self.address, "image", "ls", "-q", "--no-trunc"]
        done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30)
        return set(done.stdout.split())
