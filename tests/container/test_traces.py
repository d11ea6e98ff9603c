"""Spans of real commands, as a receiver of OTLP over HTTP gets them."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.gate import APP, Database, Runner
from support.postgres import free_port
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Receiver:
    """Takes /v1/traces, and decodes it with OpenTelemetry's own schema."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                request = service.ExportTraceServiceRequest()
                request.ParseFromString(body)
                requests.append((self.path, request))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def environ(self) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.server.server_port}"}

    def take(self) -> tuple[dict[str, Any], dict[str, str], list[Any]]:
        """The spans of the one request by name, its resource's attributes, the spans in order."""
        ((path, request),) = self.requests
        self.requests.clear()
        assert path == "/v1/traces"
        (resource,) = request.resource_spans
        (scope,) = resource.scope_spans
        about = {one.key: one.value.string_value for one in resource.resource.attributes}
        return {span.name: span for span in scope.spans}, about, list(scope.spans)


def attributes(span: Any) -> dict[str, Any]:
    out = {}
    for one in span.attributes:
        out[one.key] = getattr(one.value, one.value.WhichOneof("value"))
    return out


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.server.shutdown()


def test_boot_backup_and_a_failure(
    receiver: Receiver, tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """A boot is one span with its stages and steps below it, under the span that TRACEPARENT
    names; a failure is an error with its message; nothing secret is in them."""
    project, database = make_project("django"), fresh("newest")
    env = {**database.environ, **receiver.environ, "TRACEPARENT": PARENT, "AUTO_BACKUP": "true",
           "OTEL_SERVICE_NAME": "shop-web"}  # fmt: skip
    done = tidegate("boot", "--", *APP, cwd=project.root, env=env)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    spans, resource, order = receiver.take()
    assert resource["service.name"] == "shop-web"
    root = spans["tidegate boot"]
    assert root.trace_id.hex() == PARENT.split("-")[1]
    assert root.parent_span_id.hex() == PARENT.split("-")[2]
    assert attributes(root) == {"tidegate.command": "boot", "tidegate.exit_code": 0}
    assert root.status.code == 0
    steps = [name for name in spans if name.startswith("migrate shop.")]
    assert steps == [f"migrate {id}" for id in project.ids]
    for span in order:
        assert root.start_time_unix_nano - 1e9 <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= root.end_time_unix_nano
        assert span is root or span.parent_span_id == root.span_id
    verified = attributes(spans["verify default"])
    assert verified["tidegate.backup.verified"] == "quick"
    assert b"s3cret" not in b"".join(span.SerializeToString() for span in order)
    project.add("SELECT nothing FROM nowhere")
    failed = tidegate("migrate", cwd=project.root, env=env)
    assert failed.code == 5, failed.said
    spans, _, _ = receiver.take()
    root = spans["tidegate migrate"]
    assert attributes(root)["tidegate.exit_code"] == 5
    assert (root.status.code, "step shop.0003_step failed" in root.status.message) == (2, True)


def test_nobody_listens(
    receiver: Receiver, tidegate: Runner, make_project: MakeProject, fresh: Fresh, tmp_path: Path
):
    """A collector that is away, a library that is missing: one warning, and the app starts; none
    where spans were switched off, and none by a start that has nothing to do."""
    project, database = make_project("django", 1), fresh("sqlite")
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    done = tidegate("boot", "--", *APP, cwd=project.root, env={**database.environ, **away})
    assert (done.code, "the spans were not sent" in done.err) == (0, True), done.said
    hide = tmp_path / "hide" / "opentelemetry"
    hide.mkdir(parents=True)
    (hide / "__init__.py").write_text("")
    env = {**database.environ, **away, "PYTHONPATH": str(hide.parent)}
    done = tidegate("boot", "--", *APP, cwd=project.root, env=env)
    assert (done.code, "pip install 'tidegate[otel]'" in done.err) == (0, True), done.said
    for off in ({"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true"}):
        env = {**database.environ, **receiver.environ, **off}
        assert tidegate("boot", "--", *APP, cwd=project.root, env=env).code == 0
    assert tidegate("seal", cwd=project.root, env=database.environ).code == 0
    env = {**database.environ, **receiver.environ}
    done = tidegate("-v", "boot", "--", *APP, cwd=project.root, env=env)
    assert (done.code, "the long way" in done.err) == (0, False), done.said
    assert receiver.requests == []
