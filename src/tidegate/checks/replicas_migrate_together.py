"""Each pod of a workload with several replicas applies migrations when it starts.

An init container runs once a pod, not once a deployment: with three replicas three of them migrate at the same time, at the first start and whenever the pods are replaced.
Migrate in a Job before the rollout, or start the app with `tidegate boot -- COMMAND`, which lets one through.
It is silent for one replica, and where a lock or tidegate is around the command.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.acts import shown
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"pg_type_typname_nsp_index",
    r"relation (\"?[\w.]+\"? )?already exists",
    r"type \"?[\w.]+\"? already exists",
    r"Duplicate(Column|Table|Object)",
    r"deadlock detected[\s\S]*waits for AccessExclusiveLock on relation",
    r"column \"?[\w.]+\"? of relation \"?[\w.]+\"? already exists",
    r"schema_migrations.*primary.key",
)
PRINTED = 'django.db.utils.ProgrammingError: relation "variant_variant" already exists'
WHEN = "at every rollout that brings a migration"
BAD = {
    "k8s/web.yaml": """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  template:
    spec:
      initContainers:
        - name: migrate
          image: example/shop:1.0
          command: ["python", "manage.py", "migrate"]
      containers:
        - name: web
          image: example/shop:1.0
"""
}
GOOD = {
    "k8s/web.yaml": BAD["k8s/web.yaml"].replace(
        '["python", "manage.py", "migrate"]', '["tidegate", "migrate"]'
    )
}
AT = "k8s/web.yaml:12"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield containers that migrate in a workload with more than one replica."""
    for workload in project.workloads:
        count, item = workload.replicas
        if workload.kind not in ("Deployment", "StatefulSet", "DaemonSet", "Rollout"):
            continue
        if item is None or count < 2:
            continue
        for pod in workload.pods:
            if pod.migrates():
                yield Problem(
                    pod.place,
                    f"Each of the {count} pods of {workload.name} runs `{shown(pod.argv)}`, at the same time.",
                    "migrate in a Job before the rollout, or with `tidegate migrate`, which lets one through",
                    (item.place,),
                )
