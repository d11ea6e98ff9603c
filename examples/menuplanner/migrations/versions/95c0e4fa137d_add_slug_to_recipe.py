"""add slug to recipe

Revision ID: 95c0e4fa137d
Revises: 2e9b7658d0c4
Create Date: 2025-01-20 16:20:38.845077

"""

import re
import unicodedata

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "95c0e4fa137d"
down_revision = "2e9b7658d0c4"
branch_labels = None
depends_on = None

BATCH_SIZE = 500
MAX_LENGTH = 220

recipe = sa.table(
    "recipe",
    sa.column("id", sa.Integer),
    sa.column("title", sa.String),
    sa.column("slug", sa.String),
)


def slugify(text: str) -> str:
    """A copy of menuplanner.text.slugify(), which may change; this may not."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-") or "recipe"


def upgrade() -> None:
    if op.get_context().as_sql:
        raise CommandError(f"revision {revision} reads rows: it cannot run with --sql")

    with op.batch_alter_table("recipe") as batch_op:
        batch_op.add_column(sa.Column("slug", sa.String(length=MAX_LENGTH), nullable=True))

    bind = op.get_bind()
    statement = (
        sa.update(recipe)
        .where(recipe.c.id == sa.bindparam("row_id"))
        .values(slug=sa.bindparam("new_slug"))
    )
    query = sa.select(recipe.c.id, recipe.c.title).order_by(recipe.c.id).limit(BATCH_SIZE)
    taken: set[str] = set()
    last_id = 0
    while rows := bind.execute(query.where(recipe.c.id > last_id)).all():
        values = []
        for row in rows:
            base = slugify(row.title)
            slug, number = base, 2
            while slug in taken:
                slug, number = f"{base}-{number}", number + 1
            taken.add(slug)
            values.append({"row_id": row.id, "new_slug": slug})
        bind.execute(statement, values)
        last_id = rows[-1].id

    with op.batch_alter_table("recipe") as batch_op:
        batch_op.alter_column(
            "slug", existing_type=sa.String(length=MAX_LENGTH), nullable=False
        )
        batch_op.create_unique_constraint(op.f("uq_recipe_slug"), ["slug"])


def downgrade() -> None:
    with op.batch_alter_table("recipe") as batch_op:
        batch_op.drop_constraint(op.f("uq_recipe_slug"), type_="unique")
        batch_op.drop_column("slug")
