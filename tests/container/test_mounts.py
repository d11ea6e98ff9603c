"""Which folder of a container lies on a volume of its own."""

from __future__ import annotations

import pytest

from tidegate.container.mounts import passing, shared

MOUNTS = """\
300 200 0:50 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/a
301 300 254:0 /src /app rw,relatime - ext4 /dev/vda rw
302 300 254:0 /v1 /srv/static rw,relatime - ext4 /dev/vda rw
303 300 254:0 /v2 /srv/fixed ro,relatime - ext4 /dev/vda rw
304 300 0:60 / /srv/fast rw,nosuid - tmpfs tmpfs rw
305 300 254:0 /v3 /srv/my\\040files rw,relatime - ext4 /dev/vda rw
306 301 254:0 /v4 /app/static rw,relatime - ext4 /dev/vda rw
307 300 254:0 /e/volumes/NAMELESS/_data /srv/kept rw,relatime - ext4 /dev/vda rw
308 300 254:0 /e/volumes/shop_data/_data /srv/data rw,relatime - ext4 /dev/vda rw
309 300 0:61 /volumes/shop_quick/_data /srv/quick rw,relatime - tmpfs tmpfs rw
not a mount
""".replace("NAMELESS", "0f" * 32)


@pytest.mark.parametrize(
    ("folder", "code", "expected"),
    [
        ("/srv/static", "/app", True),
        ("/srv/static/deeper", "/", True),
        ("/srv/my files", "/app", True),
        ("/app/static", "/app", True),
        ("/app/collected", "/app", False),
        ("/srv/staticfiles", "/app", False),
        ("/srv/fixed", "/app", False),
        ("/srv/fast", "/app", False),
        ("/srv/quick", "/app", True),
        ("/static", "/code", False),
    ],
)
def test_a_volume_of_its_own(folder: str, code: str, expected: bool) -> None:
    """Writable, kept, and not the mount of the code; the image's own folders are none."""
    assert shared(folder, code, MOUNTS) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/data/db.sqlite3", ""),
        ("/app/db.sqlite3", ""),
        ("/srv/kept/db.sqlite3", "volume"),
        ("/srv/fast/db.sqlite3", "memory"),
        ("/srv/quick/db.sqlite3", ""),
        ("/code/db.sqlite3", "layer"),
    ],
)
def test_what_another_container_does_not_have(path: str, expected: str) -> None:
    """Neither a bind mount nor a volume with a name; all else is the container's alone."""
    assert passing(path, MOUNTS) == expected
