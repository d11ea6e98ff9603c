"""MySQL and MariaDB: backed up by their own dump, brought back beside the old tables."""

VENDORS = ("mysql", "mariadb")
"""What Django's engines and SQLAlchemy's dialects call them."""
VENDOR = "mysql"
"""What a manifest calls them."""
