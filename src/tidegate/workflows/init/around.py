"""What stands around the project: continuous integration, a commit hook, words for agents."""

from __future__ import annotations

from tidegate.workflows.init.detect import Found


def workflow(found: Found) -> str:
    """Return a GitHub workflow that reviews migrations and the containers' files."""
    return """\
name: tidegate

on:
  pull_request:
  push:
    branches: [main]

permissions:
  contents: read

jobs:
  review:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          persist-credentials: false
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install 'tidegate[check,doctor]'
      - run: tidegate --format github doctor
      - run: tidegate --format github check
"""


def hook(found: Found) -> str:
    """Return a pre-commit configuration with the same two commands."""
    return """\
repos:
  - repo: local
    hooks:
      - id: tidegate-check
        name: review migrations
        entry: tidegate check
        language: python
        additional_dependencies: ["tidegate[check]"]
        files: (migrations|versions)/.*\\.py$
        pass_filenames: false
      - id: tidegate-doctor
        name: find what breaks at the start
        entry: tidegate doctor
        language: python
        additional_dependencies: ["tidegate[doctor]"]
        files: (compose.*\\.ya?ml|Dockerfile|\\.sh|settings.*\\.py)$
        pass_filenames: false
"""


def agents(found: Found) -> str:
    """Return what a coding agent has to know: which commands to use, and which never to type."""
    own = "python manage.py migrate" if found.framework == "django" else "alembic upgrade head"
    return f"""\
# Working on this project with a coding agent

The database of this project is changed through tidegate.

Use:

- `tidegate make -m "what it does"` to write a migration from changed models.
- `tidegate check` to review it, and `tidegate plan` to rehearse it.
- `tidegate status` to see where code and database stand.
- `tidegate doctor` after a change of a Dockerfile, a Compose file or the settings; `--error TEXT` when a container does not start.

Never type:

- `{own}` against a database that others use: `tidegate up` or `tidegate migrate` hold the election and the lock budget.
- `docker compose down --volumes`, or anything else that removes a volume.
- `tidegate approve`: a change that loses data needs the word of a person.
- `--fake`, or an edit of a migration that is applied anywhere.
"""
