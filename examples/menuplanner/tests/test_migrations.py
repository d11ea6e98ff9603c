import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, pool, text

from menuplanner.config import normalize_url, sync_url


@pytest.fixture
def engine(database_url):
    return create_engine(sync_url(normalize_url(database_url)), poolclass=pool.NullPool)


def rows(engine, sql):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def run(engine, *statements):
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_one_head(alembic_config):
    assert len(ScriptDirectory.from_config(alembic_config).get_heads()) == 1


def test_models_match_migrations(alembic_config):
    command.upgrade(alembic_config, "head")
    command.check(alembic_config)


def test_every_revision_goes_down_and_up_again(alembic_config):
    script = ScriptDirectory.from_config(alembic_config)
    for revision in reversed(list(script.walk_revisions())):
        command.upgrade(alembic_config, revision.revision)
        if not revision.is_merge_point:
            command.downgrade(alembic_config, revision.down_revision or "base")
            command.upgrade(alembic_config, revision.revision)
    command.downgrade(alembic_config, "base")
    command.upgrade(alembic_config, "head")
    command.check(alembic_config)


def test_async_drivers(alembic_config, engine, database_url):
    url = normalize_url(database_url)
    driver = {"sqlite": "sqlite+aiosqlite"}.get(url.drivername, "postgresql+asyncpg")
    url = url.set(drivername=driver).render_as_string(hide_password=False)
    alembic_config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(alembic_config, "head")
    command.check(alembic_config)
    command.downgrade(alembic_config, "base")
    assert rows(engine, "SELECT * FROM alembic_version") == []


def test_amounts_are_split_and_joined(alembic_config, engine):
    amounts = ["250 g", "1,5 l", "3", "a pinch", "0.125 tsp, level"] * 250  # several batches
    command.upgrade(alembic_config, "82f5b6093ead")
    run(
        engine,
        "INSERT INTO recipe (id, name) VALUES (1, 'Soup')",
        "INSERT INTO ingredient (id, name) VALUES (1, 'Salt')",
    )
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO recipe_ingredient (recipe_id, ingredient_id, amount)"
                " VALUES (1, 1, :amount)"
            ),
            [{"amount": amount} for amount in amounts],
        )

    command.upgrade(alembic_config, "head")
    found = rows(engine, "SELECT quantity, unit FROM recipe_ingredient ORDER BY id")
    expected = [(250, "g"), (1.5, "l"), (3, ""), (0, "a pinch"), (0.125, "tsp, level")]
    assert [(float(quantity), unit) for quantity, unit in found] == expected * 250

    command.downgrade(alembic_config, "1b0f6c2d94ae")
    found = rows(engine, "SELECT amount FROM recipe_ingredient ORDER BY id")
    assert [amount.replace("1.5 l", "1,5 l") for (amount,) in found] == amounts


def test_slugs_meals_and_references_survive(alembic_config, engine):
    command.upgrade(alembic_config, "4c71f09a8be5")
    run(
        engine,
        "INSERT INTO recipe (id, title) VALUES (1, 'Crêpes'), (2, 'Crepes!'), (3, '粥')",
        "INSERT INTO tag (id, name) VALUES (1, 'sweet')",
        "INSERT INTO recipe_tag (recipe_id, tag_id) VALUES (1, 1)",
        "INSERT INTO location (id, name, kind) VALUES (1, 'North', 'canteen')",
        "INSERT INTO planned_meal (id, planned_on, slot, recipe_id, location_id, servings)"
        " VALUES (1, '2023-10-02', 'lunch', 1, 1, 10), (2, '2023-10-02', 'lunch', 1, 1, 5),"
        " (3, '2023-10-02', 'dinner', 1, 1, 7)",
    )

    command.upgrade(alembic_config, "head")
    assert rows(engine, "SELECT id, slug, servings FROM recipe ORDER BY id") == [
        (1, "crepes", 1),
        (2, "crepes-2", 1),
        (3, "recipe", 1),
    ]
    assert rows(engine, "SELECT recipe_id, tag_id FROM recipe_tag") == [(1, 1)]
    meals = "SELECT id, slot, servings FROM planned_meal ORDER BY id"
    assert rows(engine, meals) == [(1, "lunch", 15), (3, "dinner", 7)]

    run(engine, "UPDATE planned_meal SET slot = 'snack' WHERE id = 3")
    command.downgrade(alembic_config, "4c71f09a8be5")
    assert rows(engine, meals) == [(1, "lunch", 15), (3, "lunch", 7)]
    assert rows(engine, "SELECT recipe_id, tag_id FROM recipe_tag") == [(1, 1)]
    if engine.dialect.name == "sqlite":
        assert rows(engine, "PRAGMA foreign_key_check") == []
