"""A real S3-compatible store on this machine: OpenStack Swift with its S3 door, in one process.

`python objectstore.py FOLDER PORT` serves until it is ended. One replica, one disk: a folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

KEY, SECRET = "shop:owner", "s3-s3cret"
PIPELINE = "catch_errors gatekeeper cache s3api tempauth slo dlo proxy-server"
PROXY = """\
[DEFAULT]
swift_dir = {folder}
log_name = proxy
[pipeline:main]
pipeline = {pipeline}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:tempauth]
use = egg:swift#tempauth
user_shop_owner = {secret} .admin
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:9
"""


def serve(folder: Path, port: int) -> None:
    """Serve S3 at 127.0.0.1:port, with everything under `folder`."""
    import eventlet

    eventlet.monkey_patch()
    from eventlet import wsgi
    from swift.account.server import AccountController
    from swift.common import utils
    from swift.common.storage_policy import parse_storage_policies, reload_storage_policies
    from swift.common.wsgi import loadapp
    from swift.container.server import ContainerController
    from swift.obj.server import ObjectController

    utils.HASH_PATH_SUFFIX = utils.HASH_PATH_PREFIX = b"tidegate"
    for module in (utils, sys.modules.get("swift.common.utils.base")):
        if module is not None:
            module.HASH_PATH_SUFFIX = module.HASH_PATH_PREFIX = b"tidegate"
    (folder / "devices" / "disk").mkdir(parents=True, exist_ok=True)
    own = {"devices": str(folder / "devices"), "mount_check": "false", "swift_dir": str(folder),
           "disable_fallocate": "true", "fallocate_reserve": "0"}  # fmt: skip
    doors = {}
    for kind in ("account", "container", "object"):
        doors[kind] = eventlet.listen(("127.0.0.1", 0))
        _ring(folder, kind, doors[kind].getsockname()[1])
    reload_storage_policies()
    assert parse_storage_policies
    log = open(folder / "log", "w")  # noqa: SIM115
    makers = {"account": AccountController, "container": ContainerController,
              "object": ObjectController}  # fmt: skip
    for kind, make in makers.items():
        eventlet.spawn(wsgi.server, doors[kind], make(own), log)
    conf = folder / "proxy.conf"
    others = "\n".join(
        f"[filter:{name}]\nuse = egg:swift#{name}" for name in PIPELINE.split()
        if name not in ("tempauth", "cache", "proxy-server")
    )  # fmt: skip
    conf.write_text(PROXY.format(folder=folder, pipeline=PIPELINE, secret=SECRET) + others + "\n")
    wsgi.server(eventlet.listen(("127.0.0.1", port)), loadapp(str(conf)), log)


def _ring(folder: Path, kind: str, port: int) -> None:
    from swift.common.ring import RingBuilder

    builder = RingBuilder(2, 1, 0)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1",
                     "port": port, "device": "disk", "meta": "",
                     "replication_ip": "127.0.0.1", "replication_port": port})  # fmt: skip
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
