from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import services as peers
from tidegate.container.services import BadServiceUrl, dependency
from tidegate.container.waiting import Outcome, Permanent, Transient, wait_for
from tidegate.databases.pgstates import explain

LONG = 60.0  # nothing here takes this long unless it hangs


def wait(url: str, seconds: float = LONG) -> tuple[Outcome, list[str]]:
    """Wait for one URL; its outcome and the reasons told on the way."""
    reasons: list[str] = []
    deadline = time.monotonic() + seconds
    [outcome] = wait_for([dependency(url, {})], deadline, lambda n, r, s: reasons.append(r))
    return outcome, reasons


def refusal(url: str) -> Permanent:
    """The refusal for good that looking once at the URL meets."""
    with pytest.raises(Permanent) as caught:
        dependency(url, {}).probe(5)
    return caught.value


@contextlib.contextmanager
def peer(*answers: bytes, listen: int = 5) -> Iterator[int]:
    """A server that gives each connection the next answer, the last for ever, and closes."""
    server = socket.create_server(("127.0.0.1", 0), backlog=listen)

    def serve() -> None:
        left = list(answers)
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                client.sendall(left.pop(0) if len(left) > 1 else left[0])
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(10)


# ------------------------------------------------------------------------------------- the URL


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("tcp://db:5432", "tcp://db:5432"),
        ("tcp://[::1]:80", "tcp://[::1]:80"),
        ("HTTP://App/health?token=s3cret", "http://app:80/health"),
        ("https://u:s3cret@app/x", "https://app:443/x"),
        ("redis://:s3cret@cache/2", "redis://cache:6379/2"),
        ("rediss://u:s3cret@cache:1/0?ssl_cert_reqs=none", "rediss://cache:1/0"),
        ("amqp://u:s3cret@mq//", "amqp://mq:5672//"),
        ("amqps://u:s3cret@mq/v", "amqps://mq:5671/v"),
        ("mysql+pymysql://u:s3cret@my_db/x", "mysql://my_db:3306/x"),
        ("postgresql+psycopg://u:s3cret@a:1,b/x", "postgresql://a:1,b:5432/x"),
        ("postgres://u:s3cret@[::1]/x?sslmode=disable", "postgresql://[::1]:5432/x"),
        ("postgresql://u:s3cret@/x?host=/run/pg", "postgresql:///run/pg/x"),
        ("redis://:p@ss@cache", "redis://cache:6379"),
    ],
)
def test_a_name_holds_no_secret(url: str, name: str) -> None:
    """The display name is scheme, host, port and path, with the scheme's default port."""
    assert dependency(url, {}).name == name


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3cret",
        "db:5432",
        "s3cret@db:5432",
        "ftp://u:s3cret@db",
        "tcp://db",
        "tcp://db:0",
        "tcp://:5432",
        "tcp://u:s3cret@db:port",
        "redis://:a/s3cret@cache/0",
        "redis://:1/s3cret@cache/0",
        "redis://:1#s3cret@cache/0",
        "redis://:1?s3cret@cache/0",
        "redis://:[s3cret@cache/0",
        "redis://:s3cret@cache/zero",
        "redis://:s3cret@cache:70000",
        "redis://:s3cret@a..b",
        "redis://:s3cret @cache",
        "http://app/\r\nX-s3cret: 1",
        "amqp://u:s3cret@mq/" + "v" * 256,
        "postgresql://u:s3cret@db:port/x",
        "postgresql://u:s3cret@db/x?sslmode=sometimes",
    ],
)
def test_a_bad_url_is_refused_without_its_password(url: str) -> None:
    """What cannot be read is refused before any waiting; no text and no cause quotes it."""
    with pytest.raises(BadServiceUrl) as caught:
        dependency(url, {})
    error = caught.value
    assert error.what and error.next
    assert "s3cret" not in str(error) + repr(error)
    assert error.__cause__ is None and (error.__context__ is None or error.__suppress_context__)


# ------------------------------------------------------------------------------- the connection


def test_a_name_not_in_dns_is_waited_for_until_the_deadline() -> None:
    """A name that does not exist (yet) is no refusal; the last reason names it."""
    outcome, reasons = wait("tcp://nowhere.invalid:1", 1)
    assert not outcome.ready and outcome.error is None
    assert "name nowhere.invalid" in outcome.detail
    assert reasons and outcome.detail == reasons[-1]


@pytest.mark.parametrize("scheme", ["tcp", "http", "https", "redis", "amqp", "mysql", "postgresql"])
def test_refused_is_transient(scheme: str) -> None:
    """Nobody listens: every scheme says "connection refused" and may be asked again."""
    with pytest.raises(Transient) as caught:
        dependency(f"{scheme}://127.0.0.1:{peers.free_port()}/0", {}).probe(5)
    assert caught.value.reason == "connection refused"


@pytest.mark.parametrize("scheme", ["http", "https", "redis", "amqp", "mysql", "postgresql"])
def test_a_silent_server_costs_one_attempt_its_time(scheme: str) -> None:
    """A server that accepts and says nothing ends the attempt by its time limit."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        began = time.monotonic()
        with pytest.raises(Transient) as caught:
            dependency(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/0", {}).probe(0.3)
    assert caught.value.reason == "timed out"
    assert time.monotonic() - began < LONG / 2


def test_a_dripping_server_costs_one_attempt_its_time() -> None:
    """The limit is for the whole conversation: a byte now and then does not prolong it."""
    server = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        client, _ = server.accept()
        with client, contextlib.suppress(OSError):
            while True:
                client.sendall(b"x")
                time.sleep(0.05)

    threading.Thread(target=drip, daemon=True).start()
    began = time.monotonic()
    with server, pytest.raises(Transient) as caught:
        dependency(f"http://127.0.0.1:{server.getsockname()[1]}", {}).probe(0.5)
    assert caught.value.reason == "timed out"
    assert time.monotonic() - began < LONG / 2


@pytest.mark.parametrize("scheme", ["http", "redis", "amqp", "mysql"])
def test_a_closing_server_is_transient(scheme: str) -> None:
    """A proxy that accepts and closes, its backend not being there, is asked again."""
    with peer(b"") as port, pytest.raises(Transient) as caught:
        dependency(f"{scheme}://127.0.0.1:{port}", {}).probe(5)
    assert caught.value.reason in ("the server closed the connection", "connection reset")


@pytest.mark.parametrize("scheme", ["http", "redis", "amqp", "mysql"])
def test_another_protocol_is_permanent(scheme: str) -> None:
    """A server of another kind on that port never becomes the right one."""
    with peer(b"SSH-2.0-OpenSSH_9.2p1\r\n" * 9) as port:
        error = refusal(f"{scheme}://127.0.0.1:{port}")
    assert f"127.0.0.1:{port} does not speak" in error.what


def test_localhost_reaches_a_server_on_ipv4_only() -> None:
    """All addresses of a name are tried: localhost may be ::1 first."""
    with peer(b"") as port:
        assert dependency(f"tcp://localhost:{port}", {}).probe(5) == "port open"


# ----------------------------------------------------------------------------------------- http


def test_nginx_503_then_200() -> None:
    """503 is waited for; after a reload to 200 the dependency is ready."""
    port = peers.free_port()
    with peers.nginx(port, "; location / { return 503; }") as (path, process):
        peers.listening(port)

        def repair() -> None:
            peers.nginx_config(path, port, "; location / { return 200; }")
            process.send_signal(signal.SIGHUP)

        threading.Timer(0.5, repair).start()
        outcome, reasons = wait(f"http://127.0.0.1:{port}/health")
    assert (outcome.ready, outcome.detail) == (True, "HTTP 200")
    assert reasons[0] == "HTTP 503 for /health"


@pytest.mark.parametrize("status", [200, 204, 301, 302])
def test_http_below_400_is_ready(status: int) -> None:
    """An answer, a redirect included (not followed), means ready."""
    port = peers.free_port()
    rule = f"; location / {{ return {status} http://nowhere.invalid/; }}"
    with peers.nginx(port, rule if status > 300 else f"; location / {{ return {status}; }}"):
        peers.listening(port)
        assert dependency(f"http://127.0.0.1:{port}", {}).probe(5) == f"HTTP {status}"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 504])
def test_http_from_400_on_is_transient(status: int) -> None:
    """Routes may come later, so 4xx waits too; the reason has the status and the path."""
    answer = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()
    with peer(answer) as port, pytest.raises(Transient) as caught:
        dependency(f"http://127.0.0.1:{port}/up?key=s3cret", {}).probe(5)
    assert caught.value.reason == f"HTTP {status} for /up"


def test_http_interim_answers_are_skipped() -> None:
    """103 Early Hints is not the answer; the status after it is."""
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    with peer(early) as port:
        assert dependency(f"http://127.0.0.1:{port}", {}).probe(5) == "HTTP 200"


def test_http_login() -> None:
    """User and password of the URL are sent as basic authentication."""
    with peers.folder() as path:
        (path / "users").write_text("app:{PLAIN}p@ss\n")
        path.chmod(0o755)
        port = peers.free_port()
        rule = f'; location / {{ auth_basic "x"; auth_basic_user_file {path}/users; return 200; }}'
        # `return` runs before access control, so an index is served instead.
        rule = rule.replace("return 200;", f"root {path};")
        (path / "index.html").write_text("hello")
        with peers.nginx(port, rule):
            peers.listening(port)
            assert dependency(f"http://app:p%40ss@127.0.0.1:{port}", {}).probe(5) == "HTTP 200"
            with pytest.raises(Transient) as caught:
                dependency(f"http://app:wrong@127.0.0.1:{port}", {}).probe(5)
    assert caught.value.reason == "HTTP 401 for /"


def test_https_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown authority is refused for good; one in SSL_CERT_FILE is trusted."""
    port = peers.free_port()
    with peers.folder() as path:
        cert, key = peers.certificate(path)
        rule = f" ssl; ssl_certificate {cert}; ssl_certificate_key {key};"
        with peers.nginx(port, rule + " location / { return 200; }"):
            peers.listening(port)
            url = f"https://localhost:{port}"
            error = refusal(url)
            assert error.what.startswith("The TLS certificate of localhost is not trusted: self")
            monkeypatch.setenv("SSL_CERT_FILE", str(cert))
            assert dependency(url, {}).probe(5) == "HTTP 200"
            wrong_name = refusal(f"https://127.0.0.1:{port}")
            assert "not valid for '127.0.0.1'" in wrong_name.what


def test_https_to_a_plain_port_is_permanent() -> None:
    """A server that answers a TLS hello in plain text has the wrong scheme or port."""
    port = peers.free_port()
    with peers.nginx(port, "; location / { return 200; }"):
        peers.listening(port)
        error = refusal(f"https://127.0.0.1:{port}")
    assert error.meaning == "The server answers without TLS on this port."


# ---------------------------------------------------------------------------------------- redis


def test_redis_that_starts_later() -> None:
    """Redis started half a second into the wait is found."""
    port = peers.free_port()
    stack = contextlib.ExitStack()
    timer = threading.Timer(0.5, lambda: stack.enter_context(peers.redis(port)))
    peers.need("redis-server")
    with stack:
        timer.start()
        outcome, reasons = wait(f"redis://127.0.0.1:{port}/3")
        timer.join()
    assert (outcome.ready, outcome.detail) == (True, "PONG")
    assert reasons[0] == "connection refused"


def test_redis_logins() -> None:
    """The right login is ready; a missing, wrong or unprivileged one is refused for good."""
    port = peers.free_port()
    acl = "--user app on >word ~* +ping +select --user mute on >word ~* +get"
    with peers.redis(port, "--requirepass", "p@ss", *acl.split()):
        peers.listening(port)
        at = f"127.0.0.1:{port}"
        for login in (":p%40ss@", "default:p%40ss@", "app:word@"):
            assert dependency(f"redis://{login}{at}/15", {}).probe(5) == "PONG"
        assert "the URL has none" in refusal(f"redis://{at}").meaning
        wrong = refusal(f"redis://:s3cret@{at}")
        assert "WRONGPASS" in wrong.what and "s3cret" not in str(wrong)
        assert "NOPERM" in refusal(f"redis://mute:word@{at}").what
        number = refusal(f"redis://:p%40ss@{at}/16")
        assert '"16" does not exist' in number.meaning
        assert '"99"' in refusal(f"redis://:p%40ss@{at}/1?db=99").meaning


def test_redis_without_a_password_refuses_one() -> None:
    """A password for a Redis that has none fails in the application too, so it fails here."""
    port = peers.free_port()
    with peers.redis(port):
        peers.listening(port)
        error = refusal(f"redis://:s3cret@127.0.0.1:{port}")
    assert "refuses AUTH" in error.what and "s3cret" not in str(error)


def test_redis_while_loading() -> None:
    """A Redis that still loads its data is waited for, and then ready."""
    port = peers.free_port()
    with peers.redis(port, "--enable-debug-command", "yes") as path:
        peers.listening(port)
        talk = ["redis-cli", "-p", str(port)]
        subprocess.run([*talk, "DEBUG", "POPULATE", "20000"], check=True, capture_output=True)
        subprocess.run([*talk, "SAVE"], check=True, capture_output=True)
        dump = (path / "dump.rdb").read_bytes()
    with peers.folder() as path:
        (path / "dump.rdb").write_bytes(dump)
        # Each key takes 100 µs, and Redis answers connections every 1024 keys.
        slow = ("--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024")
        with peers.redis(port, "--dir", str(path), *slow):
            outcome, reasons = wait(f"redis://127.0.0.1:{port}/1")
    assert outcome.ready
    assert "Redis is loading its data set" in reasons


def test_redis_out_of_connections_is_transient() -> None:
    """A full Redis frees connections by itself."""
    port = peers.free_port()
    with peers.redis(port, "--maxclients", "1"):
        peers.listening(port)
        with hold_a_place(port), pytest.raises(Transient) as caught:
            dependency(f"redis://127.0.0.1:{port}", {}).probe(5)
    assert caught.value.reason in (
        "Redis has no free connection (max number of clients)",
        "connection reset",  # the server may close before it reads our command
    )


def hold_a_place(port: int) -> socket.socket:
    """A connection that Redis serves; the one before it may not be gone at once."""
    while True:
        held = socket.create_connection(("127.0.0.1", port))
        with contextlib.suppress(ConnectionError):
            held.sendall(b"PING\r\n")
            if held.recv(7) == b"+PONG\r\n":
                return held
        held.close()


@pytest.mark.parametrize(
    "reply", ["-MASTERDOWN Link down", "-BUSY script", "-CLUSTERDOWN x", "-MISCONF x", "-NEW x"]
)
def test_redis_conditions_are_transient(reply: str) -> None:
    """Errors that speak of a condition are waited for, unknown codes included."""
    with peer(f"{reply}\r\n".encode()) as port, pytest.raises(Transient):
        dependency(f"redis://127.0.0.1:{port}", {}).probe(5)


def test_rediss() -> None:
    """TLS for Redis: verified, unless the URL says `ssl_cert_reqs=none` or names an authority."""
    port = peers.free_port()
    with peers.folder() as path:
        cert, key = peers.certificate(path)
        files = ("--tls-cert-file", str(cert), "--tls-key-file", str(key))
        tls = ("--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", *files)
        with peers.redis(port, *tls, "--tls-ca-cert-file", str(cert)):
            peers.listening(port)
            url = f"rediss://localhost:{port}/0"
            assert "not trusted" in refusal(url).what
            assert dependency(f"{url}?ssl_cert_reqs=none", {}).probe(5) == "PONG"
            assert dependency(f"{url}?ssl_ca_certs={cert}", {}).probe(5) == "PONG"
            missing = refusal(f"{url}?ssl_ca_certs={path}/absent")
            assert "cannot be used" in missing.what


# ----------------------------------------------------------------------------------------- amqp


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[tuple[str, Outcome, list[str]]]:
    """A RabbitMQ waited for by our own probe from its first moment."""
    port = peers.free_port()
    users = {"app": "p@ss", "stranger": "word"}
    vhosts = {"/": "app", "team/one": "app"}
    with peers.rabbitmq(port, users, vhosts):
        yield f"127.0.0.1:{port}", *wait(f"amqp://app:p%40ss@127.0.0.1:{port}//", 120)


def test_rabbitmq_is_waited_for_while_it_boots(rabbitmq: tuple[str, Outcome, list[str]]) -> None:
    """From "connection refused" to a complete handshake, with the broker's version."""
    _, outcome, reasons = rabbitmq
    assert outcome.ready and outcome.detail.startswith("RabbitMQ ")
    assert reasons[0] == "connection refused"


@pytest.mark.parametrize("path", ["", "/", "//", "/%2F", "/%2f", "/team%2Fone", "/team/one"])
def test_rabbitmq_virtual_hosts(rabbitmq: tuple[str, Outcome, list[str]], path: str) -> None:
    """None, `/` and Celery's `//` all are the default virtual host."""
    at, _, _ = rabbitmq
    assert dependency(f"amqp://app:p%40ss@{at}{path}", {}).probe(5).startswith("RabbitMQ ")


@pytest.mark.parametrize("login", ["app:s3cret@", "nobody:s3cret@", "app@", ""])
def test_rabbitmq_wrong_login(rabbitmq: tuple[str, Outcome, list[str]], login: str) -> None:
    """A wrong password or user (guest without any) is refused for good, with the broker's 403."""
    error = refusal(f"amqp://{login}{rabbitmq[0]}/")
    assert "ACCESS_REFUSED" in error.what and "(403)" in error.what
    assert "s3cret" not in str(error)


def test_rabbitmq_unknown_vhost(rabbitmq: tuple[str, Outcome, list[str]]) -> None:
    """A virtual host that is not there is refused for good, with the command that makes it."""
    error = refusal(f"amqp://app:p%40ss@{rabbitmq[0]}/absent")
    assert "vhost absent not found (530)" in error.what
    assert "rabbitmqctl add_vhost 'absent'" in error.next


def test_rabbitmq_vhost_without_permission(rabbitmq: tuple[str, Outcome, list[str]]) -> None:
    """A user without permission in the virtual host is refused for good."""
    error = refusal(f"amqp://stranger:word@{rabbitmq[0]}/")
    assert "(530)" in error.what and '"stranger" has no permission' in error.meaning


def test_amqp_of_another_version_is_permanent() -> None:
    """A broker answering with its own protocol header speaks another AMQP."""
    with peer(b"AMQP\x00\x01\x00\x00") as port:
        error = refusal(f"amqp://127.0.0.1:{port}")
    assert "does not speak AMQP 0-9-1: it answered 'AMQP 0.1.0.0'" in error.what


def frame(method: int, arguments: bytes) -> bytes:
    payload = b"\x00\x0a" + method.to_bytes(2, "big") + arguments
    return b"\x01\x00\x00" + len(payload).to_bytes(4, "big") + payload + b"\xce"


def start(mechanisms: bytes) -> bytes:
    listed = len(mechanisms).to_bytes(4, "big") + mechanisms
    return frame(10, b"\x00\x09" + bytes(4) + listed + b"\x00\x00\x00\x05en_US")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (320, b"CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"),
        (541, b"INTERNAL_ERROR - access to vhost '/' refused: vhost is down"),
        (530, b"NOT_ALLOWED - access to vhost '/' refused: connection limit (1) is reached"),
    ],
)
def test_amqp_conditions_are_transient(code: int, text: bytes) -> None:
    """A broker that shuts down, recovers a virtual host or is full is waited for."""
    closing = frame(50, code.to_bytes(2, "big") + bytes([len(text)]) + text + bytes(4))
    with peer(start(b"PLAIN AMQPLAIN") + closing) as port, pytest.raises(Transient) as caught:
        dependency(f"amqp://127.0.0.1:{port}", {}).probe(5)
    assert f"({code})" in caught.value.reason


def test_amqp_without_plain_is_permanent() -> None:
    """A broker that takes certificates only cannot be reached with a password."""
    with peer(start(b"EXTERNAL")) as port:
        assert "(it has: EXTERNAL)" in refusal(f"amqp://127.0.0.1:{port}").what


def test_amqp_closed_at_the_login_is_transient() -> None:
    """A broker without the capability closes the socket; the reason says when it did."""
    with peer(start(b"PLAIN")) as port, pytest.raises(Transient) as caught:
        dependency(f"amqp://127.0.0.1:{port}", {}).probe(5)
    assert caught.value.reason == "the server closed the connection at the login"


# ---------------------------------------------------------------------------------------- mysql


def test_mariadb_greets() -> None:
    """A real server's greeting is enough, whatever user and database the URL has."""
    port = peers.free_port()
    with peers.mariadb(port):
        outcome, _ = wait(f"mysql://nobody:wrong@127.0.0.1:{port}/absent")
    assert outcome.ready and outcome.detail.startswith("MariaDB 1")


def mysql_error(code: int, text: bytes) -> bytes:
    payload = b"\xff" + code.to_bytes(2, "little") + text
    return len(payload).to_bytes(3, "little") + b"\x00" + payload


def test_mysql_out_of_connections_then_ready() -> None:
    """Error 1040 is waited for; a protocol 10 greeting is ready."""
    greeting = b"\x0a8.4.2\x00" + bytes(20)
    ready = len(greeting).to_bytes(3, "little") + b"\x00" + greeting
    with peer(mysql_error(1040, b"#08004Too many connections"), ready) as port:
        outcome, reasons = wait(f"mysql://127.0.0.1:{port}")
    assert outcome.ready and outcome.detail == "MySQL 8.4.2"
    assert reasons == ["the server says: #08004Too many connections (1040)"]


@pytest.mark.parametrize(
    ("code", "remedy"), [(1129, "FLUSH HOSTS"), (1130, "CREATE USER"), (4711, "log")]
)
def test_mysql_refuses_this_host(code: int, remedy: str) -> None:
    """A blocked or unknown host is refused for good, with the statement that helps."""
    with peer(mysql_error(code, b"no")) as port:
        error = refusal(f"mysql://127.0.0.1:{port}")
    assert f"({code})" in error.what and remedy in error.next


# ----------------------------------------------------------------------------------- postgresql


@pytest.fixture(scope="module")
def postgresql() -> Iterator[tuple[str, Path, Outcome]]:
    """A PostgreSQL 15 waited for by our own probe from its first moment."""
    port = peers.free_port()
    with peers.postgresql(port, "p@ss") as path:
        at = f"127.0.0.1:{port}"
        yield at, path, wait(f"postgresql://app:p%40ss@{at}/postgres")[0]


def test_postgresql_is_ready(postgresql: tuple[str, Path, Outcome]) -> None:
    """A real login tells the server's version."""
    _, _, outcome = postgresql
    assert outcome.ready and outcome.detail.startswith("PostgreSQL 15.")


def test_postgresql_takes_the_environment(postgresql: tuple[str, Path, Outcome]) -> None:
    """What the URL leaves out comes from the PG* variables, as in libpq."""
    url = f"postgresql://{postgresql[0]}/postgres"
    probe = dependency(url, {"PGUSER": "app", "PGPASSWORD": "p@ss"}).probe
    assert probe(5).startswith("PostgreSQL 15.")


def test_postgresql_by_unix_socket(postgresql: tuple[str, Path, Outcome]) -> None:
    """A socket's folder as host works; one without a socket is waited for."""
    at, path, _ = postgresql
    port = at.rpartition(":")[2]
    path.chmod(0o755)
    query = f"host={path}&port={port}"
    url = f"postgresql://app:p%40ss@/postgres?{query}"
    assert dependency(url, {}).probe(5).startswith("PostgreSQL 15.")
    with pytest.raises(Transient, match=r"is not there \(yet\)"):
        dependency(url.replace(str(path), "/tmp/absent"), {}).probe(5)


@pytest.mark.parametrize(
    ("login", "what"),
    [
        ("app:s3cret@{}/postgres", 'refuses the password of user "app"'),
        ("nobody:s3cret@{}/postgres", 'refuses the password of user "nobody"'),
        ("app:p%40ss@{}/absent", 'has no database "absent"'),
        ("app:p%40ss@{}/postgres?sslmode=require", "cannot be reached in the way"),
    ],
)
def test_postgresql_refusals(postgresql: tuple[str, Path, Outcome], login: str, what: str) -> None:
    """A wrong password, user or database and missing TLS are refused for good."""
    error = refusal("postgresql://" + login.format(postgresql[0]))
    assert what in error.what and error.meaning and error.next
    assert "s3cret" not in str(error)


def said(code: str, message: str = "m") -> Transient | Permanent:
    return explain(code, message, user="app", dbname="shop", host="db:5432")


@pytest.mark.parametrize(
    "code",
    [
        "57P03",
        "57P01",
        "57P02",
        "53300",
        "53200",
        "53400",
        "08006",
        "08P01",
        "25006",
        "55000",
        "40001",
        "XX000",
        "57P05",
    ],
)
def test_conditions_of_a_postgresql_server_pass(code: str) -> None:
    """Codes that speak of the server's condition are waited for."""
    assert isinstance(said(code), Transient)


@pytest.mark.parametrize(
    "code", ["28P01", "28000", "3D000", "42501", "0A000", "26000", "22023", "42704", "99999"]
)
def test_refusals_of_a_postgresql_server_do_not_pass(code: str) -> None:
    """Codes that speak of the request are refused for good, in the user's names."""
    error = said(code)
    assert isinstance(error, Permanent)
    assert "db:5432" in error.what and "{" not in str(error)


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("no such database: shop", 'PostgreSQL at db:5432 has no database "shop".'),
        ("password authentication failed", 'refuses the password of user "app"'),
        ("SASL authentication failed", 'refuses the password of user "app"'),
        ("no such user: app", 'does not let user "app" in'),
    ],
)
def test_pgbouncer_refusals_hide_behind_08p01(message: str, what: str) -> None:
    """PgBouncer's one code for all is told apart by its text, which is never translated."""
    error = said("08P01", message)
    assert isinstance(error, Permanent) and what in error.what


def test_braces_in_a_servers_words_are_kept() -> None:
    """A server's text is data: braces in it are not taken for names."""
    error = said("28000", "role {user} {0}")
    assert isinstance(error, Permanent) and "role {user} {0} (28000)" in error.what


def test_all_at_once() -> None:
    """Several services of different kinds are waited for together, one password wrong."""
    port = peers.free_port()
    with peers.redis(port, "--requirepass", "word"), peer(b"HTTP/1.1 200 OK\r\n\r\n") as web:
        peers.listening(port)
        urls = [f"http://127.0.0.1:{web}", f"redis://:wrong@127.0.0.1:{port}", "tcp://127.0.0.1:1"]
        began = time.monotonic()
        outcomes = wait_for([dependency(u, os.environ) for u in urls], began + LONG, print)
    assert time.monotonic() - began < LONG / 2
    assert [o.error is not None for o in outcomes] == [False, True, False]
    assert not outcomes[2].ready
