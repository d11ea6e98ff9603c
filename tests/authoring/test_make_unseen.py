"""Models that autogenerate did not see, and values that Django makes up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Project = Callable[..., object]

TABLES = """
Table("orders", Base.metadata, Column("id", Integer, primary_key=True))
"""
INVOICES = """
class Invoice(Base):
    __tablename__ = "invoices"
    id = Column(Integer, primary_key=True)
"""
ORDER = "class Order(models.Model):\n    note = models.CharField(max_length=9, null=True)\n"
INVOICE = "class Invoice(models.Model):\n    total = models.IntegerField()\n"


def test_a_module_that_nothing_imports(project: Project) -> None:
    """Its table is not dropped: the module, the class and what was seen are named."""
    one = project("alembic", "newest", TABLES + INVOICES)
    before = one.files()
    one.models(TABLES)
    one.models(INVOICES, "shop/invoices.py")
    said = one.make(code=6).err
    assert "invoices would be dropped, and a class for it is there; no file was made" in said
    assert "shop/invoices.py:5 declares class Invoice for it, and nothing imports" in said
    assert "Tables that the models declare: orders." in said
    assert "next: import shop.invoices" in said
    assert one.files() == before
    # A table that no revision made belongs to somebody else.
    one.write("shop/invoices.py", "")
    one.sql("CREATE TABLE spatial_ref (id integer)")
    said = one.make("--drop", "invoices", code=6).err
    assert "spatial_ref would be dropped, and no revision of this project made it" in said
    one.sql("DROP TABLE spatial_ref")
    assert "drop_table('invoices')" in one.made()
    # Nothing to make, though a class is there: the reason is that nothing imports it.
    one.models(INVOICES, "shop/invoices.py")
    said = one.nothing()
    assert "Models that were seen: orders." in said
    assert "shop/invoices.py:5 declares class Invoice and is not imported." in said


def test_django_sees_no_module_that_nothing_imports(project: Project) -> None:
    """The same for a model, and for an app without a folder for migrations."""
    one = project("django", "sqlite", ORDER + INVOICE)
    one.models(ORDER)
    one.models(INVOICE, "shop/invoices.py")
    said = one.make(code=6).err
    assert "shop.Invoice would be deleted, and a class of that name is there" in said
    assert "shop/invoices.py:2 declares class Invoice, and nothing imports that module" in said
    one.write("shop/invoices.py", "")
    one.made("--drop", "Invoice")
    settings = (one.root / "settings.py").read_text()
    one.write("settings.py", settings.replace('["shop"]', '["shop", "blog"]'))
    one.write("blog/__init__.py", "")
    one.models(ORDER, "blog/models.py")
    said = one.nothing()
    assert "Models that were seen: blog.Order, shop.Order." in said
    assert "blog has models and no folder for migrations" in said
    done = one.make("--app", "blog")
    assert "created blog/migrations/0001_" in done.out and "__init__" not in done.out


def test_django_makes_up_no_value(project: Project) -> None:
    """NOT PROVIDED and a missing default are refused; what the user vouches for is written."""
    one = project("django", "sqlite", ORDER)
    one.sql("INSERT INTO shop_order (note) VALUES (NULL), ('x')")
    before = one.files()
    one.models(ORDER.replace(", null=True", "") + "    paid = models.BooleanField()\n"
               "    made = models.DateTimeField(auto_now_add=True)\n")  # fmt: skip
    said = one.make(code=6).err
    assert "order.note becomes NOT NULL, and rows that hold NULL would stop it" in said
    assert "1 row here hold NULL in it" in said
    assert "order.paid is new and not null, and rows that are there have no value" in said
    assert one.files() == before
    assert "NOT NULL" in one.make("--filled", "note", code=6).err
    one.sql("UPDATE shop_order SET note = ''")
    one.models(ORDER.replace(", null=True", "")
               + "    made = models.DateTimeField(auto_now_add=True)\n")  # fmt: skip
    done = one.make("--filled", "note")
    assert "order.made: rows that are there get the moment of the migration" in done.err
    (path,) = one.files() - before
    assert "field=models.CharField(max_length=9)" in Path(path).read_text()
    one.tidegate("migrate")
    one.nothing()
