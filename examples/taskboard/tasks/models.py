import uuid
from datetime import date
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify


class Department(models.Model):
    name = models.CharField(max_length=100, unique=True)
    code = models.CharField(max_length=8, unique=True, help_text="As in the cost centres, e.g. OPS.")
    slug = models.SlugField(max_length=110, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.slug:
            self.slug = slugify(self.name) or slugify(self.code)
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("department", args=[self.slug])


class User(AbstractUser):
    department = models.ForeignKey(
        Department, on_delete=models.SET_NULL, null=True, blank=True, related_name="members"
    )
    job_title = models.CharField(max_length=100, blank=True)
    is_lead = models.BooleanField(default=False, help_text="Leads their department.")

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["department"],
                condition=Q(is_lead=True),
                name="user_one_lead_per_department",
            ),
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.username


class Label(models.Model):
    name = models.CharField(max_length=40, unique=True)
    color = models.CharField(max_length=7, default="#6b7280")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TaskQuerySet(models.QuerySet["Task"]):
    def on_board(self) -> "TaskQuerySet":
        return self.filter(archived_at__isnull=True)

    def open(self) -> "TaskQuerySet":
        return self.on_board().exclude(status=Task.Status.DONE)

    def to_remind(self, until: date) -> "TaskQuerySet":
        """Open tasks due by that day whose assignee has not been told yet."""
        return self.open().filter(due_on__lte=until, reminded_at__isnull=True, assignee__isnull=False)


class Task(models.Model):
    class Status(models.TextChoices):
        TODO = "todo", "To do"
        DOING = "doing", "In progress"
        BLOCKED = "blocked", "Blocked"
        DONE = "done", "Done"

    class Priority(models.IntegerChoices):
        LOW = 1, "Low"
        NORMAL = 2, "Normal"
        HIGH = 3, "High"
        URGENT = 4, "Urgent"

    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.TODO)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NORMAL)
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="tasks")
    assignee = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="assigned_tasks"
    )
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="created_tasks"
    )
    labels = models.ManyToManyField(Label, blank=True, related_name="tasks")
    due_on = models.DateField("due", null=True, blank=True)
    estimate_hours = models.DecimalField(
        "estimate", max_digits=5, decimal_places=1, null=True, blank=True, help_text="Hours."
    )
    reminded_at = models.DateTimeField(null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = TaskQuerySet.as_manager()

    class Meta:
        ordering = ["-priority", "due_on", "pk"]
        indexes = [
            models.Index(fields=["department", "status", "due_on"], name="task_board_idx"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("task", args=[self.pk])

    @property
    def is_overdue(self) -> bool:
        if self.due_on is None or self.status == self.Status.DONE:
            return False
        return self.due_on < timezone.localdate()


class Comment(models.Model):
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="comments")
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    edited_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return f"{self.author} on {self.task}"


def attachment_path(attachment: "Attachment", filename: str) -> str:
    """A random folder: nginx serves the file to whoever knows its address."""
    return f"attachments/{attachment.task_id}/{uuid.uuid4().hex}/{filename}"


class Attachment(models.Model):
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="attachments")
    file = models.FileField(upload_to=attachment_path, max_length=255)
    name = models.CharField(max_length=150, blank=True)
    uploaded_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="attachments"
    )
    uploaded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["uploaded_at", "pk"]

    def __str__(self) -> str:
        return self.name or self.file.name.rsplit("/", 1)[-1]
