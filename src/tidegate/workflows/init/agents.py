"""Words for coding agents: which commands to use here, and which are for a person to type."""

from __future__ import annotations

from tidegate.workflows.init.detect import Found

PATH = "AGENTS.md"
SKILL = ".agents/skills/tidegate/SKILL.md"
MARK = "## The database, through tidegate"


def page(found: Found) -> str:
    """Return AGENTS.md for a project that has none."""
    return "# Working on this project with a coding agent\n\n" + block(found)


def block(found: Found) -> str:
    """Return the part that goes to the end of an AGENTS.md."""
    return f"""\
{MARK}

Use:

{_uses()}

Never type:

{_nevers(found)}

The exit code says what happened: 0 done, 1 the answer is no, 2 wrong usage, 3 not ready yet, 4 refused for good, 5 a step failed, 6 refused by policy, 7 somebody else migrates, 8 and 9 an update failed.
Each message ends with what to type next; `--format json` before the verb gives the same as a document.
"""


def files(found: Found) -> list[tuple[str, str]]:
    """Return the skill, which an agent reads when it is about to change the schema."""
    return [(SKILL, skill(found))]


def skill(found: Found) -> str:
    """Return the skill: the way of a schema change, step by step."""
    models = "models.py" if found.framework == "django" else "the models"
    return f"""\
---
name: tidegate
description: Change the database schema of this project, review and rehearse a migration, or find out why a container does not start. Use before touching models, migrations, Dockerfile, Compose files or settings.
---

# A schema change

1. Change {models}.
2. `tidegate make -m "what it does"` writes the migration; read the file.
3. `tidegate --format json check` reviews it: mend what it finds, with `tidegate check --fix` where it offers to.
   `tidegate rule NAME` explains a rule with a bad and a good example.
4. `tidegate plan` rehearses it on a scratch database; it says what would lock, be rewritten or be lost.
5. Commit the migration together with the code that needs it.

A column that goes away, a new name, or a stricter type needs two releases: first the code that works with both, then the change.

# A container that does not start

1. `docker compose logs SERVICE | tidegate doctor --error -` names what explains the text.
2. `tidegate doctor --fix` shows the mends; a person agrees to them, or `--yes` where you were asked to mend.
3. `tidegate status` says where code and database stand.

# Not for you

{_nevers(found)}
"""


def _uses() -> str:
    return """\
- `tidegate make -m "what it does"` to write a migration from changed models.
- `tidegate check` to review it, and `tidegate plan` to rehearse it.
- `tidegate status` to see where code and database stand.
- `tidegate doctor` after a change of a Dockerfile, a Compose file or the settings; `docker compose logs SERVICE | tidegate doctor --error -` when a container does not start."""


def _nevers(found: Found) -> str:
    own = "python manage.py migrate" if found.framework == "django" else "alembic upgrade head"
    fake = "--fake" if found.framework == "django" else "alembic stamp"
    return f"""\
- `{own}` against a database that others use: `tidegate up` or `tidegate migrate` hold the election and the lock budget.
- `docker compose down --volumes`, or anything else that removes a volume.
- `tidegate approve`, or `--approve`: a change that loses data needs the word of a person for exactly this plan.
- `tidegate restore` and `tidegate rollback`, unless a person asked for it.
- `{fake}`, or an edit of a migration that is applied anywhere."""
