from django.test import TestCase, override_settings

from taskboard import celery_app
from tasks.models import Department, Task, User

# The manifest exists only after collectstatic, which tests do without.
PLAIN_STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}


@override_settings(STORAGES=PLAIN_STORAGES)
class BoardTestCase(TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        # Whatever broker the environment names, no task leaves the test.
        cls.addClassCleanup(setattr, celery_app.conf, "task_always_eager", celery_app.conf.task_always_eager)
        celery_app.conf.task_always_eager = True

    @classmethod
    def setUpTestData(cls) -> None:
        cls.department = Department.objects.create(name="Field Service", code="FS")
        cls.mei = User.objects.create_user("mei", email="mei@example.org", department=cls.department)
        cls.tom = User.objects.create_user("tom", email="tom@example.org", department=cls.department)

    def task(self, title: str = "Order the parts", **fields: object) -> Task:
        return Task.objects.create(title=title, department=self.department, **fields)
