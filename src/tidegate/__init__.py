"""tidegate: the gate between a Django or Alembic backend and its database."""

from tidegate._version import __version__

__all__ = ["__version__"]
