"""What a staged rewrite keeps of the author's text, and how its files are called."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest

from support.migrations import ORDERS, Alembic, Django
from tidegate.workflows.check import fixing
from tidegate.workflows.check.edits import Source, applied
from tidegate.workflows.check.tree import Tree
from tidegate.workflows.staging import unbatched, unrolled
from tidegate.workflows.staging.django_writing import own_name
from tidegate.workflows.staging.remarks import comments, left_out

OFF = {"TIDEGATE_CACHE": "off"}
FILL = '''
# asked for by the shops
def fill(apps, schema_editor):
    """Codes are searched in lower case."""
    Order = apps.get_model("shop", "Order")
    # those that came by post
    for one in Order.objects.filter(total__gt=100).iterator():
        one.code = one.code.lower()  # why
        one.save()
'''
ONE_LINE = (
    'migrations.AddField("order", "source", models.TextField(null=True)), '
    'migrations.AddIndex("order", models.Index(fields=["total"], name="order_total")), '
    'migrations.AddField(\n        "order", "target", models.TextField(null=True)),  # the last'
)


@pytest.fixture
def project(tmp_path: Path) -> Django:
    pytest.importorskip("pgparse")
    made = Django(tmp_path)
    made.add("0001_initial", ORDERS)
    return made


def fixed(root: Path, path: Path) -> fixing.Fixing:
    name = str(path.relative_to(root))
    done = fixing.fix(str(root), [str(path)], "", None, "postgresql", OFF, unsafe=True)
    before, now = path.read_text("utf-8"), [done.tree.texts[one] for one in done.tree.texts]
    assert left_out(before, now) == []
    for one in now:
        ast.parse(one)
    assert name in done.tree.texts
    return done


def test_a_loop_s_words_go_where_it_goes(project: Django) -> None:
    """Comments above, in and behind its lines and its docstring stand in the new function."""
    operation = "migrations.RunPython(fill, migrations.RunPython.noop),  # once"
    path = project.add("0002_fill", operation, head=FILL)
    done = fixed(project.root, path)
    text = done.tree.texts["shop/migrations/0002_fill.py"]
    assert "for one in" not in text
    words = ["# asked for by the shops", '"""Codes are searched', "# those that came by post",
             "# why", "backfill(", "# once"]  # fmt: skip
    assert [one for one in words if one in text] == words
    assert [text.index(one) for one in words] == sorted(text.index(one) for one in words)


@pytest.mark.parametrize("kind", ["EncryptedTextField", "models.JSONField"])
def test_a_field_that_python_has_in_another_form(project: Django, kind: str) -> None:
    """Its values are left to the author: as SQL they would be stored as they are."""
    field = f'migrations.AddField("order", "secret", {kind}(null=True)),'
    head = "from fields import EncryptedTextField\n"
    project.add("0002_secret", field, head=head)
    body = FILL.replace("one.code = one.code.lower()", "one.secret = one.code")
    operation = "migrations.RunPython(fill, migrations.RunPython.noop),"
    path = project.add("0003_fill", operation, head=body)
    done = fixing.fix(str(project.root), [str(path)], "", None, "postgresql", OFF, unsafe=True)
    (words,) = done.left
    assert f"is a {kind.rpartition('.')[2]}, which may change what Python writes" in words


def test_a_type_of_a_revision_that_changes_values(tmp_path: Path) -> None:
    """What the column's class encrypts is not copied as it is."""
    pytest.importorskip("pgparse")
    made = Alembic(tmp_path)
    made.add("a1", 'op.create_table("t", sa.Column("id", sa.Integer(), primary_key=True), '
             'sa.Column("a", sa.Text()), sa.Column("b", sa.Text()))')  # fmt: skip
    loop = (
        't = sa.table("t", sa.column("id"), sa.column("a"), sa.column("b", Encrypted(sa.Text)))\n'
        "for row in op.get_bind().execute(t.select()):\n"
        "    op.get_bind().execute(t.update().where(t.c.id == row.id).values(b=row.a))"
    )
    path = made.add("a2", loop, "a1", head="from app import Encrypted")
    done = fixing.fix(str(tmp_path), [str(path)], "", None, "postgresql", OFF, unsafe=True)
    (words,) = done.left
    assert "the type of t.b may change what Python writes" in words


def test_files_between_two_are_named_by_their_order(project: Django) -> None:
    """The file that follows keeps its name and stands on the last of them; all sort as they run."""
    path = project.add("0002_more", ONE_LINE)
    other = project.add("0003_next", 'migrations.RemoveField("order", "source"),')
    done = fixed(project.root, path)
    made = sorted(Path(one).stem for one in done.tree.new)
    assert made == ["0002_more_02_concurrently", "0002_more_03_rest"]
    assert "'0002_more_03_rest'" in done.tree.texts[str(other.relative_to(project.root))]
    assert '("shop", "0002_more_02_concurrently")' in done.tree.texts[
        "shop/migrations/0002_more_03_rest.py"
    ]  # fmt: skip
    assert "0002_more_02_concurrently.py is new" in "\n".join(done.said)


def test_files_at_the_end_get_the_next_numbers(project: Django) -> None:
    """Where nothing follows; what was divided twice has its own purpose in the name alone."""
    checked = 'models.CheckConstraint(condition=models.Q(total__gt=0), name="c")'
    check = f'migrations.AddConstraint("order", {checked}),'
    path = project.add("0002_more", f"{ONE_LINE}\n        {check}")
    done = fixed(project.root, path)
    assert sorted(Path(one).stem for one in done.tree.new) == [
        "0003_more_concurrently", "0004_more_rest", "0005_more_validate",
    ]  # fmt: skip


def rewritten(body: str, down: str = "pass") -> str:
    """Return upgrade() with its loops and batches written out, as far as they can be."""
    text = f"TABLES = ['a', 'b']\n\n\ndef upgrade():\n{body}\n\n\ndef downgrade():\n    {down}\n"
    for _ in range(9):
        source = Source(Tree("."), "x.py", text, ast.parse(text))
        edits = unrolled.first(source) or unbatched.first(source)
        if not edits:
            break
        text = applied(text, edits)
    return text.partition("def upgrade():\n")[2].partition("\n\n\n")[0]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            "    for one in TABLES:  # both\n        op.drop_index(f'ix_{one}', one)",
            '    # both\n    op.drop_index("ix_a", "a")\n    op.drop_index("ix_b", "b")',
        ),
        (
            "    for k, v in {'a': 'x'}.items():\n        op.drop_column(k, v)",
            '    op.drop_column("a", "x")',
        ),
        (
            "    with op.batch_alter_table('a') as b:\n        # why\n"
            "        b.create_index(b.f('i'), ['x'])\n        b.drop_index('j')\n"
            "        b.drop_constraint('c', type_='check')\n        b.alter_column('x', type_=T())",
            "    # why\n    op.create_index(op.f('i'), 'a', ['x'])\n"
            "    op.drop_index('j', table_name='a')\n"
            "    op.drop_constraint('c', 'a', type_='check')\n"
            "    op.alter_column('a', 'x', type_=T())",
        ),
        (
            "    for one in ('a', 'b'):\n        with op.batch_alter_table(one) as b:\n"
            "            b.drop_column('x')",
            None,
        ),
    ],
)
def test_what_is_written_out(body: str, wanted: str | None) -> None:
    """A loop over constants and a batch become the statements that they send."""
    assert rewritten(body) == (body if wanted is None else wanted)


@pytest.mark.parametrize(
    "body",
    [
        "    for one in names():\n        op.drop_table(one)",
        "    for one in TABLES:\n        name = one\n        op.drop_table(name)",
        "    with op.batch_alter_table('a', recreate='always') as b:\n        b.drop_column('x')",
        "    with op.batch_alter_table('a') as b:\n        if x:\n            b.drop_column('x')",
        "    with op.batch_alter_table('a') as b:\n        op.execute('SELECT 1')",
        "    for one in TABLES:\n        op.execute('''\n        x''')",
    ],
)
def test_what_is_left_as_it_stands(body: str) -> None:
    """What is not known beforehand, what has settings of its own, strings over several lines."""
    assert rewritten(body) == body


def test_a_backfill_in_a_revision_is_read(tmp_path: Path) -> None:
    """What a fix writes is nothing that a review can't see."""
    pytest.importorskip("pgparse")
    project = Alembic(tmp_path)
    project.add("a", 'op.create_table("orders", sa.Column("id", sa.Integer(), primary_key=True))')
    path = project.add(
        "b",
        "with op.get_context().autocommit_block():\n"
        '        backfill(op.get_bind(), "orders", set="id = id")',
        "a",
        head="from tidegate.backfill import backfill\n",
    )
    assert [one.rule for one in project.check(str(path)).findings if one.rule == "unread"] == []


def test_comments_are_told_apart_from_strings() -> None:
    """A number sign in a string is none, and what Alembic writes of itself is not kept."""
    text = 'x = "# no"  # yes\n# ### commands auto generated by Alembic ###\n'
    assert comments(text) == ["# yes"]
    assert left_out(text + "# yes\n", ["y  # yes"]) == ["# yes"]


def test_the_names_that_django_gives() -> None:
    """Of an index, a foreign key or a unique constraint of one column, however long they are."""
    base = pytest.importorskip("django.db.backends.postgresql.base")
    settings = {"NAME": "x", "USER": "", "PASSWORD": "", "HOST": "", "PORT": "", "OPTIONS": {},
                "TIME_ZONE": None}  # fmt: skip
    connection = base.DatabaseWrapper(settings)  # nothing is asked of it
    editor = connection.SchemaEditorClass(connection)
    words = ["a", "_b", "order", "1st", "x" * 19, "customer_payment", "y" * 31, "z" * 63]
    for table, column, to in itertools.product(words, words, ["", *words]):
        for suffix in ("", "_like", "_uniq", f"_fk_{to}_id"):
            said = own_name(table, column, suffix)
            assert said == editor._create_index_name(table, [column], suffix)
