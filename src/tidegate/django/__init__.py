"""A Django app that shows the review of migrations in `manage.py check`: add `tidegate.django`."""
