"""The liveness probe ends the container while it still migrates.

A container that migrates before it serves answers nobody until it is done; a liveness probe counts that as failures and kills it in the middle, and the next one begins again.
Give it a `startupProbe` with room for the longest migration: liveness begins when that has succeeded once.
It is silent where there is a startup probe, and where the container does not migrate.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import words
from tidegate.reading.project.kubernetes import Pod
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (
    r"Liveness probe failed",
    r"database marked as dirty",
    r"another migration process is currently running",
    r"failed liveness probe, will be restarted",
)
PRINTED = "Container web failed liveness probe, will be restarted"
WHEN = "at the first migration that takes longer than the probe is patient"
BAD = {
    "k8s/web.yaml": """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
        - name: web
          image: example/shop:1.0
          command: ["tidegate", "boot", "--", "gunicorn", "shop.wsgi"]
          livenessProbe:
            httpGet: {path: /healthz, port: 8000}
            periodSeconds: 5
"""
}
GOOD = {
    "k8s/web.yaml": BAD["k8s/web.yaml"]
    + "          startupProbe:\n            httpGet: {path: /healthz, port: 8000}\n            failureThreshold: 60\n"
}
AT = "k8s/web.yaml:12"
LEAST = 60


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield impatient liveness probes of containers that migrate."""
    for workload in project.workloads:
        for pod in workload.pods:
            probe = pod.item.get("livenessProbe")
            if pod.init or probe is None or pod.item.get("startupProbe") is not None:
                continue
            patience = pod.number("livenessProbe", "initialDelaySeconds", 0)
            patience += pod.number("livenessProbe", "periodSeconds", 10) * pod.number(
                "livenessProbe", "failureThreshold", 3
            )
            if _migrates(pod) and patience < LEAST:
                yield Problem(
                    probe.place,
                    f"{pod.name} migrates before it answers, and is killed after {patience} s without an answer.",
                    "add a startupProbe with room for the longest migration, such as failureThreshold: 60",
                    (pod.place,),
                )


def _migrates(pod: Pod) -> bool:
    return any(
        words.migrates(one) or (words.program(one) == "tidegate" and "boot" in one)
        for one, _ in pod.commands
    )
