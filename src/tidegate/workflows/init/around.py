"""What stands around the project: continuous integration and a commit hook."""

from __future__ import annotations

from tidegate.workflows.init.detect import Found


def workflow(found: Found) -> str:
    """Return a GitHub workflow that reviews new migrations and the containers' files.

    What was applied long ago is not reviewed: a pull request answers for its own migrations.
    """
    return f"""\
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
          fetch-depth: 0 # the review compares with the branch that is merged into
          persist-credentials: false
      - uses: actions/setup-python@v5
        with:
          python-version: "{found.python}"
      - run: pip install 'tidegate[check,doctor]'
      - run: tidegate --format github doctor
      - if: github.event_name == 'pull_request'
        env:
          BASE: ${{{{ github.base_ref }}}}
        run: tidegate --format github check --since "origin/$BASE"
"""


def hook(found: Found) -> str:
    """Return a pre-commit configuration with the same two commands."""
    return """\
repos:
  - repo: local
    hooks:
      - id: tidegate-check
        name: review the migrations of this commit
        entry: tidegate check
        language: python
        additional_dependencies: ["tidegate[check]"]
        files: (^|/)(migrations|versions)/.*\\.py$
        exclude: (^|/)__init__\\.py$
        require_serial: true # the files of a commit count as one release
      - id: tidegate-doctor
        name: find what breaks at the start
        entry: tidegate doctor
        language: python
        additional_dependencies: ["tidegate[doctor]"]
        files: (compose|Dockerfile|settings|celery|requirements|alembic\\.ini|env\\.py|\\.sh$|\\.ya?ml$|\\.env)
        pass_filenames: false
"""
