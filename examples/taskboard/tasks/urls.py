from django.urls import path

from . import views

urlpatterns = [
    path("", views.BoardView.as_view(), name="board"),
    path("departments/<slug:slug>/", views.DepartmentView.as_view(), name="department"),
    path("tasks/new/", views.TaskCreateView.as_view(), name="task-new"),
    path("tasks/<int:pk>/", views.TaskView.as_view(), name="task"),
    path("tasks/<int:pk>/edit/", views.TaskUpdateView.as_view(), name="task-edit"),
    path("tasks/<int:pk>/comments/", views.CommentCreateView.as_view(), name="comment-new"),
    path("tasks/<int:pk>/attachments/", views.AttachmentCreateView.as_view(), name="attachment-new"),
    path("comments/<int:pk>/edit/", views.CommentUpdateView.as_view(), name="comment-edit"),
]
