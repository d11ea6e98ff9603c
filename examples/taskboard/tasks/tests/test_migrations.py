from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import TransactionTestCase


class FillDepartmentSlugTests(TransactionTestCase):
    def setUp(self) -> None:
        self.addCleanup(self.migrate, "0018_alter_task_priority_alter_task_status")
        self.before = self.migrate("0006_department_slug")

    def migrate(self, name: str):
        executor = MigrationExecutor(connection)
        executor.migrate([("tasks", name)])
        return executor.loader.project_state([("tasks", name)]).apps

    def test_every_department_gets_its_own_slug(self) -> None:
        departments = self.before.get_model("tasks", "Department").objects
        departments.create(name="Field Service", code="FS")
        second = departments.create(name="Field service!", code="FS2")
        departments.create(name="開発", code="DEV")
        after = self.migrate("0008_alter_department_slug")
        slugs = after.get_model("tasks", "Department").objects.values_list("slug", flat=True)
        self.assertCountEqual(slugs, ["field-service", f"field-service-{second.pk}", "dev"])
