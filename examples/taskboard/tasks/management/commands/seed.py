import random
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from tasks.models import Comment, Department, Label, Task, User

DEPARTMENTS = [("Operations", "OPS"), ("Engineering", "ENG"), ("Design", "DSN"), ("People & Culture", "HR")]
PEOPLE = [
    ("amira", "Amira", "Haddad", "Shift planner", "OPS"),
    ("jonas", "Jonas", "Weber", "Site manager", "OPS"),
    ("mei", "Mei", "Tanaka", "Backend engineer", "ENG"),
    ("ravi", "Ravi", "Nair", "Release engineer", "ENG"),
    ("lucia", "Lucía", "Ortega", "Product designer", "DSN"),
    ("tom", "Tom", "Okafor", "Recruiter", "HR"),
]
LABELS = [("bug", "#b91c1c"), ("customer", "#1d4ed8"), ("paperwork", "#a16207"), ("quick win", "#15803d")]
VERBS = ["Review", "Renew", "Plan", "Fix", "Document", "Order", "Clean up", "Prepare"]
THINGS = ["the badge readers", "the release notes", "the onboarding guide", "the supplier contract"]
REMARKS = ["I can take this next week.", "Waiting for the quote.", "Done on my side.", "Who knows the history here?"]


class Command(BaseCommand):
    help = "Fill an empty board with people and tasks to try it with. Does nothing on a board in use."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tasks", type=int, default=60, help="how many tasks (default: 60)")
        parser.add_argument("--password", help="password of everyone created; without it nobody can log in")

    def handle(self, *, tasks: int, password: str | None, **options: Any) -> None:
        if Task.objects.exists() or Department.objects.exists():
            self.stdout.write("The board is in use: nothing seeded.")
            return
        with transaction.atomic():
            people = self._people(password)
            self._tasks(tasks, people)
        self.stdout.write(self.style.SUCCESS(f"Seeded {len(people)} people and {tasks} tasks."))

    def _people(self, password: str | None) -> list[User]:
        departments = {code: Department.objects.create(name=name, code=code) for name, code in DEPARTMENTS}
        led: set[str] = set()
        people = []
        for username, first_name, last_name, job_title, code in PEOPLE:
            person = User.objects.create_user(
                username,
                email=f"{username}@example.org",
                password=password,
                first_name=first_name,
                last_name=last_name,
                job_title=job_title,
                department=departments[code],
                is_lead=code not in led,
            )
            led.add(code)
            people.append(person)
        return people

    def _tasks(self, count: int, people: list[User]) -> None:
        chance = random.Random(20241007)  # The same board every time.
        today = timezone.localdate()
        labels = [Label.objects.create(name=name, color=color) for name, color in LABELS]
        tasks = []
        for number in range(1, count + 1):
            assignee, author = chance.choice(people), chance.choice(people)
            tasks.append(
                Task(
                    title=f"{chance.choice(VERBS)} {chance.choice(THINGS)} ({number})",
                    description="See the shared drive for what has been agreed.",
                    status=chance.choice(Task.Status.values),
                    priority=chance.choice(Task.Priority.values),
                    department=assignee.department,
                    assignee=assignee,
                    created_by=author,
                    due_on=today + timedelta(days=chance.randint(-5, 40)),
                    estimate_hours=chance.choice([None, 1, 2, 4, 8]),
                )
            )
        tasks = Task.objects.bulk_create(tasks, batch_size=500)
        Task.labels.through.objects.bulk_create(
            [Task.labels.through(task=task, label=chance.choice(labels)) for task in tasks[::2]], batch_size=500
        )
        Comment.objects.bulk_create(
            [
                Comment(task=task, author=chance.choice(people), body=chance.choice(REMARKS))
                for task in tasks
                for _ in range(chance.randint(0, 2))
            ],
            batch_size=500,
        )
