"""What one command did, as OpenTelemetry spans: sent at its end, in one request.

Collected without a library, and made into spans when all is done: the libraries (extra `otel`)
take longer to load than a start that has nothing to do. They read OTEL_* themselves: endpoint,
headers, service name, resource. A collector that does not answer delays nothing by more than
PATIENCE, and stops nothing.
"""

from __future__ import annotations

import importlib
import logging
import os
import time
from collections.abc import Mapping
from typing import Any

from tidegate._version import __version__
from tidegate.container.report import Report, masked

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PATIENCE = 2  # seconds for the one request, where OTEL_EXPORTER_OTLP_TIMEOUT says nothing
KEPT = (str, int, float, bool)


def wanted(environ: Mapping[str, str]) -> bool:
    """Return whether the environment asks for spans."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return False
    return any(environ.get(name) for name in ENDPOINTS)


class Traces:
    """Listens to a report, and sends the spans at the end."""

    def __init__(self, command: str, report: Report, environ: Mapping[str, str]) -> None:
        self.command = command
        self._report = report
        self._environ = environ
        self._began = time.time_ns()
        self._found: list[tuple[str, int, int, dict[str, Any]]] = []
        self._sent = False
        report.listeners.append(self)

    def __call__(
        self, stage: str, subject: str, text: str, seconds: float | None, more: Mapping[str, object]
    ) -> None:
        """Note a stage that says how long it took."""
        if seconds is None:
            return
        end = time.time_ns()
        about: dict[str, Any] = {"tidegate.stage": stage, "tidegate.subject": subject}
        about["tidegate.text"] = masked(text, self._report.secrets)
        about |= {f"tidegate.{k}": v for k, v in more.items() if isinstance(v, KEPT)}
        receipt = more.get("receipt")
        if isinstance(receipt, dict):
            about |= {f"tidegate.backup.{k}": v for k, v in receipt.items() if isinstance(v, KEPT)}
        name = f"{stage} {more.get('step') or subject}".strip()
        self._found.append((name, end - int(seconds * 1e9), end, about))

    def write(self, code: int) -> None:
        """Send the spans, once; what hinders that is warned of, and no more."""
        if self._sent:
            return
        self._sent = True
        try:
            self._send(code, time.time_ns())
        except ModuleNotFoundError as error:
            self._report.warn(
                f"OTEL_* asks for spans, and {error.name} is not installed: "
                "pip install 'tidegate[otel]', or set OTEL_TRACES_EXPORTER=none for tidegate"
            )
        except Exception as error:  # a library's own trouble must not end a start
            self._report.warn(f"the spans were not sent: {masked(str(error))}")

    def _send(self, code: int, ended: int) -> None:
        trace: Any = importlib.import_module("opentelemetry.trace")
        sdk: Any = importlib.import_module("opentelemetry.sdk.trace")
        export: Any = importlib.import_module("opentelemetry.sdk.trace.export")
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # the warning is ours
        made: list[Any] = []

        class Collect(sdk.SpanProcessor):  # type: ignore[misc]
            def on_end(self, span: Any) -> None:
                made.append(span)

        provider = sdk.TracerProvider(resource=self._resource())
        provider.add_span_processor(Collect())
        tracer = provider.get_tracer("tidegate", __version__)
        root = tracer.start_span(
            f"tidegate {self.command}", context=_parent(self._environ), start_time=self._began,
            attributes={"tidegate.command": self.command, "tidegate.exit_code": code},
        )  # fmt: skip
        inside = trace.set_span_in_context(root)
        for name, start, end, about in self._found:
            tracer.start_span(name, context=inside, start_time=start, attributes=about).end(end)
        if code:
            root.set_status(trace.Status(trace.StatusCode.ERROR, self._report.failure))
        root.end(ended)
        exporter = self._exporter()
        try:
            done = exporter.export(made)
        finally:
            exporter.shutdown()
        if done is not export.SpanExportResult.SUCCESS:
            where = next(self._environ[name] for name in ENDPOINTS if self._environ.get(name))
            self._report.warn(f"the spans were not sent: {masked(where)} does not take them")

    def _resource(self) -> Any:
        resources: Any = importlib.import_module("opentelemetry.sdk.resources")
        known = {}
        named = self._environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        if not self._environ.get("OTEL_SERVICE_NAME") and "service.name=" not in named:
            known["service.name"] = self._environ.get("TIDEGATE_SERVICE", "") or "tidegate"
        return resources.Resource.create(known)

    def _exporter(self) -> Any:
        name = "OTEL_EXPORTER_OTLP_PROTOCOL"
        said = self._environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or self._environ.get(name)
        kind = "grpc" if said == "grpc" else "http"
        module: Any = importlib.import_module(
            f"opentelemetry.exporter.otlp.proto.{kind}.trace_exporter"
        )
        limited = any(key.endswith("_TIMEOUT") and "OTLP" in key for key in self._environ)
        return module.OTLPSpanExporter(**({} if limited else {"timeout": PATIENCE}))


def _parent(environ: Mapping[str, str]) -> Any:
    """Return the span that TRACEPARENT names (a CI job, a deployment), or none."""
    if not environ.get("TRACEPARENT"):
        return None
    carried: Any = importlib.import_module("opentelemetry.trace.propagation.tracecontext")
    carrier = {"traceparent": environ["TRACEPARENT"], "tracestate": environ.get("TRACESTATE", "")}
    return carried.TraceContextTextMapPropagator().extract(carrier)


def listening(command: str, report: Report) -> Traces | None:
    """Return what listens, where the environment asks for spans."""
    return Traces(command, report, os.environ) if wanted(os.environ) else None
