"""The migration runs after the pods are ready, and the pods wait for the migration.

A Helm hook of the kind `post-install` or `post-upgrade`, or `PostSync` of Argo CD, starts when the release's resources are there; with `--wait` that means when the pods are ready, and these pods wait for the schema first.
Both wait for each other until the timeout; an init container waits so, or a loop before the app.
Make it a `pre-upgrade` hook, or migrate in the pods with `tidegate boot`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.kubernetes import Pod
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"There are still unapplied migrations after \d+ seconds",
    r"timed out waiting for the condition",
    r"UPGRADE FAILED",
)
PRINTED = "TimeoutError: There are still unapplied migrations after 60 seconds."
WHEN = "at the first install with --wait"
BAD = {
    "k8s/all.yaml": """apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations:
    helm.sh/hook: post-install,post-upgrade
spec:
  template:
    spec:
      containers:
        - name: migrate
          image: example/shop:1.0
          command: ["python", "manage.py", "migrate"]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      initContainers:
        - name: wait-for-migrations
          image: example/shop:1.0
          command: ["python", "manage.py", "migrate", "--check"]
      containers:
        - name: web
          image: example/shop:1.0
"""
}
GOOD = {
    "k8s/all.yaml": BAD["k8s/all.yaml"].replace(
        "post-install,post-upgrade", "pre-install,pre-upgrade"
    )
}
AT = "k8s/all.yaml:6"
# The annotation, how a hook behind the start begins, and what to write instead.
_HOOKS = (
    ("helm.sh/hook", "post-", "pre-install,pre-upgrade"),
    ("argocd.argoproj.io/hook", "PostSync", "PreSync"),
)


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield migration hooks after the start, where an init container waits for the schema."""
    waiting = [
        (one, pod) for one in project.workloads for pod in one.pods if _waits_for_schema(pod)
    ]
    for job in project.workloads:
        hooks = [(one, before) for name, after, before in _HOOKS
                 if (one := job.item.get("metadata", "annotations", name)) and one.text.startswith(after)]  # fmt: skip
        if not hooks or not waiting or not any(pod.migrates() for pod in job.pods):
            continue
        found, before = hooks[0]
        other, pod = waiting[0]
        yield Problem(
            found.place,
            f"The Job {job.name} migrates after the pods are ready, and {other.name} waits for it in {pod.name}.",
            f"make it {before}, or migrate in the pods with `tidegate boot -- COMMAND`",
            (pod.place,),
        )


_ASKS = re.compile(
    r"--check|wait[-_]for[-_]migrations|check-migrations|tidegate wait|--when-behind[ =]wait"
)
_LEVEL = re.compile(r"migrate .*--check|showmigrations|alembic .*(current|check)|check-migrations")


def _waits_for_schema(pod: Pod) -> bool:
    """Whether it asks before the pod is ready: an init container, or a loop before the app."""
    if pod.init and _ASKS.search(" ".join((pod.name, *pod.argv))):
        return True
    looped = [one for one in pod.parsed if {"until", "loop"} & set(one.inside)]
    return any(_LEVEL.search(" ".join(one.words)) for one in looped)
