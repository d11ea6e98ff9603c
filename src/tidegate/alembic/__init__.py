"""For env.py: the ledger left out of autogenerate, and what autogenerate misses put in.

    from tidegate.alembic import include_name, process_revision_directives

Give both to `context.configure()`. Then `alembic revision --autogenerate` asks about renames,
refuses what it would get wrong, and shows what the rules have to say of the new file.
"""

from __future__ import annotations

from tidegate.alembic.hook import include_name, process_revision_directives

__all__ = ["include_name", "process_revision_directives"]
