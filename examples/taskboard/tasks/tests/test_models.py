from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from tasks.models import Department, Task, User

from .base import BoardTestCase


class ModelTests(BoardTestCase):
    def test_department_gets_its_slug_from_its_name(self) -> None:
        self.assertEqual(self.department.slug, "field-service")

    def test_department_without_latin_letters_gets_its_slug_from_its_code(self) -> None:
        self.assertEqual(Department.objects.create(name="開発", code="DEV").slug, "dev")

    def test_department_has_one_lead_and_many_members(self) -> None:
        User.objects.filter(pk=self.mei.pk).update(is_lead=True)
        with self.assertRaises(IntegrityError), transaction.atomic():
            User.objects.filter(pk=self.tom.pk).update(is_lead=True)

    def test_open_leaves_out_done_and_archived(self) -> None:
        task = self.task()
        self.task("Done", status=Task.Status.DONE)
        self.task("Archived", archived_at=timezone.now())
        self.assertQuerySetEqual(Task.objects.open(), [task])

    def test_overdue_means_before_today_and_not_done(self) -> None:
        yesterday = timezone.localdate() - timedelta(days=1)
        self.assertTrue(self.task(due_on=yesterday).is_overdue)
        self.assertFalse(self.task(due_on=yesterday, status=Task.Status.DONE).is_overdue)
        self.assertFalse(self.task(due_on=timezone.localdate()).is_overdue)
        self.assertFalse(self.task().is_overdue)
