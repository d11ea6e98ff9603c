"""What was found at each step, and states of the replay, kept from one review to the next."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from typing import Any

from tidegate.workflows.check.cache import Cache
from tidegate.workflows.check.chain import Chain


def keys(chain: Chain, digests: Mapping[str, str], seed: str) -> dict[str, str]:
    """Return a key a step that changes when it, or anything that runs before it, does."""
    out, rolling = {}, hashlib.sha256(seed.encode())
    for record in chain.order:
        rolling.update(f"{record.id} {digests[record.id]} {record.path}\n".encode())
        out[record.id] = rolling.copy().hexdigest()
    return out


class KeptStates:
    """States of the replay near the end of the chain, where most changes are made."""

    FROM_END = (1, 2, 4, 9, 30)

    def __init__(self, cache: Cache, chain: Chain, digests: Mapping[str, str]) -> None:
        self.cache = cache
        known = keys(chain, digests, repr((chain.vendor, chain.user)))
        self.keys = [known[one.id] for one in chain.order]

    def nearest(self, number: int) -> tuple[Any, int]:
        """Return the nearest state before the step of that number."""
        for back in range(number, max(number - 40, 0), -1):
            kept = self.cache.get(f"state {self.keys[back - 1]}")
            if kept is not None:
                return pickle.loads(kept), back
        return None, 0

    def offer(self, number: int, replay: Any) -> None:
        """Keep the state before one of the last steps."""
        if number and len(self.keys) - number in self.FROM_END:
            name = f"state {self.keys[number - 1]}"
            if self.cache.get(name) is None:
                self.cache.put(name, pickle.dumps(replay, pickle.HIGHEST_PROTOCOL))
