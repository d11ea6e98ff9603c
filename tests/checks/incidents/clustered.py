"""Incidents on Kubernetes."""

from __future__ import annotations

from checks.incidents.base import Incident

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: {replicas}
  template:
    spec:
      containers:
        - name: web
          image: example/web:1
          command: ["sh", "-c", "{command}"]
"""
LIVENESS = "          livenessProbe:\n            httpGet: {path: /live, port: 8000}\n            initialDelaySeconds: 30\n            periodSeconds: 5\n"
STARTUP = "          startupProbe:\n            httpGet: {path: /live, port: 8000}\n            periodSeconds: 5\n            failureThreshold: 120\n"
ON_BOOT = "alembic upgrade head && exec uvicorn app:app"
JOB = 'apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrations\n  annotations:\n    "helm.sh/hook": {}\nspec:\n  template:\n    spec:\n      containers:\n        - name: run\n          image: example/airflow:3\n          args: ["airflow", "db", "migrate"]\n---\n'
WAITING = DEPLOYMENT.format(replicas=1, command="exec airflow scheduler").replace(
    "      containers:",
    '      initContainers:\n        - name: wait-for-airflow-migrations\n          image: example/airflow:3\n          args: ["airflow", "db", "check-migrations"]\n      containers:',
)

INCIDENTS = (
    Incident(
        "a chart that had to pin one replica",
        "relation already exists / schema_migrations primary-key violation: schema_migrations primary key",
        "replicas-migrate-together",
        "deploy/web.yaml:12",
        {"deploy/web.yaml": DEPLOYMENT.format(replicas=3, command=ON_BOOT)},
        {"deploy/web.yaml": DEPLOYMENT.format(replicas=1, command=ON_BOOT)},
    ),
    Incident(
        "the liveness probe leaves the schema dirty",
        "database marked as dirty; frontend blocked",
        "liveness-kills-migration",
        "deploy/web.yaml:13",
        {"deploy/web.yaml": DEPLOYMENT.format(replicas=1, command=ON_BOOT) + LIVENESS},
        {"deploy/web.yaml": DEPLOYMENT.format(replicas=1, command=ON_BOOT) + LIVENESS + STARTUP},
    ),
    Incident(
        "pods wait for a hook that waits for the pods",
        "TimeoutError: There are still unapplied migrations after 60 seconds",
        "migration-hook-after-start",
        "rendered/all.yaml:6",
        {"rendered/all.yaml": JOB.format("post-install,post-upgrade") + WAITING},
        {"rendered/all.yaml": JOB.format("pre-install,pre-upgrade") + WAITING},
    ),
)
