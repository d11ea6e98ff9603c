from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin

from .models import Attachment, Comment, Department, Label, Task, User

BOARD_FIELDS = ("Board", {"fields": ("department", "job_title", "is_lead")})


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    list_display = ["username", "first_name", "last_name", "department", "job_title", "is_lead", "is_staff"]
    list_filter = [*DjangoUserAdmin.list_filter, "department"]
    list_select_related = ["department"]
    fieldsets = (*DjangoUserAdmin.fieldsets, BOARD_FIELDS)
    add_fieldsets = (*DjangoUserAdmin.add_fieldsets, BOARD_FIELDS)


@admin.register(Department)
class DepartmentAdmin(admin.ModelAdmin):
    list_display = ["name", "code", "slug"]
    search_fields = ["name", "code"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Label)
class LabelAdmin(admin.ModelAdmin):
    list_display = ["name", "color"]
    search_fields = ["name"]


class CommentInline(admin.TabularInline):
    model = Comment
    extra = 0
    autocomplete_fields = ["author"]


class AttachmentInline(admin.TabularInline):
    model = Attachment
    extra = 0
    autocomplete_fields = ["uploaded_by"]


@admin.register(Task)
class TaskAdmin(admin.ModelAdmin):
    list_display = ["title", "department", "status", "priority", "assignee", "due_on", "archived_at"]
    list_filter = ["department", "status", "priority", ("archived_at", admin.EmptyFieldListFilter)]
    list_select_related = ["department", "assignee"]
    search_fields = ["title", "description"]
    autocomplete_fields = ["department", "assignee", "labels"]
    readonly_fields = ["created_by", "reminded_at", "created_at", "updated_at"]
    date_hierarchy = "created_at"
    inlines = [CommentInline, AttachmentInline]
