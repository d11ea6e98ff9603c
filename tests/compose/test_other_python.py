"""An image whose packages lie in an environment that is on no PATH, which has no Python either."""

from __future__ import annotations

import json
from collections.abc import Callable

from support.stacks import BASE, COMPOSE, MODELS, PASSWORD, Stack, exited

Make = Callable[..., Stack]
DOCKERFILE = f"""\
FROM {BASE}
RUN real="$(readlink -f "$(command -v python)")" && "$real" -m venv --without-pip .venv && \\
    cd "$(python -c 'import sysconfig as s; print(s.get_path("purelib"))')" && \\
    rm -rf alembic django/contrib/gis && mv django asgiref sqlparse \\
    /app/.venv/lib/python3*/site-packages/ && rm -f /usr/local/bin/python /usr/local/bin/python3
ENV PYTHON_VERSION=
COPY . .
CMD [".venv/bin/python", "serve.py"]
"""


def test_packages_in_an_environment_of_their_own(stack: Make) -> None:
    """It is found without a setting, for every verb: by what starts in the container, and by what
    lays the host's code over the folder that the environment lies in."""
    one = stack().django(COMPOSE).with_users().write({"Dockerfile": DOCKERFILE})
    one.up("--settle", "0")
    done = exited(one, ["run", "--", "manage.py", "check"], 0)
    assert "no issues" in done.out
    env = {"DJANGO_SUPERUSER_USERNAME": "mei", "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
           "DJANGO_SUPERUSER_EMAIL": "mei@example.org"}  # fmt: skip
    assert one.tidegate("superuser", env=env).code == 0
    loaded = one.tidegate("doctor", "--import")
    assert "was not loaded" not in loaded.said
    one.write(
        {"shop/models.py": MODELS + "    city = models.CharField(max_length=9, default='')\n"}
    )
    exited(one, ["make", "-m", "the city"], 0)
    assert (one.folder / "shop/migrations/0002_the_city.py").is_file()
    known = json.loads((one.shared / ".cache/tidegate/pythons.json").read_text())
    assert "/app/.venv/bin/python" in known.values()  # other images are asked as well
