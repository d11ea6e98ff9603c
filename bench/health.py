"""What readiness costs beside a view that returns a constant, and how fast the probe starts.

Both run in one gunicorn (two threads) before one PostgreSQL, interleaved; what counts are the
ratios. Prints a Markdown table.

usage: python bench/health.py [--seconds 4] [--rounds 3] [--probes 15]
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support import web  # noqa: E402
from support.postgres import Server, find_installations  # noqa: E402
from support.projects import SmallProject  # noqa: E402

CONSTANT = """from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("constant", lambda request: HttpResponse("ok"))]
"""
CLIENTS = 4


def load(port: int, path: str, seconds: float) -> tuple[float, float]:
    """Return (requests a second, p99 in ms) of four clients that keep their connection."""
    took: list[float] = []
    until = time.perf_counter() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.perf_counter() < until:
            began = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            took.append(time.perf_counter() - began)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(took) / seconds, statistics.quantiles(took, n=100)[98] * 1000


def starts(argv: list[str], env: dict[str, str], cwd: Path, count: int) -> float:
    """Return the median milliseconds of one run."""
    took = []
    for _ in range(count):
        began = time.perf_counter()
        subprocess.run(argv, cwd=cwd, env=env, check=True, capture_output=True)
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


def main() -> None:
    """Run everything and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=4)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--probes", type=int, default=15)
    given = options.parse_args()
    installed = find_installations()
    server = Server(installed[max(installed)]).start()
    env = {"DATABASE_URL": server.url(), "PATH": os.environ["PATH"]}
    tidegate = [sys.executable, "-m", "tidegate"]
    with tempfile.TemporaryDirectory() as folder:
        project = SmallProject(Path(folder) / "app", "django", 30)
        web.django(project, web.PLAIN, web.WRAPPED)
        (project.root / "config" / "urls.py").write_text(CONSTANT)
        for verb in (["seal"], ["migrate"]):
            subprocess.run([*tidegate, *verb], cwd=project.root, env=env, check=True,
                           capture_output=True)  # fmt: skip
        found: dict[str, list[tuple[float, float]]] = {"/constant": [], "/readyz": [], "/livez": []}
        with web.gunicorn(project, env) as running:
            for _ in range(given.rounds):
                for path, some in found.items():
                    some.append(load(running.port, path, given.seconds))
            url = f"http://127.0.0.1:{running.port}/readyz"
            probes = {
                "python -c pass": [sys.executable, "-c", "pass"],
                "tidegate health URL": [*tidegate, "health", url],
                "tidegate health --local": [*tidegate, "health", "--local"],
            }
            started = {
                name: starts(argv, env, project.root, given.probes) for name, argv in probes.items()
            }
    server.stop("immediate")
    print("| path | requests/s | p99 ms |\n| --- | --- | --- |")
    for path, some in found.items():
        rate, late = (statistics.median(column) for column in zip(*some, strict=True))
        print(f"| {path} | {rate:.0f} | {late:.1f} |")
    print("\n| one start | ms |\n| --- | --- |")
    for name, took in started.items():
        print(f"| {name} | {took:.0f} |")


if __name__ == "__main__":
    main()
