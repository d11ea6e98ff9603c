"""What an operating-system error at connection time means for someone who waits."""

from __future__ import annotations

import errno
import socket
import sys

from tidegate.model.readiness import Permanent, Transient

_UNREACHABLE = {
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network unreachable",
    errno.EHOSTDOWN: "host is down",
    errno.ENETDOWN: "network is down",
}


def classify_os_error(error: OSError, host: str) -> Transient | Permanent:
    """What an error of the operating system means for someone who waits for `host`.

    `host` is a name, an address or the path of a Unix socket, and appears in the texts. Errors
    that this function does not know are Transient: the deadline ends the wait, and the reason says
    what the system said.
    """
    if isinstance(error, socket.gaierror):
        return _classify_lookup(error, host)
    if "ssl" in sys.modules and isinstance(error, sys.modules["ssl"].SSLError):
        return _classify_tls(error, host)
    if isinstance(error, TimeoutError):
        return Transient("timed out")
    if isinstance(error, ConnectionRefusedError):
        return Transient("connection refused")
    if isinstance(error, ConnectionError):
        return Transient("connection reset")
    if isinstance(error, PermissionError):
        return _not_permitted(error, host)
    if isinstance(error, FileNotFoundError):
        return _no_file(error, host)
    said = error.strerror or str(error) or type(error).__name__
    return Transient(_UNREACHABLE.get(error.errno or 0, said))


def _classify_lookup(error: socket.gaierror, host: str) -> Transient:
    """Every answer of the name service can change.

    Docker and Kubernetes add a name when its container starts, and their DNS server itself may
    be what is starting.
    """
    absent = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
    if error.errno in absent:
        return Transient(f"name {host} is not in DNS (yet)")
    if error.errno == socket.EAI_AGAIN:
        return Transient(f"name {host} cannot be looked up (DNS does not answer)")
    return Transient(f"name {host} cannot be looked up ({error.strerror})")


def _no_file(error: OSError, host: str) -> Transient | Permanent:
    """A Unix socket appears when its server starts; a certificate file does not appear."""
    if host.startswith("/"):
        return Transient(f"socket {host} is not there (yet)")
    return Permanent(
        f"A file that the connection to {host} needs is missing: {error.filename or error}.",
        "The settings name a certificate or key that this container does not have.",
        "Correct the path, or mount the file.",
    )


def _not_permitted(error: OSError, host: str) -> Permanent:
    if host.startswith("/"):
        return Permanent(
            f"The socket {host} may not be opened by this user ({error.strerror}).",
            "The file is there, so its server has started; its mode or owner keeps us out.",
            "Run as a user of the socket's group, or change the socket's mode at the server.",
        )
    return Permanent(
        f"This system forbids the connection to {host} ({error.strerror}).",
        "A local firewall, seccomp or security module refused it before anything was sent.",
        f"Allow outgoing connections to {host} for this container or user.",
    )


# OpenSSL's reason codes for a peer that will say the same next time.
_TLS_FOR_GOOD = {
    "WRONG_VERSION_NUMBER": "The server answers without TLS on this port.",
    "HTTP_REQUEST": "The server answers without TLS on this port.",
    "UNSUPPORTED_PROTOCOL": "Client and server have no version of TLS in common.",
    "TLSV1_ALERT_PROTOCOL_VERSION": "Client and server have no version of TLS in common.",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "Client and server have no parameters of TLS in common.",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "The server wants a certificate from the client.",
    "TLSV1_ALERT_UNKNOWN_CA": "The server does not trust the certificate that we sent.",
    "SSLV3_ALERT_BAD_CERTIFICATE": "The server wants another certificate from the client.",
}


def _classify_tls(error: OSError, host: str) -> Transient | Permanent:
    from ssl import SSLCertVerificationError

    if isinstance(error, SSLCertVerificationError):
        why = error.verify_message.rstrip(".")
        return Permanent(
            f"The TLS certificate of {host} is not trusted: {why}.",
            "The server is up, and this system's list of authorities does not vouch for it.",
            "Add its authority to this image (or name the file in SSL_CERT_FILE), or use the name"
            " that the certificate was issued for.",
        )
    reason = getattr(error, "reason", None) or ""
    if reason in _TLS_FOR_GOOD:
        return Permanent(
            f"TLS with {host} failed: {reason.replace('_', ' ').lower()}.",
            _TLS_FOR_GOOD[reason],
            "Check the scheme and port of the URL, and the server's TLS settings.",
        )
    return Transient(f"TLS handshake failed ({reason.replace('_', ' ').lower() or error})")
