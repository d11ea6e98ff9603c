"""What the Celery worker does; `settings.CELERY_BEAT_SCHEDULE` says when."""

import logging
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.core.mail import send_mail
from django.utils import timezone

from .models import Comment, Task

logger = logging.getLogger(__name__)


@shared_task
def send_due_reminders() -> int:
    """Mail each assignee, once per task, the day before it is due."""
    tomorrow = timezone.localdate() + timedelta(days=1)
    sent = 0
    for task in Task.objects.to_remind(until=tomorrow).select_related("assignee").iterator(chunk_size=200):
        # Claim the task before sending: a second worker must not send the same mail.
        now = timezone.now()
        if not Task.objects.filter(pk=task.pk, reminded_at__isnull=True).update(reminded_at=now):
            continue
        if not task.assignee.email:
            continue
        send_mail(
            subject=f"Due {task.due_on:%d %b}: {task.title}",
            message=f"“{task.title}” is due on {task.due_on:%A, %d %B}.",
            from_email=None,
            recipient_list=[task.assignee.email],
        )
        sent += 1
    logger.info("sent %d due-date reminders", sent)
    return sent


@shared_task
def archive_done_tasks() -> int:
    """Take tasks off the board that nobody has touched since they were done."""
    now = timezone.now()
    untouched_since = now - timedelta(days=settings.TASKBOARD_ARCHIVE_AFTER_DAYS)
    archived = (
        Task.objects.on_board()
        .filter(status=Task.Status.DONE, updated_at__lt=untouched_since)
        .update(archived_at=now)
    )
    logger.info("archived %d tasks", archived)
    return archived


@shared_task(autoretry_for=(OSError,), retry_backoff=True, max_retries=5)
def notify_about_comment(comment_id: int) -> bool:
    """Tell the assignee what somebody else wrote on their task."""
    comment = (
        Comment.objects.select_related("author", "task__assignee").filter(pk=comment_id).first()
    )
    if comment is None:  # Deleted before the worker came to it.
        return False
    assignee = comment.task.assignee
    if assignee is None or assignee == comment.author or not assignee.email:
        return False
    send_mail(
        subject=f"{comment.author} on {comment.task.title}",
        message=comment.body,
        from_email=None,
        recipient_list=[assignee.email],
    )
    return True
