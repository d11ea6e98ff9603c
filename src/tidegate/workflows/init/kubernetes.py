"""Kubernetes manifests: a Job that migrates, pods that wait for it, probes that know the schema."""

from __future__ import annotations

import json

from tidegate.workflows.init import outside
from tidegate.workflows.init.detect import Found
from tidegate.workflows.init.image import command, probe
from tidegate.workflows.init.stack import celery_command

FOLDER = "kubernetes"
ALL = ("tmp", "static", "media")


def files(found: Found) -> list[tuple[str, str]]:
    """Return every manifest with its path."""
    parts = [("config", _config(found)), ("migrations", _migrations(found)), ("web", _web(found))]
    parts += [("worker", _worker(found))] if found.celery else []
    parts += [("media", _media(found))] if found.media else []
    out = [(f"{FOLDER}/{name}.yaml", "\n".join(lines) + "\n") for name, lines in parts]
    out.append((f"{FOLDER}/kustomization.yaml", _kustomization(found, [name for name, _ in parts])))
    return [*out, (f"{FOLDER}/secret.env.example", _example(found))]


def _kustomization(found: Found, parts: list[str]) -> str:
    return "\n".join([
        "# At each release (a Job can't be changed, so the last one goes first):",
        f"#   docker build -t registry.example.com/{found.name}:TAG . && docker push registry.example.com/{found.name}:TAG",
        f"#   (cd {FOLDER} && kustomize edit set image {found.name}=registry.example.com/{found.name}:TAG)",
        f"#   kubectl delete job {found.name}-migrations --ignore-not-found && kubectl apply -k {FOLDER}",
        f"# Once: cp {FOLDER}/secret.env.example {FOLDER}/secret.env, fill it in, and",
        f"#   kubectl create secret generic {found.name} --from-env-file={FOLDER}/secret.env",
        "apiVersion: kustomize.config.k8s.io/v1beta1",
        "kind: Kustomization",
        "resources:",
        *(f"  - {name}.yaml" for name in parts),
        "images:",
        f"  - name: {found.name}",
        f"    newName: registry.example.com/{found.name}",
        '    newTag: "0.1.0"',
        "",
    ])  # fmt: skip


def _example(found: Found) -> str:
    lines = [
        f"# Copy to {FOLDER}/secret.env and fill in; kubectl takes the values as they are, quotes included."
    ]
    return "\n".join(
        [*lines, *(f"{name}={outside.example(found, name)}" for name in outside.secrets(found)), ""]
    )


def _config(found: Found) -> list[str]:
    """The variables that anybody may read."""
    variables = {
        **outside.plain(found),
        **({"TIDEGATE_STARTUP_PORT": "8000"} if found.wired else {}),
    }
    given = [f"  {name}: {json.dumps(value.strip(chr(34)))}" for name, value in variables.items()]
    return [
        "# Hosts are names of your cluster, and of your site: correct them.",
        *_head("v1", "ConfigMap", found.name, found, "config"),
        *(["data:", *given] if given else ["data: {}"]),
    ]


def _media(found: Found) -> list[str]:
    """What users upload is seen by every pod, on whatever machine."""
    return [
        *_head("v1", "PersistentVolumeClaim", f"{found.name}-media", found, "media"),
        "spec:",
        "  # Needs a storage class that many machines can mount; an object store needs no claim.",
        '  accessModes: ["ReadWriteMany"]',
        "  resources:",
        "    requests:",
        "      storage: 10Gi",
    ]


def _migrations(found: Found) -> list[str]:
    """Raises the schema once a release; whoever else wants to waits for the election."""
    return [
        *_head("batch/v1", "Job", f"{found.name}-migrations", found, "migrations"),
        "spec:",
        "  backoffLimit: 2",
        f"  activeDeadlineSeconds: {outside.LONGEST}",
        "  ttlSecondsAfterFinished: 86400",
        "  template:",
        "    metadata:",
        *_labels(found, "migrations", 6),
        "    spec:",
        "      restartPolicy: Never",
        *_pod(),
        "      containers:",
        "        - name: migrations",
        *_container(found, ["tidegate", "migrate", "--local"], ("tmp",)),
        *_resources("100m", "256Mi", "512Mi"),
        *_volumes(found, ("tmp",)),
    ]  # fmt: skip


def _web(found: Found) -> list[str]:
    name = found.name
    return [
        *_head("apps/v1", "Deployment", name, found, "web"),
        "spec:",
        "  replicas: 2",
        "  strategy:",
        "    rollingUpdate:",
        "      maxUnavailable: 0",
        "      maxSurge: 1",
        *_template(found, "web"),
        "      containers:",
        "        - name: web",
        *_container(found, ["tidegate", "boot", "--when-behind", "wait", "--", *command(found)], ALL),
        "          ports:",
        "            - name: http",
        "              containerPort: 8000",
        *_resources("100m", "256Mi", "512Mi"),
        *(_http_probes() if found.wired else _command_probes(found)),
        "          lifecycle:",
        "            preStop:",
        "              exec:",
        "                # Requests still arrive until the last proxy knows that this pod goes.",
        '                command: ["sleep", "5"]',
        *_volumes(found, ALL),
        "---",
        *_head("v1", "Service", name, found, "web"),
        "spec:",
        "  selector:",
        *_selector(found, "web", 4),
        "  ports:",
        "    - name: http",
        "      port: 80",
        "      targetPort: http",
        "---",
        *_head("policy/v1", "PodDisruptionBudget", name, found, "web"),
        "spec:",
        "  maxUnavailable: 1",
        "  selector:",
        "    matchLabels:",
        *_selector(found, "web", 6),
    ]  # fmt: skip


def _worker(found: Found) -> list[str]:
    return [*_celery(found, "worker", 2), "---", *_celery(found, "beat", 1)]


def _celery(found: Found, kind: str, replicas: int) -> list[str]:
    once = ["  # One only, also while it is replaced: two would send every task twice.",
            "  strategy:", "    type: Recreate"]  # fmt: skip
    return [
        *_head("apps/v1", "Deployment", f"{found.name}-{kind}", found, kind),
        "spec:",
        f"  replicas: {replicas}",
        *(once if kind == "beat" else []),
        *_template(found, kind),
        "      terminationGracePeriodSeconds: 120",
        "      containers:",
        f"        - name: {kind}",
        *_container(found, [*outside.WAIT, *celery_command(found, kind)], ("tmp", "media")),
        *_resources("100m", "256Mi", "512Mi"),
        "          # No liveness: a database that is away is no reason to end a task.",
        "          readinessProbe:",
        "            exec:",
        '              command: ["tidegate", "health", "--local"]',
        "            periodSeconds: 30",
        "            timeoutSeconds: 15",
        *_volumes(found, ("tmp", "media")),
    ]  # fmt: skip


def _head(version: str, kind: str, name: str, found: Found, part: str) -> list[str]:
    return [f"apiVersion: {version}", f"kind: {kind}", "metadata:", f"  name: {name}",
            *_labels(found, part, 2)]  # fmt: skip


def _labels(found: Found, part: str, indent: int) -> list[str]:
    return [f"{' ' * indent}labels:", *_selector(found, part, indent + 2)]


def _selector(found: Found, part: str, indent: int) -> list[str]:
    pad = " " * indent
    return [
        f"{pad}app.kubernetes.io/name: {found.name}",
        f"{pad}app.kubernetes.io/component: {part}",
    ]


def _template(found: Found, part: str) -> list[str]:
    """Pods that begin when the schema is there: no probe can end an init container."""
    return [
        "  selector:",
        "    matchLabels:",
        *_selector(found, part, 6),
        "  template:",
        "    metadata:",
        *_labels(found, part, 6),
        "    spec:",
        *_pod(),
        "      initContainers:",
        "        - name: schema",
        *_container(found, [*outside.WAIT[:-1], f"--timeout={outside.LONGEST}", "--", "true"], ("tmp",)),
        *_resources("50m", "128Mi", "256Mi"),
    ]  # fmt: skip


def _pod() -> list[str]:
    return [
        "      automountServiceAccountToken: false",
        "      # Else a service called db would bring a DB_PORT of its own.",
        "      enableServiceLinks: false",
        "      securityContext:",
        "        runAsNonRoot: true",
        "        runAsUser: 10001",
        "        runAsGroup: 10001",
        "        fsGroup: 10001",
        "        seccompProfile:",
        "          type: RuntimeDefault",
    ]


def _container(found: Found, argv: list[str], writes: tuple[str, ...]) -> list[str]:
    lines = [f"image: {found.name}", f"command: {json.dumps(argv)}",
             "envFrom:", "  - configMapRef:", f"      name: {found.name}"]  # fmt: skip
    if outside.secrets(found):
        lines += ["  - secretRef:", f"      name: {found.name}"]
    lines += ["securityContext:", "  allowPrivilegeEscalation: false", "  readOnlyRootFilesystem: true",
              "  capabilities:", '    drop: ["ALL"]', "volumeMounts:"]  # fmt: skip
    for name, path in outside.writable(found):
        lines += [f"  - name: {name}", f"    mountPath: {path}"] if name in writes else []
    return [" " * 10 + line for line in lines]


def _resources(cpu: str, memory: str, limit: str) -> list[str]:
    lines = ["resources:", "  requests:", f"    cpu: {cpu}", f"    memory: {memory}", "  limits:",
             f"    memory: {limit}"]  # fmt: skip
    return [" " * 10 + line for line in lines]


def _http_probes() -> list[str]:
    """tidegate.health answers in the app, and boot before it."""
    return _probes(("httpGet:", "  path: /startupz", "  port: http"),
                   ("httpGet:", "  path: /readyz", "  port: http"),
                   ("httpGet:", "  path: /livez", "  port: http"))  # fmt: skip


def _command_probes(found: Found) -> list[str]:
    """The app has no paths for probes: any answer is a start, and the schema is asked for apart."""
    answer = f"  command: {json.dumps(['python', '-c', probe(found)])}"
    return _probes(("exec:", answer),
                   ("exec:", '  command: ["tidegate", "health", "--local"]'),
                   ("tcpSocket:", "  port: http"))  # fmt: skip


def _probes(*handlers: tuple[str, ...]) -> list[str]:
    timings = (
        (
            "startupProbe",
            ("periodSeconds: 5", "timeoutSeconds: 5", f"failureThreshold: {outside.LONGEST // 5}"),
        ),
        ("readinessProbe", ("periodSeconds: 10", "timeoutSeconds: 5")),
        ("livenessProbe", ("periodSeconds: 20", "timeoutSeconds: 5", "failureThreshold: 6")),
    )
    lines = []
    for (name, numbers), handler in zip(timings, handlers, strict=True):
        lines += [f"{name}:", *(f"  {one}" for one in (*handler, *numbers))]
    return [" " * 10 + line for line in lines]


def _volumes(found: Found, writes: tuple[str, ...]) -> list[str]:
    out = ["      volumes:"]
    for name, _ in outside.writable(found):
        if name not in writes:
            continue
        out.append(f"        - name: {name}")
        if name == "media":
            out += [
                "          persistentVolumeClaim:",
                f"            claimName: {found.name}-media",
            ]
        else:
            out.append("          emptyDir: {}")
    return out
