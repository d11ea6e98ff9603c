"""TLS on a connection to PostgreSQL, as sslmode says; loaded only where the server has it."""

from __future__ import annotations

import os
import socket
import ssl

from tidegate.databases.pgwire import Params, TlsRefused, Unsupported, left

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket


def wrap(sock: _socket.socket, params: Params, host: str, deadline: float) -> _socket.socket:
    """Do the TLS handshake; the socket given is used up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    roots, cert, key = params.sslrootcert, params.sslcert, params.sslkey
    verify = True  # as libpq: whatever sslmode says, once there is a root certificate
    try:
        if roots == "system":
            context.load_default_certs()
        elif roots and os.path.exists(roots):
            context.load_verify_locations(roots)
        elif params.sslmode.startswith("verify-"):
            raise TlsRefused(f"sslmode is {params.sslmode}, but there is no file {roots}")
        else:
            verify = False
        if cert and os.path.exists(cert):
            _check_key(key)
            context.load_cert_chain(cert, key, _refuse_passphrase)
    except OSError as err:  # ssl.SSLError is one
        raise TlsRefused(f"cannot load the TLS certificates: {err}") from None
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    context.check_hostname = params.sslmode == "verify-full"
    plain = socket.socket(fileno=sock.detach())
    plain.settimeout(left(deadline))
    try:
        # Bytes for the same reason as in pgwire's look-up.
        return context.wrap_socket(plain, server_hostname=host.encode() if host.isascii() else host)
    except ssl.SSLCertVerificationError as err:
        raise TlsRefused(f"the server's certificate: {err.verify_message}") from None
    except ssl.SSLEOFError:
        raise ConnectionResetError("the server closed the connection") from None
    except (ssl.SSLError, ValueError) as err:
        raise TlsRefused(f"the TLS handshake failed: {err}") from None
    finally:
        plain.close()  # only still open if wrap_socket had not taken it over


def _check_key(key: str | None) -> None:
    if not key or not os.path.exists(key):
        raise TlsRefused(f"there is a client certificate, but no private key {key}")
    status = os.stat(key)
    if status.st_mode & (0o037 if status.st_uid == 0 else 0o077):
        raise TlsRefused(f"the private key {key} can be read by others")


def _refuse_passphrase() -> str:
    raise Unsupported("the client's private key has a passphrase")
