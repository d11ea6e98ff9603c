"""The Dockerfile."""

from __future__ import annotations

import json

from tidegate.workflows.init import advice
from tidegate.workflows.init.detect import Found

# Packages that compile against a client library, which a slim image lacks.
_LIBRARIES = {
    "psycopg2": ("build-essential libpq-dev", "libpq5"),  # psycopg2-binary brings its own
    "mysqlclient": ("build-essential default-libmysqlclient-dev pkg-config", "libmariadb3"),
}


def dockerfile(found: Found) -> str:
    """Return the Dockerfile: packages in a stage of their own, no root, no secret, no database."""
    return "\n".join([*_build_stage(found), "", *_final_stage(found), ""])


def _build_stage(found: Found) -> list[str]:
    build, _ = _LIBRARIES.get(found.driver, ("", ""))
    out = [
        "# syntax=docker/dockerfile:1",
        "",
        f"FROM python:{found.python}-slim AS build",
        "WORKDIR /build",
    ]
    if build:
        out += [_APT]
        out.append(
            f"RUN apt-get update && apt-get install -y --no-install-recommends {build}"
            " && rm -rf /var/lib/apt/lists/*"
        )
    return [*out, *_environment(found), *_install(found)]


def _environment(found: Found) -> list[str]:
    """A folder for the packages; the image's own tools fill it, so that the app has none of them.

    The app may not write there: what isn't compiled now would be compiled at each of its starts.
    pip compiles what it installs; uv and Poetry do when they are told to.
    """
    by_uv = found.packages.installer in ("uv", "pyproject")
    more = " UV_COMPILE_BYTECODE=1" if by_uv else ""
    if not by_uv and found.packages.installer != "poetry":
        more = " PIP_PYTHON=/venv/bin/python"
    return ["RUN python -m venv --without-pip /venv", f"ENV PATH=/venv/bin:$PATH{more}"]


# What hadolint would have pinned, and nobody keeps up to date: the distribution does, and pip.
_NEWEST = "# hadolint ignore=DL3013"
_APT = "# hadolint ignore=DL3008"


def _install(found: Found) -> list[str]:
    driver = [f"'{advice.pip_name(found.unlisted)}'"] if found.unlisted else []
    more = " ".join(["tidegate", found.server, *driver])
    cache = "RUN --mount=type=cache,target=/root/.cache/pip"
    both = f"{cache} --mount=type=cache,target=/root/.cache/uv"
    installer, files = found.packages.installer, found.packages.files
    if installer == "uv":
        return [
            f"COPY {' '.join(files)} ./",
            _NEWEST,
            f"{both} pip install uv \\",
            "    && UV_PROJECT_ENVIRONMENT=/venv uv sync --frozen --no-dev --no-install-project \\",
            f"    && uv pip install --python /venv/bin/python {more}",
        ]
    if installer == "poetry":
        return [
            f"COPY {' '.join(files)} ./",
            _NEWEST,
            f"{cache} pip install poetry \\",
            "    && POETRY_VIRTUALENVS_CREATE=false VIRTUAL_ENV=/venv poetry install --only main --no-root --compile --no-interaction \\",
            f"    && PIP_PYTHON=/venv/bin/python pip install {more}",
        ]
    if installer == "pyproject":  # what it depends on, without building the project itself
        return [
            f"COPY {files[0]} ./",
            _NEWEST,
            f"{both} pip install uv \\",
            f"    && uv pip install --python /venv/bin/python -r pyproject.toml {more}",
        ]
    if files == ("requirements.txt",):
        return ["COPY requirements.txt ./", f"{cache} pip install -r requirements.txt {more}"]
    copies = [f"COPY {one} ./{one}" for one in files]
    return [*copies, f"{cache} pip install -r {files[0]} {more}"]


def _final_stage(found: Found) -> list[str]:
    _, library = _LIBRARIES.get(found.driver, ("", ""))
    folders = ["/data", *(one for one in (found.static, found.media) if one)]
    fake = " ".join(f"{name}=only-for-the-build" for name in found.demanded)
    out = [
        f"FROM python:{found.python}-slim",
        "ENV PATH=/venv/bin:$PATH \\",
        "    PYTHONUNBUFFERED=1 \\",
        "    PYTHONDONTWRITEBYTECODE=1",
        *([f"ENV {_pairs(found)}"] if found.given else []),
        "WORKDIR /app",
    ]
    if library:
        out += [_APT]
        out.append(
            f"RUN apt-get update && apt-get install -y --no-install-recommends {library}"
            " && rm -rf /var/lib/apt/lists/*"
        )
    return [
        *out,
        "# Volumes take over the owner of these folders when they are first filled.",
        "RUN groupadd --gid 10001 app \\",
        "    && useradd --no-log-init --uid 10001 --gid app --home-dir /tmp --no-create-home --shell /usr/sbin/nologin app \\",
        f"    && install -d -o app -g app {' '.join(folders)}",
        "COPY --from=build /venv /venv",
        "COPY . .",
        *([f"WORKDIR /app/{found.folder}"] if found.folder else []),
        "# Writes down which migrations belong to this image; needs no database.",
        f"RUN {fake + ' ' if fake else ''}tidegate seal",
        "USER 10001:10001",
        "EXPOSE 8000",
        "HEALTHCHECK --interval=5s --timeout=4s --start-period=120s --retries=3 \\",
        "    CMD " + json.dumps(["python", "-c", probe(found)]),
        'ENTRYPOINT ["tidegate", "boot", "--"]',
        "CMD " + json.dumps(command(found)),
    ]


def _pairs(found: Found) -> str:
    return " \\\n    ".join(f"{name}={value}" for name, value in found.given)


def probe(found: Found) -> str:
    """Return what asks the app: any answer but a server error will do.

    A redirect, or a refusal of the host name, is an answer too. At a path that the code has,
    "not found" means that something else answers.
    """
    status = "c.getresponse().status"
    bad = f"(s := {status}) == 404 or s >= 500" if found.health else f"{status} >= 500"
    return (
        "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=3); "
        f"c.request('GET', '{found.health or '/'}'); raise SystemExit({bad})"
    )


def command(found: Found, reload: bool = False) -> list[str]:
    """Return the server's command line."""
    if reload and found.framework == "django":
        return ["python", "manage.py", "runserver", "0.0.0.0:8000"]
    more = ["--reload"] if reload else []
    made = found.app.endswith("()")
    if found.server == "gunicorn":
        worker = ["--worker-class=uvicorn.workers.UvicornWorker"] if found.asgi else []
        return ["gunicorn", found.app, "--bind=0.0.0.0:8000", "--workers=2",
                "--worker-tmp-dir=/dev/shm", *worker, *more]  # fmt: skip
    if found.server == "granian":
        return [
            "granian",
            "--interface",
            "asgi" if found.asgi else "wsgi",
            "--host",
            "0.0.0.0",
            "--port",
            "8000",
            *(["--factory"] if made else []),
            *more,
            found.app.removesuffix("()"),
        ]
    if made and found.server == "uvicorn":
        more, app = ["--factory", *more], found.app.removesuffix("()")
    else:
        app = found.app
    app = app if ":" in found.app else app + ":application"
    flags = (
        ["-b", "0.0.0.0", "-p", "8000"]
        if found.server == "daphne"
        else ["--host", "0.0.0.0", "--port", "8000"]
    )
    if found.server == "hypercorn":
        flags = ["--bind", "0.0.0.0:8000"]
    return [found.server, *flags, *more, app]
