"""The tables of every rule's example: what the database holds before `before` is applied."""

from __future__ import annotations

SHOP = {
    "django": """\
migrations.CreateModel("Customer", [
    ("id", models.BigAutoField(primary_key=True)),
    ("email", models.CharField(max_length=200)),
    ("name", models.CharField(max_length=100, null=True)),
]),
migrations.CreateModel("Order", [
    ("id", models.BigAutoField(primary_key=True)),
    ("customer", models.ForeignKey("shop.Customer", models.CASCADE)),
    ("reference", models.CharField(max_length=40)),
    ("note", models.TextField(null=True)),
    ("total", models.IntegerField(null=True)),
    ("placed", models.DateTimeField(null=True)),
]),
migrations.AddIndex("Order", models.Index(fields=["placed"], name="order_placed_idx")),
""",
    "alembic": """\
op.create_table("customer",
    sa.Column("id", sa.BigInteger(), primary_key=True),
    sa.Column("email", sa.String(200), nullable=False),
    sa.Column("name", sa.String(100)),
)
op.create_table("orders",
    sa.Column("id", sa.BigInteger(), primary_key=True),
    sa.Column("customer_id", sa.BigInteger(), sa.ForeignKey("customer.id"), nullable=False),
    sa.Column("reference", sa.String(40), nullable=False),
    sa.Column("note", sa.Text()),
    sa.Column("total", sa.Integer()),
    sa.Column("placed", sa.DateTime(timezone=True)),
)
op.create_index("orders_customer_idx", "orders", ["customer_id"])
op.create_index("orders_placed_idx", "orders", ["placed"])
""",
}
