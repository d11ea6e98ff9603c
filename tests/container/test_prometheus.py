"""The dashboard's queries and the alert rules, asked of a real Prometheus.

It scrapes a real node-exporter that reads the files of real commands, and an app's own metrics.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.gate import APP, Database, Runner, eventually
from support.postgres import free_port
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]
GRAFANA = Path(__file__).resolve().parents[2] / "docs" / "grafana"
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{node}"]}}]
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{app}"]}}]
"""


@contextmanager
def running(*argv: object) -> Iterator[None]:
    process = subprocess.Popen(
        [str(word) for word in argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def app_metrics(text: Callable[[], str]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text().encode())

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()


class Prometheus:
    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.address}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def ask(self, query: str) -> list[Any]:
        found: list[Any] = self.get(f"query?{urllib.parse.urlencode({'query': query})}")["result"]
        return found

    def raised(self) -> set[tuple[str, str]]:
        alerts = self.get("alerts")["alerts"]
        return {(one["labels"]["alertname"], one["state"]) for one in alerts}

    def scraped(self, job: str) -> bool:
        try:
            return bool(self.ask(f'up{{job="{job}"}} == 1'))
        except (urllib.error.URLError, OSError):
            return False


def test_every_panel_and_alert(
    tidegate: Runner, make_project: MakeProject, fresh: Fresh, tmp_path: Path
):
    """Each panel's query has an answer after a boot with a backup; the rules are taken as they
    are; a failed migration raises the alert for it, and no other that has no reason."""
    from tidegate.health import Health, metrics_text

    programs = [shutil.which(name) for name in ("prometheus", "prometheus-node-exporter")]
    if not all(programs):
        pytest.skip("prometheus or its node-exporter is not installed")
    prometheus, exporter = map(str, programs)
    project, database = make_project("django"), fresh("newest")
    files = tmp_path / "files"
    files.mkdir()
    env = {**database.environ, "TIDEGATE_METRICS_DIR": str(files), "TIDEGATE_SERVICE": "web",
           "AUTO_BACKUP": "true"}  # fmt: skip
    assert tidegate("boot", "--", *APP, cwd=project.root, env=env).code == 0
    project.add("SELECT nothing FROM nowhere")
    failed = tidegate("migrate", cwd=project.root, env=env)
    assert failed.code == 5, failed.said
    health = Health(str(project.root), {**os.environ, **database.environ})
    eventually(lambda: "missing_steps" in metrics_text(health), what="the app's answer")
    node, port = free_port(), free_port()
    with app_metrics(lambda: metrics_text(health)) as app:
        config = tmp_path / "prometheus.yml"
        config.write_text(CONFIG.format(rules=GRAFANA / "alerts.yml", node=node, app=app))
        with (
            running(exporter, "--collector.disable-defaults", "--collector.textfile",
                    f"--collector.textfile.directory={files}",
                    f"--web.listen-address=127.0.0.1:{node}"),
            running(prometheus, f"--config.file={config}",
                    f"--storage.tsdb.path={tmp_path / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}"),
        ):  # fmt: skip
            server = Prometheus(port)
            for job in ("node", "shop"):
                eventually(lambda job=job: server.scraped(job), 30, f"a scrape of {job}")
            board = json.loads((GRAFANA / "tidegate.json").read_text())
            (service,) = [one for one in board["templating"]["list"] if one["name"] == "service"]
            metric, label = re.findall(r"label_values\((\w+), (\w+)\)", service["query"])[0]
            assert [one["metric"][label] for one in server.ask(f"count by ({label}) ({metric})")
                    ] == ["web"]  # fmt: skip
            for panel in board["panels"]:
                for target in panel["targets"]:
                    found = server.ask(target["expr"].replace("$service", ".*"))
                    assert found, target["expr"]
                    shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
                    assert all(shown <= set(one["metric"]) for one in found), target
            expected = {("TidegateFailed", "firing"), ("TidegateNotReady", "pending")}
            eventually(lambda: server.raised() == expected, 30, f"no more and no less: {expected}")
            assert {rule["health"] for rule in server.get("rules")["groups"][0]["rules"]} == {"ok"}
            (failed_one,) = [one for one in server.get("alerts")["alerts"]
                             if one["labels"]["alertname"] == "TidegateFailed"]  # fmt: skip
            assert failed_one["annotations"]["summary"] == "migrate of web ended with 5"
