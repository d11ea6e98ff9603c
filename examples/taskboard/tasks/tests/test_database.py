from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase

from taskboard.database import POSTGRESQL, SQLITE, from_environment, from_url

BASE_DIR = Path("/srv/app")


class DatabaseTests(SimpleTestCase):
    def test_nothing_set_means_sqlite(self) -> None:
        expected = {"ENGINE": SQLITE, "NAME": BASE_DIR / "db.sqlite3"}
        self.assertEqual(from_environment({"DATABASE_URL": ""}, BASE_DIR), expected)

    def test_url_wins_over_separate_variables(self) -> None:
        env = {"DATABASE_URL": "postgres://u@db/one", "POSTGRES_HOST": "other", "POSTGRES_DB": "two"}
        self.assertEqual(from_environment(env, BASE_DIR)["NAME"], "one")

    def test_separate_variables(self) -> None:
        env = {"POSTGRES_HOST": "db", "POSTGRES_PORT": "5433", "POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p@:/"}
        database = from_environment(env, BASE_DIR)
        self.assertEqual((database["HOST"], database["PORT"], database["PASSWORD"]), ("db", "5433", "p@:/"))

    def test_url_is_unquoted_and_its_query_becomes_options(self) -> None:
        database = from_url("postgresql://us%40er:p%3Aw@db:6543/board?sslmode=require")
        self.assertEqual(database["ENGINE"], POSTGRESQL)
        self.assertEqual((database["USER"], database["PASSWORD"]), ("us@er", "p:w"))
        self.assertEqual((database["HOST"], database["PORT"], database["NAME"]), ("db", "6543", "board"))
        self.assertEqual(database["OPTIONS"], {"sslmode": "require"})

    def test_sqlite_urls(self) -> None:
        self.assertEqual(from_url("sqlite:///board.db")["NAME"], "board.db")
        self.assertEqual(from_url("sqlite:////data/board.db")["NAME"], "/data/board.db")
        self.assertEqual(from_url("sqlite://")["NAME"], ":memory:")

    def test_unknown_scheme_is_refused_without_showing_the_password(self) -> None:
        with self.assertRaisesMessage(ImproperlyConfigured, "'mysql'") as caught:
            from_url("mysql://u:secret@db/board")
        self.assertNotIn("secret", str(caught.exception))
