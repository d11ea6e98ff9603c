"""The PostgreSQL client against real servers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from support.postgres import PASSWORD, PgBouncer, Server, find_installations, free_port, give_away
from tidegate.databases.pglogin import connect
from tidegate.databases.pgwire import (
    BadUrl,
    Connection,
    PgError,
    TlsRefused,
    Unsupported,
    params_from_fields,
    params_from_url,
    quote_identifier,
    quote_literal,
)

INSTALLATIONS = find_installations()
PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
UNICODE_PASSWORD = "pässwörd №\u00a0ﬁ"  # SASLprep changes the last four characters
HBA = """
local all all trust
host all u_md5 all md5
host all u_clear all password
host all u_trust all trust
host all u_rejected all reject
hostssl all u_tls all scram-sha-256
host all all all scram-sha-256
"""


def opened(url: str, timeout: float = 10, **environ: str) -> Connection:
    return connect(params_from_url(url, environ), timeout)


def refused(url: str, **environ: str) -> PgError:
    with pytest.raises(PgError) as caught:
        opened(url, **environ)
    return caught.value


@pytest.fixture(scope="module", params=list(INSTALLATIONS), ids=lambda major: f"pg{major}")
def server(request: pytest.FixtureRequest):
    server = Server(INSTALLATIONS[request.param], hba=HBA).start()
    server.sql(
        f"CREATE ROLE u_scram LOGIN PASSWORD 'scram'; CREATE ROLE u_clear LOGIN PASSWORD 'clear';"
        f"CREATE ROLE u_trust LOGIN; CREATE ROLE u_tls LOGIN PASSWORD 'tls';"
        f"CREATE ROLE u_unicode LOGIN PASSWORD {quote_literal(UNICODE_PASSWORD)};"
        f"SET password_encryption = md5; CREATE ROLE u_md5 LOGIN PASSWORD 'md5'"
    )
    yield server
    server.stop()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory):
    """A server with TLS, and the file of the authority that signed its certificate."""
    for bindir in INSTALLATIONS.values():
        server = Server(bindir, hba=HBA)
        if server.has_tls:
            break
    else:
        pytest.skip("no PostgreSQL built with OpenSSL is installed")
    at = tmp_path_factory.mktemp("tls")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    for name in ("ca", "other"):
        subject = [
            "-subj",
            f"/CN={name}",
            "-keyout",
            at / f"{name}.key",
            "-out",
            at / f"{name}.crt",
        ]
        subprocess.run([*make, *subject], check=True, capture_output=True)
    subject = ["-CA", at / "ca.crt", "-CAkey", at / "ca.key", "-subj", "/CN=localhost"]
    subject += ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"]
    files = [server.directory / "server.key", server.directory / "server.crt"]
    subject += ["-keyout", files[0], "-out", files[1]]
    subprocess.run([*make, *subject], check=True, capture_output=True)
    for file in files:
        file.chmod(0o600)
        give_away(file)
    server.settings.update(ssl="on", ssl_key_file=str(files[0]), ssl_cert_file=str(files[1]))
    server.start()
    server.sql("CREATE ROLE u_tls LOGIN PASSWORD 'tls'")
    yield server, at
    server.stop()


@pytest.mark.parametrize("name", ["scram", "md5", "clear"])
def test_password_methods(server: Server, name: str):
    """SCRAM, MD5 and clear-text passwords let in, and a wrong one is 28P01."""
    connection = opened(server.url(f"u_{name}", name))
    assert connection.query("SELECT current_user") == [(f"u_{name}",)]
    assert connection.backend_pid == int(connection.query("SELECT pg_backend_pid()")[0][0] or 0)
    assert connection.parameters["client_encoding"] == "UTF8"
    assert connection.parameters["server_version"].startswith(str(_major(server)))
    connection.close()
    connection.close()
    assert connection.fileno() == -1
    assert refused(server.url(f"u_{name}", "wrong")).sqlstate == "28P01"


def test_no_password_known(server: Server, tmp_path: Path):
    """A server that asks for a password nobody gave is 28P01, without a try."""
    error = refused(server.url("u_scram", None), HOME=str(tmp_path))
    assert (error.sqlstate, "none is known" in str(error)) == ("28P01", True)


def test_trust_and_rejection(server: Server):
    """A trusted role needs no password, and one that pg_hba.conf rejects is 28000."""
    opened(server.url("u_trust", None)).close()
    assert refused(server.url("u_rejected", "x")).sqlstate == "28000"


def test_unknown_role_and_database(server: Server):
    """An unknown role looks like a wrong password; an unknown database is 3D000."""
    assert refused(server.url("nobody_here", "x")).sqlstate == "28P01"
    error = refused(server.url(dbname="nowhere"))
    assert (error.sqlstate, error.severity) == ("3D000", "FATAL")
    assert "nowhere" in error.message


def test_non_ascii_password(server: Server):
    """A password that SASLprep changes is prepared as the server prepared it."""
    opened(server.url("u_unicode", UNICODE_PASSWORD)).close()
    opened(server.url("u_unicode", "pässwörd No fi")).close()


def test_too_many_connections(server: Server):
    """A full server is 53300."""
    held = []
    try:
        with pytest.raises(PgError) as caught:
            for _ in range(30):
                held.append(opened(server.url("u_trust", None)))
        assert caught.value.sqlstate == "53300"
    finally:
        for connection in held:
            connection.close()
        _wait_until(lambda: server.sql("SELECT count(*) FROM pg_stat_activity "
                                       "WHERE usename = 'u_trust'") == "0")  # fmt: skip


def test_unix_socket(server: Server):
    """A directory as the host means the Unix socket there, where sslmode says nothing."""
    query = f"?host={server.socket_dir}&port={server.port}&sslmode=require"
    connection = opened(f"postgresql://postgres@/postgres{query}")
    assert connection.query("SELECT inet_client_addr()") == [(None,)]
    connection.close()
    params = params_from_fields(
        str(server.socket_dir), str(server.port), "postgres", "", "postgres", {}, {}
    )
    connect(params, 5).close()
    with pytest.raises(FileNotFoundError):
        opened(f"postgresql://postgres@/postgres?host={server.socket_dir}&port=1")


def test_password_file(server: Server, tmp_path: Path):
    """The password file is read as libpq reads it, and not at all when others may read it."""
    file = tmp_path / "pass file"
    server.sql(r"CREATE ROLE u_file LOGIN PASSWORD E'a:b\\c'")
    file.write_text(
        "# a comment\nelsewhere:*:*:*:wrong\n"
        f"{server.host}:{server.port}:*:u_file:a\\:b\\\\c\n*:*:*:*:wrong\n"
    )
    file.chmod(0o600)
    opened(server.url("u_file", None), PGPASSFILE=str(file)).close()
    assert refused(server.url("u_scram", None), PGPASSFILE=str(file)).sqlstate == "28P01"
    file.chmod(0o644)
    error = refused(server.url("u_file", None), PGPASSFILE=str(file))
    assert "none is known" in error.message


def test_first_host_dead(server: Server):
    """The next host is tried when one is dead; all dead raises the connection's error."""
    dead = free_port()
    url = server.url().replace("@", f"@127.0.0.1:{dead},")
    opened(url).close()
    with pytest.raises(ConnectionRefusedError, match=str(dead)):
        opened(f"postgresql://u:p@127.0.0.1:{dead},127.0.0.1:{dead}/d")


def test_silent_host_leaves_time_for_the_next(server: Server):
    """A host that accepts and never answers costs its share of the time, not all of it."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        opened(server.url().replace("@", f"@127.0.0.1:{port},"), timeout=2).close()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            opened(f"postgresql://u:p@127.0.0.1:{port}/d", timeout=0.3)
        assert time.monotonic() - began < 1


def test_unknown_host_name():
    """A name that does not resolve is socket.gaierror, naming the host."""
    with pytest.raises(socket.gaierror, match=r"no-such-host\.invalid"):
        opened("postgresql://u:p@no-such-host.invalid/d")


def test_not_postgresql():
    """A server of another protocol is a ConnectionError, not a hang and not a PgError."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        params = params_from_url(f"postgresql://u:p@127.0.0.1:{port}/d?sslmode=disable", {})

        def answer() -> None:
            client, _ = other.accept()
            with client:
                client.recv(1000)
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ConnectionError, match="not PostgreSQL"):
            connect(params, 5)
        thread.join()


def test_rows_and_statements(server: Server):
    """5,000 rows arrive whole; of several statements the last with rows counts; NULL is None."""
    connection = opened(server.url())
    rows = connection.query("SELECT i, repeat('ä', 200) FROM generate_series(1, 5000) i")
    assert len(rows) == 5000
    assert rows[4999] == ("5000", "ä" * 200)
    assert connection.query("SELECT 1; SELECT 2, NULL, ''; SET work_mem = '1MB'") == [
        ("2", None, "")
    ]
    assert connection.query("") == []
    connection.query("DO $$ BEGIN RAISE WARNING 'careful'; END $$")
    assert connection.notices[-1].message == "careful"
    connection.close()


def test_error_then_usable(server: Server):
    """An error carries the server's fields, and the connection goes on."""
    connection = opened(server.url())
    with pytest.raises(PgError) as caught:
        connection.query("SELECT upperr('x')")
    error = caught.value
    assert (error.sqlstate, error.severity) == ("42883", "ERROR")
    assert str(error) == error.message
    assert error.hint
    assert connection.query("SELECT 1") == [("1",)]
    connection.query("BEGIN")
    assert connection.status == "T"
    with pytest.raises(PgError, match="division"):
        connection.query("SELECT 1/0")
    assert connection.status == "E"
    connection.query("ROLLBACK")
    with pytest.raises(PgError):
        connection.query("COPY pg_class FROM STDIN")
    assert connection.query("COPY (SELECT 1) TO STDOUT") == []
    assert connection.query("SELECT 2") == [("2",)]
    connection.close()


def test_terminated_backend(server: Server):
    """A backend killed between two queries is 57P01, and afterwards the connection is closed."""
    connection = opened(server.url())
    server.sql(f"SELECT pg_terminate_backend({connection.backend_pid})")
    _wait_until(lambda: server.sql(
        f"SELECT count(*) FROM pg_stat_activity WHERE pid = {connection.backend_pid}") == "0"
    )  # fmt: skip
    with pytest.raises(PgError) as caught:
        connection.query("SELECT 1")
    assert caught.value.sqlstate == "57P01"
    with pytest.raises(ConnectionResetError):
        connection.query("SELECT 1")
    connection.close()


def test_query_time_limit(server: Server):
    """A query past its time limit is TimeoutError, and the server stops working on it."""
    connection = opened(server.url())
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        connection.query("SELECT pg_sleep(30)", timeout=0.3)
    assert time.monotonic() - began < 2
    _wait_until(lambda: server.sql(
        f"SELECT count(*) FROM pg_stat_activity WHERE pid = {connection.backend_pid}") == "0"
    )  # fmt: skip
    with pytest.raises(ConnectionResetError):
        connection.query("SELECT 1")


def test_quoting(server: Server):
    """Quoted text comes back as it was, with standard_conforming_strings on or off."""
    connection = opened(server.url())
    text = "it's a \\ \"test\" 'ä'\n"
    for setting in ("on", "off"):
        connection.query(f"SET standard_conforming_strings = {setting}")
        assert connection.query(f"SELECT {quote_literal(text)}") == [(text,)]
    connection.query(f"CREATE TEMP TABLE {quote_identifier(text)} (i int)")
    assert connection.query(f"SELECT * FROM {quote_identifier(text)}") == []
    with pytest.raises(ValueError, match="zero byte"):
        quote_literal("a\0b")
    connection.close()


def test_startup_options(server: Server):
    """PGOPTIONS and application_name reach the session."""
    connection = opened(
        server.url() + "?application_name=gate", PGOPTIONS="-c lock_timeout=1234ms", PGAPPNAME="no"
    )
    shown = connection.query(
        "SELECT current_setting('lock_timeout'), current_setting('application_name')"
    )
    assert shown == [("1234ms", "gate")]
    connection.close()


def test_session_attributes_and_server_that_starts(server: Server):
    """target_session_attrs picks primary or standby; a server not yet up is 57P03."""
    server.stop()
    standby = Server(server.bindir, clone_of=server, hba=HBA)
    (standby.datadir / "standby.signal").touch()
    server.start()
    standby.start()
    try:
        both = f"{server.host}:{server.port},{standby.host}:{standby.port}"
        reverse = f"{standby.host}:{standby.port},{server.host}:{server.port}"
        wanted = {"read-write": server, "primary": server, "read-only": standby}
        wanted |= {"standby": standby, "prefer-standby": standby}
        for attrs, target in wanted.items():
            for hosts in (both, reverse):
                url = f"postgresql://postgres:{PASSWORD}@{hosts}/?target_session_attrs={attrs}"
                connection = opened(url)
                assert connection.query("SELECT inet_server_port()") == [(str(target.port),)]
                connection.close()
        with pytest.raises(ConnectionError, match="not standby"):
            opened(server.url() + "?target_session_attrs=standby")
        opened(server.url() + "?target_session_attrs=prefer-standby").close()
        standby.stop()
        standby.settings["hot_standby"] = "off"
        standby.start()
        assert refused(standby.url()).sqlstate == "57P03"
        opened(f"postgresql://postgres:{PASSWORD}@{reverse}/").close()  # and the next is tried
    finally:
        standby.stop()


def test_server_that_shuts_down(server: Server):
    """A server that waits for its last session to end is 57P03."""
    held = opened(server.url())
    server.signal("smart")
    try:
        _wait_until(lambda: server.state() == "stopping")
        assert refused(server.url()).sqlstate == "57P03"
    finally:
        held.close()
        server.restart()


@pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")
def test_pgbouncer(server: Server):
    """Through a transaction pool queries work, though the process is not the one announced."""
    assert PGBOUNCER
    pooler = PgBouncer(PGBOUNCER, server, {"u_scram": "scram"}, "transaction").start()
    try:
        url = f"postgresql://u_scram:scram@{pooler.host}:{pooler.port}/postgres"
        connection = opened(url)
        assert connection.query("SELECT pg_backend_pid()") != [(str(connection.backend_pid),)]
        with pytest.raises(PgError, match="division"):
            connection.query("SELECT 1/0")
        assert connection.query("SELECT current_user") == [("u_scram",)]
        with pytest.raises(TimeoutError):
            connection.query("SELECT pg_sleep(30)", timeout=0.3)
        _wait_until(lambda: server.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
            " AND state = 'active'") == "0"
        )  # fmt: skip
        assert refused(url.replace(":scram@", ":wrong@")).sqlstate in ("28P01", "08P01")
    finally:
        pooler.stop()


def test_tls_not_offered(server: Server):
    """Without TLS on the server 'prefer' goes on in clear and 'require' is TlsRefused."""
    connection = opened(server.url())
    assert connection.tls is False
    connection.close()
    with pytest.raises(TlsRefused, match="does not speak TLS"):
        opened(server.url() + "?sslmode=require")


@pytest.mark.parametrize(
    ("mode", "encrypted"),
    [("disable", False), ("allow", False), ("prefer", True), ("require", True)],
)
def test_tls_modes(tls: tuple[Server, Path], mode: str, encrypted: bool, tmp_path: Path):
    """Each sslmode encrypts when libpq would."""
    connection = opened(tls[0].url() + f"?sslmode={mode}", HOME=str(tmp_path))
    assert connection.tls is encrypted
    sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert connection.query(sql) == [("t" if encrypted else "f",)]
    connection.close()


def test_tls_verification(tls: tuple[Server, Path], tmp_path: Path):
    """verify-ca trusts the given authority only; verify-full wants the host's name too."""
    server, at = tls
    home = {"HOME": str(tmp_path)}
    by_name = server.url().replace(server.host, "localhost")
    good, other = f"&sslrootcert={at}/ca.crt", f"&sslrootcert={at}/other.crt"
    opened(by_name + "?sslmode=verify-full" + good, **home).close()
    opened(server.url() + "?sslmode=verify-ca" + good, **home).close()
    with pytest.raises(TlsRefused, match="IP address mismatch"):
        opened(server.url() + "?sslmode=verify-full" + good, **home)
    for mode in ("verify-ca", "require"):
        with pytest.raises(TlsRefused, match="certificate"):
            opened(server.url() + f"?sslmode={mode}" + other, **home)
    with pytest.raises(TlsRefused, match=r"no file .*root\.crt"):
        opened(server.url() + "?sslmode=verify-ca", **home)
    connection = opened(server.url() + "?sslmode=prefer" + other, **home)
    assert connection.tls is False  # as libpq: an untrusted server is as good as one without TLS
    connection.close()


def test_tls_only_role(tls: tuple[Server, Path], tmp_path: Path):
    """A hostssl-only role: 'allow' turns to TLS, 'disable' is 28000 or a wrong password."""
    server, home = tls[0], str(tmp_path)
    server.set_hba("local all all trust\nhostssl all all all scram-sha-256\n")
    server.reload()
    try:
        url = server.url("u_tls", "tls") + "?sslmode="
        _wait_until(lambda: _sqlstate(url + "disable") == "28000")
        connection = opened(url + "allow", HOME=home)
        assert connection.tls
        connection.close()
        wrong = server.url("u_tls", "wrong")
        assert refused(wrong, HOME=home).sqlstate == "28P01"
    finally:
        server.set_hba(HBA)
        server.reload()


def test_plaintext_after_tls_answer_is_refused():
    """CVE-2021-23222: bytes that follow the 'S' in clear are an error, whatever sslmode."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(8)
                client.sendall(b"SR\0\0\0\x08\0\0\0\0")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Unsupported, match="unencrypted data"):
            opened(f"postgresql://u:p@127.0.0.1:{listener.getsockname()[1]}/d")
        thread.join()


def test_impostor_without_the_password_is_found_out():
    """A server that skips or forges SCRAM's last message is not let pass."""

    def frame(code: int, body: bytes) -> bytes:
        return b"R" + (len(body) + 8).to_bytes(4, "big") + code.to_bytes(4, "big") + body

    for last in (frame(12, b"v=AAAA"), frame(0, b"")):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer(listener: socket.socket = listener, last: bytes = last) -> None:
                client, _ = listener.accept()
                with client:
                    client.recv(1000)
                    client.sendall(frame(10, b"SCRAM-SHA-256\0\0"))
                    nonce = client.recv(1000).split(b"r=")[1]
                    client.sendall(frame(11, b"r=" + nonce + b"xyz,s=c2FsdA==,i=4096"))
                    client.recv(1000)
                    client.sendall(last)

            thread = threading.Thread(target=answer)
            thread.start()
            error = refused(
                f"postgresql://u:p@127.0.0.1:{listener.getsockname()[1]}/d?sslmode=disable"
            )
            thread.join()
            assert "did not prove" in error.message


@pytest.mark.parametrize(
    ("url", "hosts", "user", "password", "dbname"),
    [
        ("postgresql://u:p@h:1/d", [("h", 1)], "u", "p", "d"),
        ("postgres://u:p%40%2F%25@h/d%20b", [("h", 5432)], "u", "p@/%", "d b"),
        ("postgresql+psycopg://u:p/w@h/d", [("h", 5432)], "u", "p/w", "d"),
        ("postgresql+asyncpg://u:p@h/d?ssl=require", [("h", 5432)], "u", "p", "d"),
        ("postgresql://u:p@w#@h/d", [("h", 5432)], "u", "p@w#", "d"),
        ("postgresql://u:50%@h/d", [("h", 5432)], "u", "50%", "d"),
        ("postgresql://u@a:1,b:2/d", [("a", 1), ("b", 2)], "u", None, "d"),
        ("postgresql://u@a,b:2/d", [("a", 5432), ("b", 2)], "u", None, "d"),
        ("postgresql://u@[::1]:7,[fe80::2]/", [("::1", 7), ("fe80::2", 5432)], "u", None, "u"),
        ("postgresql://u@/d?host=/run/pg&port=7", [("/run/pg", 7)], "u", None, "d"),
        ("postgresql://u@%2Frun%2Fpg/d", [("/run/pg", 5432)], "u", None, "d"),
        ("postgresql+psycopg://u@/d?host=a:1&host=b:2", [("a", 1), ("b", 2)], "u", None, "d"),
        ("postgresql:///?user=u&password=x%26y&dbname=d&host=h", [("h", 5432)], "u", "x&y", "d"),
    ],
)
def test_urls(url: str, hosts: list[tuple[str, int]], user: str, password: str | None, dbname: str):
    """URLs mean what libpq and SQLAlchemy take them to mean."""
    params = params_from_url(url, {})
    assert (params.hosts, params.user, params.dbname) == (hosts, user, dbname)
    assert params.password == password
    if password and len(password) > 1:
        assert password not in repr(params)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:hush@h/d",
        "u:hush@h/d",
        "postgresql://u:hush@h:port/d",
        "postgresql://u:hush@h:99999/d",
        "postgresql://u:hush@[::1/d",
        "postgresql://u:hush@a,b/d?port=1,2,3",
        "postgresql://u:hush@h/d?sslmode=maybe",
        "postgresql://u:hush@h/d?sslmode",
        "postgresql://u:hush%00@h/d",
        "postgresql://u:hush@h/d?connect_timeout=soon",
    ],
)
def test_bad_urls_keep_the_secret(url: str):
    """A URL that makes no sense is BadUrl, whose text does not hold the password."""
    with pytest.raises(BadUrl) as caught:
        params_from_url(url, {})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "environ"),
    [
        ("service=x", {}),
        ("", {"PGSERVICE": "x"}),
        ("", {"PGHOSTADDR": "127.0.0.1"}),
        ("channel_binding=require", {}),
        ("gssencmode=require", {}),
        ("sslpassword=hush", {}),
        ("never_heard_of=hush", {}),
    ],
)
def test_unsupported_settings(query: str, environ: dict[str, str]):
    """What only libpq can do is Unsupported, and values of unknown options stay unsaid."""
    with pytest.raises(Unsupported) as caught:
        params_from_url(f"postgresql://u:p@h/d?{query}", environ)
    assert "hush" not in str(caught.value)


def test_environment_fills_the_gaps():
    """The PG* variables are defaults: what is given wins."""
    environ = {
        "PGHOST": "eh", "PGPORT": "7", "PGUSER": "eu", "PGPASSWORD": "ep", "PGDATABASE": "ed",
        "PGSSLMODE": "require", "PGCONNECT_TIMEOUT": "3", "PGTARGETSESSIONATTRS": "primary",
        "HOME": "/home/me",
    }  # fmt: skip
    params = params_from_url("postgresql://", environ)
    assert (params.hosts, params.user, params.password) == ([("eh", 7)], "eu", "ep")
    assert (params.dbname, params.sslmode, params.connect_timeout) == ("ed", "require", 3.0)
    assert (params.target_session_attrs, params.passfile) == ("primary", "/home/me/.pgpass")
    params = params_from_fields("h", 1, "u", "p", "d", {"sslmode": "disable"}, environ)
    assert (params.hosts, params.user, params.password) == ([("h", 1)], "u", "p")
    assert (params.dbname, params.sslmode) == ("d", "disable")
    params = params_from_fields("", "", "", "", "", {"application_name": "x"}, environ)
    assert (params.hosts, params.user, params.application_name) == ([("eh", 7)], "eu", "x")


def test_import_is_cheap():
    """Importing the client loads none of the modules that would double a start's cost."""
    costly = "socket ssl hashlib hmac base64 re enum dataclasses typing urllib json struct"
    code = (
        "import sys; before = set(sys.modules); import tidegate.databases.pglogin;"
        "print(*(set(sys.modules) - before))"
    )
    path = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert not set(costly.split()) & set(done.stdout.split())


def _major(server: Server) -> int:
    return int(server.sql("SHOW server_version_num")) // 10000


def _sqlstate(url: str) -> str:
    try:
        opened(url).close()
    except PgError as err:
        return err.sqlstate
    return ""


def _wait_until(condition, timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)
