from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.generic import CreateView, DetailView, ListView, UpdateView

from .forms import AttachmentForm, CommentForm, TaskForm
from .models import Comment, Department, Task
from .tasks import notify_about_comment


class BoardView(LoginRequiredMixin, ListView):
    """Every department with its open tasks."""

    template_name = "tasks/board.html"
    context_object_name = "departments"

    def get_queryset(self) -> QuerySet[Department]:
        open_tasks = Task.objects.open().select_related("assignee").prefetch_related("labels")
        return Department.objects.prefetch_related(Prefetch("tasks", open_tasks, to_attr="open_tasks"))


class DepartmentView(LoginRequiredMixin, ListView):
    """One department's tasks, the finished ones too, until they are archived."""

    template_name = "tasks/department.html"
    context_object_name = "tasks"
    paginate_by = 50

    def get_queryset(self) -> QuerySet[Task]:
        counts = Count("members", filter=Q(members__is_active=True))
        self.department = get_object_or_404(
            Department.objects.annotate(member_count=counts), slug=self.kwargs["slug"]
        )
        tasks = self.department.tasks.on_board().select_related("assignee").prefetch_related("labels")
        status = self.request.GET.get("status")
        return tasks.filter(status=status) if status in Task.Status.values else tasks

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(department=self.department, statuses=Task.Status, **kwargs)


class TaskView(LoginRequiredMixin, DetailView):
    template_name = "tasks/task.html"
    queryset = Task.objects.select_related("department", "assignee", "created_by").prefetch_related(
        "labels", "attachments", Prefetch("comments", Comment.objects.select_related("author"))
    )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        forms = {"comment_form": CommentForm(), "attachment_form": AttachmentForm()}
        return super().get_context_data(**forms, **kwargs)


class TaskCreateView(LoginRequiredMixin, CreateView):
    template_name = "tasks/form.html"
    form_class = TaskForm
    extra_context = {"heading": "New task"}

    def get_initial(self) -> dict[str, Any]:
        return {"department": self.request.user.department_id}

    def form_valid(self, form: TaskForm) -> HttpResponse:
        form.instance.created_by = self.request.user
        return super().form_valid(form)


class TaskUpdateView(LoginRequiredMixin, UpdateView):
    template_name = "tasks/form.html"
    form_class = TaskForm
    model = Task
    extra_context = {"heading": "Edit task"}


class OnTaskMixin(LoginRequiredMixin):
    """A form sent from a task's page, which it returns to."""

    template_name = "tasks/form.html"

    def form_valid(self, form: Any) -> HttpResponse:
        form.instance.task = get_object_or_404(Task.objects.on_board(), pk=self.kwargs["pk"])
        return super().form_valid(form)

    def get_success_url(self) -> str:
        return self.object.task.get_absolute_url()


class CommentCreateView(OnTaskMixin, CreateView):
    form_class = CommentForm
    extra_context = {"heading": "Comment"}

    def form_valid(self, form: CommentForm) -> HttpResponse:
        form.instance.author = self.request.user
        response = super().form_valid(form)
        notify_about_comment.delay_on_commit(self.object.pk)
        return response


class AttachmentCreateView(OnTaskMixin, CreateView):
    form_class = AttachmentForm
    extra_context = {"heading": "Attach a file"}

    def form_valid(self, form: AttachmentForm) -> HttpResponse:
        form.instance.uploaded_by = self.request.user
        return super().form_valid(form)


class CommentUpdateView(LoginRequiredMixin, UpdateView):
    template_name = "tasks/form.html"
    form_class = CommentForm
    extra_context = {"heading": "Edit comment"}

    def get_queryset(self) -> QuerySet[Comment]:
        return Comment.objects.filter(author=self.request.user, task__archived_at__isnull=True)

    def form_valid(self, form: CommentForm) -> HttpResponse:
        form.instance.edited_at = timezone.now()
        return super().form_valid(form)

    def get_success_url(self) -> str:
        return self.object.task.get_absolute_url()
