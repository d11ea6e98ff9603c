from typing import Any

from django import forms

from .models import Attachment, Comment, Task


class TaskForm(forms.ModelForm):
    class Meta:
        model = Task
        fields = [
            "title",
            "description",
            "department",
            "assignee",
            "status",
            "priority",
            "due_on",
            "estimate_hours",
            "labels",
        ]
        widgets = {"due_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}

    def save(self, commit: bool = True) -> Any:
        if {"due_on", "assignee"} & set(self.changed_data):
            self.instance.reminded_at = None  # Another day or another person: remind again.
        return super().save(commit)


class CommentForm(forms.ModelForm):
    class Meta:
        model = Comment
        fields = ["body"]
        labels = {"body": "Comment"}
        widgets = {"body": forms.Textarea(attrs={"rows": 3})}


class AttachmentForm(forms.ModelForm):
    class Meta:
        model = Attachment
        fields = ["file", "name"]
