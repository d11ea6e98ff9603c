from unittest.mock import patch

from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.utils import timezone

from tasks.models import Comment, Task

from .base import BoardTestCase


class PageTests(BoardTestCase):
    def setUp(self) -> None:
        self.client.force_login(self.mei)

    def test_strangers_are_sent_to_the_login(self) -> None:
        self.client.logout()
        self.assertRedirects(self.client.get("/"), "/login/?next=/")

    def test_board_shows_open_tasks_of_each_department(self) -> None:
        self.task("Order the parts")
        self.task("Paint the door", status=Task.Status.DONE)
        response = self.client.get("/")
        self.assertContains(response, "Order the parts")
        self.assertNotContains(response, "Paint the door")

    def test_board_needs_as_many_queries_for_many_tasks_as_for_one(self) -> None:
        for number in range(5):
            self.task(f"Task {number}", assignee=self.tom)
        # Session, user, their department, departments, tasks with assignee, labels.
        with self.assertNumQueries(6):
            self.client.get("/")

    def test_department_filters_by_status(self) -> None:
        self.task("Order the parts")
        self.task("Paint the door", status=Task.Status.DONE)
        response = self.client.get("/departments/field-service/?status=done")
        self.assertContains(response, "Paint the door")
        self.assertNotContains(response, "Order the parts")

    def test_task_remembers_who_created_it(self) -> None:
        form = {"title": "New", "department": self.department.pk, "status": "todo", "priority": 2}
        response = self.client.post("/tasks/new/", form)
        task = Task.objects.get()
        self.assertRedirects(response, task.get_absolute_url())
        self.assertEqual(task.created_by, self.mei)

    def test_another_due_day_asks_for_another_reminder(self) -> None:
        task = self.task(reminded_at=timezone.now())
        form = {"title": task.title, "department": self.department.pk, "status": "todo", "priority": 2}
        self.client.post(f"/tasks/{task.pk}/edit/", {**form, "due_on": "2030-01-01"})
        task.refresh_from_db()
        self.assertIsNone(task.reminded_at)

    def test_comment_appears_and_the_assignee_is_told(self) -> None:
        task = self.task(assignee=self.tom)
        with self.captureOnCommitCallbacks(execute=True):
            response = self.client.post(f"/tasks/{task.pk}/comments/", {"body": "Parts came."}, follow=True)
        self.assertContains(response, "Parts came.")
        self.assertEqual([message.to for message in mail.outbox], [["tom@example.org"]])

    def test_archived_task_takes_no_comment(self) -> None:
        task = self.task(archived_at=timezone.now())
        response = self.client.post(f"/tasks/{task.pk}/comments/", {"body": "Too late."})
        self.assertEqual(response.status_code, 404)

    def test_only_the_author_edits_a_comment(self) -> None:
        theirs = Comment.objects.create(task=self.task(), author=self.tom, body="Mine")
        self.assertEqual(self.client.get(f"/comments/{theirs.pk}/edit/").status_code, 404)
        self.client.force_login(self.tom)
        self.client.post(f"/comments/{theirs.pk}/edit/", {"body": "Still mine"})
        theirs.refresh_from_db()
        self.assertEqual(theirs.body, "Still mine")
        self.assertIsNotNone(theirs.edited_at)

    def test_file_is_attached(self) -> None:
        task = self.task()
        file = SimpleUploadedFile("plan.txt", b"first the parts")
        response = self.client.post(f"/tasks/{task.pk}/attachments/", {"file": file}, follow=True)
        self.assertContains(response, "plan.txt")
        self.assertEqual(task.attachments.get().uploaded_by, self.mei)

    def test_admin_lists_tasks(self) -> None:
        self.mei.is_staff = self.mei.is_superuser = True
        self.mei.save()
        self.task()
        self.assertContains(self.client.get("/admin/tasks/task/"), "Order the parts")


class HealthTests(BoardTestCase):
    def test_healthy_without_login(self) -> None:
        self.assertEqual(self.client.get("/healthz").json(), {"status": "ok", "database": "up"})

    def test_unhealthy_without_a_database(self) -> None:
        with (
            patch.object(connection, "cursor", side_effect=OperationalError),
            self.assertLogs("taskboard.health", "ERROR"),
        ):
            response = self.client.get("/healthz")
        self.assertEqual(response.status_code, 503)
