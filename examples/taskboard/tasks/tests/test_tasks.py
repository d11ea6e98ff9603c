from datetime import timedelta

from django.core import mail
from django.utils import timezone

from tasks.models import Task
from tasks.tasks import archive_done_tasks, notify_about_comment, send_due_reminders

from .base import BoardTestCase


class ReminderTests(BoardTestCase):
    def test_assignee_is_reminded_once(self) -> None:
        self.task(assignee=self.tom, due_on=timezone.localdate() + timedelta(days=1))
        self.assertEqual(send_due_reminders(), 1)
        self.assertEqual(send_due_reminders(), 0)
        self.assertEqual([message.to for message in mail.outbox], [["tom@example.org"]])

    def test_nobody_is_reminded_of_what_is_far_off_done_or_unassigned(self) -> None:
        today = timezone.localdate()
        self.task(assignee=self.tom, due_on=today + timedelta(days=2))
        self.task(assignee=self.tom, due_on=today, status=Task.Status.DONE)
        self.task(due_on=today)
        self.assertEqual(send_due_reminders(), 0)


class ArchiveTests(BoardTestCase):
    def test_only_done_tasks_left_alone_for_long_are_archived(self) -> None:
        old = self.task("Old", status=Task.Status.DONE)
        fresh = self.task("Fresh", status=Task.Status.DONE)
        open_task = self.task("Open")
        long_ago = timezone.now() - timedelta(days=31)
        Task.objects.filter(pk__in=[old.pk, open_task.pk]).update(updated_at=long_ago)
        self.assertEqual(archive_done_tasks(), 1)
        self.assertCountEqual(Task.objects.on_board(), [fresh, open_task])


class CommentNoticeTests(BoardTestCase):
    def test_nobody_is_told_of_their_own_comment(self) -> None:
        comment = self.task(assignee=self.tom).comments.create(author=self.tom, body="Note to self")
        self.assertFalse(notify_about_comment(comment.pk))

    def test_deleted_comment_is_passed_over(self) -> None:
        self.assertFalse(notify_about_comment(0))
