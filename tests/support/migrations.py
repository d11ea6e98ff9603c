"""Small histories of migrations, written as files, for the tests of `tidegate check`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tidegate.model.finding import Finding, Findings
from tidegate.workflows.check.review import review

OFF = {"TIDEGATE_CACHE": "off"}
DJANGO = "from django.db import migrations, models\n"
ALEMBIC = "import sqlalchemy as sa\nfrom alembic import op\n"
ORDERS = """migrations.CreateModel("Order", [
    ("id", models.BigAutoField(primary_key=True)),
    ("total", models.IntegerField(null=True)),
    ("code", models.CharField(max_length=20)),
]),"""


class Django:
    """A Django project's migrations; nothing but the files."""

    def __init__(self, root: Path, database: str = "postgresql", settings: str = "") -> None:
        self.root = root
        text = f'[check]\ndatabase = "{database}"\n{settings}'
        (root / "tidegate.toml").write_text(text, "utf-8")

    def add(
        self,
        name: str,
        operations: str,
        app: str = "shop",
        needs: Sequence[tuple[str, str]] = (),
        head: str = "",
        body: str = "",
    ) -> Path:
        """Write one migration; it needs the app's last one unless `needs` says otherwise."""
        folder = self.root / app / "migrations"
        folder.mkdir(parents=True, exist_ok=True)
        before = sorted(one.stem for one in folder.glob("0*.py"))
        needed = list(needs) or ([(app, before[-1])] if before else [])
        path = folder / f"{name}.py"
        path.write_text(
            f"{DJANGO}{head}\n\nclass Migration(migrations.Migration):\n{body}"
            f"    dependencies = {needed!r}\n    operations = [\n{operations}\n    ]\n",
            "utf-8",
        )
        return path

    def check(self, *paths: str, **more: object) -> Findings:
        """Review it."""
        return review(str(self.root), paths, environ=OFF, **more)  # type: ignore[arg-type]


class Alembic:
    """An Alembic environment's revisions; nothing but the files."""

    def __init__(self, root: Path, database: str = "postgresql") -> None:
        self.root = root
        (root / "tidegate.toml").write_text(f'[check]\ndatabase = "{database}"\n', "utf-8")
        self.folder = root / "migrations" / "versions"
        self.folder.mkdir(parents=True)
        for name in ("env.py", "script.py.mako"):
            (root / "migrations" / name).write_text("", "utf-8")

    def add(
        self, revision: str, upgrade: str, down: object = None, head: str = "", downgrade: str = ""
    ) -> Path:
        """Write one revision."""
        indented = "\n".join("    " + line for line in upgrade.splitlines())
        back = downgrade or 'op.execute("SELECT 1")'
        path = self.folder / f"{revision}.py"
        path.write_text(
            f"{ALEMBIC}{head}\nrevision = {revision!r}\ndown_revision = {down!r}\n\n\n"
            f"def upgrade():\n{indented}\n\n\ndef downgrade():\n    {back}\n",
            "utf-8",
        )
        return path

    def check(self, *paths: str, **more: object) -> Findings:
        """Review it."""
        return review(str(self.root), paths, environ=OFF, **more)  # type: ignore[arg-type]


def said(found: Findings, lowest: str = "warning") -> list[str]:
    """The names of the rules that spoke, the grave ones only."""
    return [one.rule for one in found.at_least(lowest)]


def one(found: Findings, rule: str) -> Finding:
    """The one finding of a rule."""
    (only,) = [each for each in found.findings if each.rule == rule]
    return only
