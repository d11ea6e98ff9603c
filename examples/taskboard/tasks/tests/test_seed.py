from io import StringIO

from django.core.management import call_command
from django.test import TestCase

from tasks.models import Task, User


class SeedTests(TestCase):
    def test_fills_an_empty_board_once(self) -> None:
        out = StringIO()
        call_command("seed", tasks=10, stdout=out)
        call_command("seed", tasks=10, stdout=out)
        self.assertEqual(Task.objects.count(), 10)
        self.assertIn("nothing seeded", out.getvalue())

    def test_people_have_a_password_only_when_one_is_given(self) -> None:
        call_command("seed", tasks=1, stdout=StringIO())
        self.assertFalse(any(user.has_usable_password() for user in User.objects.all()))
