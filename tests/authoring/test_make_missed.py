"""What autogenerate passes over: each is generated right, or refused with the reason."""

from __future__ import annotations

from collections.abc import Callable

Project = Callable[..., object]

BEFORE = """
state = Enum("new", "paid", "lost", name="state")
Table("customer", Base.metadata, Column("id", Integer, primary_key=True))
Table("orders", Base.metadata, Column("id", Integer, primary_key=True),
      Column("quantity", Integer, nullable=False), Column("note", String(20), server_default="a"),
      Column("state", state, server_default="new", nullable=False),
      Column("twice", Integer, Computed("quantity * 2", persisted=True)),
      CheckConstraint("quantity > 0", name="quantity_positive"))
Table("line", Base.metadata, Column("a", Integer, primary_key=True, autoincrement=False),
      Column("b", Integer, nullable=False), Column("states", ARRAY(state)))
"""
AFTER = """
state = Enum("new", "sent", "paid", "lost", name="state")
kind = Enum("small", "it's big", name="kind")
Table("customer", Base.metadata, Column("id", Integer, primary_key=True), Column("kind", kind))
Table("orders", Base.metadata, Column("id", Integer, primary_key=True),
      Column("quantity", Integer, nullable=False, server_default=text("1")), Column("note", kind),
      Column("state", state, server_default="sent", nullable=False),
      Column("twice", Integer, Computed("quantity * 3", persisted=True)),
      CheckConstraint("quantity > 1", name="quantity_positive"), CheckConstraint("id < 900"))
Table("line", Base.metadata, Column("a", Integer, nullable=False),
      Column("b", Integer, primary_key=True, autoincrement=False), Column("states", ARRAY(state)))
"""


def test_everything_at_once_on_postgresql(project: Project) -> None:
    """The revision goes up, down and up again, and leaves nothing to make."""
    one = project("alembic", "newest", BEFORE)
    one.nothing()
    one.sql("INSERT INTO orders (quantity, note) VALUES (3, 'small')")
    one.models(AFTER)
    text = one.made()
    up, down = text.split("def downgrade")
    assert "CREATE TYPE kind AS ENUM ('small', 'it''s big')" in up
    assert "DROP TYPE kind" in down
    assert "with op.get_context().autocommit_block():" in up
    assert "ALTER TYPE state ADD VALUE IF NOT EXISTS 'sent' AFTER 'new'" in up
    assert "takes no value out of a type: state keeps it" in down
    assert "TYPE kind USING note::text::kind" in up
    assert "server_default=sa.text('1')" in up and "server_default='sent'" in up
    assert "sa.Computed('quantity * 3'" in up and "quantity * 2" in down
    assert "op.drop_constraint('quantity_positive', 'orders', type_='check')" in up
    assert "op.create_check_constraint('quantity_positive', 'orders', 'quantity > 1')" in up
    assert "op.create_check_constraint('orders_id_check', 'orders', 'id < 900')" in up
    assert "op.create_primary_key('line_pkey', 'line', ['b'])" in up
    key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'line_pkey'"
    assert one.database.rows(key) == ["PRIMARY KEY (b)"]
    one.nothing()
    one.alembic("downgrade", "-1")
    assert one.database.rows(key) == ["PRIMARY KEY (a)"]
    one.alembic("upgrade", "head")
    one.nothing()
    assert one.database.rows("SELECT note, twice FROM orders") == ["small|9"]


def test_a_value_goes(project: Project) -> None:
    """Renamed it keeps what is stored; taken out, the type is replaced, unless a row holds it."""
    one = project("alembic", "newest", BEFORE)
    one.sql("INSERT INTO orders (quantity, state) VALUES (1, 'new'), (2, 'lost')")
    one.models(BEFORE.replace('"new"', '"open"').replace(', "lost"', ""))
    said = one.make(code=6).err
    assert "value state.new goes, and state.open comes" in said
    said = one.make("--rename", "new=open", "--drop", "lost", code=6).err
    assert "'lost' can't be taken out of the type state: rows hold it" in said
    assert "1 row of orders.state" in said
    one.sql("UPDATE orders SET state = 'paid' WHERE state = 'lost'")
    text = one.made("--rename", "new=open", "--drop", "lost")
    assert "RENAME VALUE 'new' TO 'open'" in text
    assert "CREATE TYPE state AS ENUM ('open', 'paid')" in text
    assert one.database.rows("SELECT state FROM orders ORDER BY id") == ["open", "paid"]
    one.alembic("downgrade", "-1")
    assert one.database.rows("SELECT state FROM orders ORDER BY id") == ["new", "paid"]
    one.alembic("upgrade", "head")
    one.nothing()


def test_a_type_goes_with_its_last_column(project: Project) -> None:
    """Dropped after the columns, made before them on the way back."""
    one = project("alembic", "newest", BEFORE)
    one.models(BEFORE.replace('Column("state", state, server_default="new", nullable=False),', "")
               .replace(', Column("states", ARRAY(state))', ""))  # fmt: skip
    up, down = one.made().split("def downgrade")
    assert up.index("drop_column") < up.index("DROP TYPE state")
    assert down.index("CREATE TYPE state") < down.index("add_column")
    one.alembic("downgrade", "-1")
    one.alembic("upgrade", "head")
    assert one.database.rows("SELECT 1 FROM pg_type WHERE typname = 'state'") == []


def test_what_postgresql_refuses(project: Project) -> None:
    """A key that others refer to, an expression that an index uses, a plain column computed."""
    models = BEFORE + """
Table("stock", Base.metadata, Column("line", ForeignKey("line.a"), primary_key=True),
      Column("plain", Integer))
Index("ix_twice", Base.metadata.tables["orders"].c.twice)
"""
    one = project("alembic", "newest", models)
    one.models(
        models.replace("quantity * 2", "quantity * 4")
        .replace('Column("a", Integer, primary_key=True, autoincrement=False)',
                 'Column("a", Integer, unique=True)')
        .replace('Column("b", Integer, nullable=False)', 'Column("b", Integer, primary_key=True)')
        .replace('Column("plain", Integer)', 'Column("plain", Integer, Computed("line + 1"))')
    )  # fmt: skip
    before = one.files()
    said = one.make(code=6).err
    assert "orders.twice is computed as quantity * 4 now, and can't be replaced" in said
    assert "ix_twice would go with it" in said
    assert "the primary key of line is (b), in the database (a)" in said
    assert "stock_line_fkey of stock" in said
    assert "stock.plain becomes computed as line + 1" in said
    assert one.files() == before


def test_sqlite(project: Project) -> None:
    """In batch mode where the database can't alter; refused where not even that helps."""
    models = """
Table("orders", Base.metadata, Column("id", Integer, primary_key=True), Column("size", Integer),
      Column("other", Integer, nullable=False, server_default=text("1")),
      CheckConstraint("size > 0", name="size_positive"))
"""
    one = project("alembic", "sqlite", models)
    one.sql("INSERT INTO orders (size) VALUES (7)")
    one.nothing()
    new = models.replace("size > 0", "size > 1").replace('text("1")', 'text("2")')
    one.models(new)
    text = one.made()
    assert "with op.batch_alter_table('orders'" in text
    assert "batch_op.create_check_constraint('size_positive', 'size > 1')" in text
    assert "server_default=sa.text('2')" in text
    assert one.database.rows("SELECT size, other FROM orders") == ["7|1"]
    one.nothing()
    one.alembic("downgrade", "-1")
    one.alembic("upgrade", "head")
    one.models(
        new.replace("primary_key=True", "nullable=False")
        .replace('Column("size", Integer)', 'Column("size", Integer, primary_key=True)')
        .replace(', name="size_positive"', '')
    )  # fmt: skip
    said = one.make(code=6).err
    assert "the primary key of orders is (size), in the database (id)" in said
    assert "CHECK (size > 1) of orders is only in the models, and has no name" in said
