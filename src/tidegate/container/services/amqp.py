"""`amqp://` and `amqps://`: login and virtual host, as RabbitMQ has them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from tidegate.container.services.stream import Stream, conversation, wrong_protocol
from tidegate.container.services.target import BadServiceUrl, Target, parse
from tidegate.container.waiting import Dependency, Permanent, Transient

SCHEMES = {"amqp": 5672, "amqps": 5671}


def dependency(url: str, environ: Mapping[str, str]) -> Dependency:
    """The dependency that the URL names."""
    target = parse(url, SCHEMES)
    _check(target)
    return conversation(target, talk, tls=target.scheme == "amqps")


# Method ids of class 10 (connection), AMQP 0-9-1, https://www.rabbitmq.com/amqp-0-9-1-reference.
_START, _START_OK, _TUNE, _TUNE_OK, _OPEN, _OPEN_OK, _CLOSE = 10, 11, 30, 31, 40, 41, 50
_METHOD_FRAME, _HEARTBEAT_FRAME, _FRAME_END = 1, 8, 0xCE
_LARGEST_FRAME = 1 << 20

# Reply codes that speak of the broker's condition: connection forced, resource error, internal
# error (RabbitMQ: "vhost is down").
_TRANSIENT = (320, 506, 541)


def talk(target: Target, stream: Stream) -> str:
    """Log in and open the virtual host, then close properly.

    We declare `authentication_failure_close`, so RabbitMQ says that the password is wrong rather
    than just closing (https://www.rabbitmq.com/docs/auth-notification).
    """
    stream.send(b"AMQP\x00\x00\x09\x01")
    start = _method(target, stream, _START, first=True)
    mechanisms = _long_string(start, 2 + 4 + int.from_bytes(start[2:6], "big"))
    if "PLAIN" not in mechanisms.split():
        raise _no_plain(target, mechanisms)
    stream.send(_frame(_START_OK, _start_ok(target)))
    try:
        tune = _method(target, stream, _TUNE)
    except Transient as error:
        raise Transient(f"{error.reason} at the login") from None
    stream.send(_frame(_TUNE_OK, tune[:6] + b"\x00\x00"))  # its limits, without heartbeats
    stream.send(_frame(_OPEN, _short(_vhost(target)) + b"\x00\x00"))
    _method(target, stream, _OPEN_OK)
    stream.send(_frame(_CLOSE, (200).to_bytes(2, "big") + b"\x00" + bytes(4)))
    try:
        stream.read(12)  # Close-Ok: going earlier leaves a warning in the broker's log
    except Transient:
        pass
    return _product(start)


def _vhost(target: Target) -> str:
    """`/name` is "name"; none, `/` and Celery's `//` all are "/"."""
    return unquote(target.path[1:]) or "/"


def _check(target: Target) -> None:
    """Names travel as short strings of at most 255 bytes."""
    if len(_vhost(target).encode()) > 255:
        raise BadServiceUrl(
            f"The virtual host in {target.scheme}://{target.address}/… is too long.",
            "AMQP allows 255 bytes.",
        )


def _frame(number: int, arguments: bytes) -> bytes:
    payload = b"\x00\x0a" + number.to_bytes(2, "big") + arguments
    size = len(payload).to_bytes(4, "big")
    return bytes([_METHOD_FRAME]) + b"\x00\x00" + size + payload + bytes([_FRAME_END])


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes([len(data)]) + data


def _long(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _start_ok(target: Target) -> bytes:
    capabilities = _short("authentication_failure_close") + b"t\x01"
    properties = _short("product") + b"S" + _long(b"tidegate")
    properties += _short("capabilities") + b"F" + _long(capabilities)
    user = target.user or "guest"
    password = target.password if target.user else target.password or "guest"
    login = b"\x00" + user.encode() + b"\x00" + password.encode()
    return _long(properties) + _short("PLAIN") + _long(login) + _short("en_US")


def _method(target: Target, stream: Stream, wanted: int, *, first: bool = False) -> bytes:
    """The arguments of the method that must come next."""
    while True:
        head = stream.read(7) if not first else _first(target, stream)
        first = False
        size = int.from_bytes(head[3:7], "big")
        if head[0] not in (_METHOD_FRAME, _HEARTBEAT_FRAME) or size > _LARGEST_FRAME:
            raise wrong_protocol(target, "AMQP 0-9-1", repr(head))
        payload = stream.read(size + 1)[:-1]
        if head[0] == _METHOD_FRAME:
            break
    method, arguments = int.from_bytes(payload[2:4], "big"), payload[4:]
    if payload[:2] == b"\x00\x0a" and method == _CLOSE:
        raise _closed(target, arguments)
    if payload[:2] != b"\x00\x0a" or method != wanted:
        raise wrong_protocol(target, "AMQP 0-9-1 as expected", f"method {method}")
    return arguments


def _first(target: Target, stream: Stream) -> bytes:
    """The first frame's head, or the header that a server sends which wants another protocol."""
    head = stream.read(1)
    if head[0] not in (_METHOD_FRAME, ord("A")):
        raise wrong_protocol(target, "AMQP", target.quote(repr(head)))
    head += stream.read(6)
    if head.startswith(b"AMQP"):
        version = ".".join(str(number) for number in head[4:] + stream.read(1))
        raise wrong_protocol(target, "AMQP 0-9-1", f"AMQP {version}")
    return head


def _closed(target: Target, arguments: bytes) -> Transient | Permanent:
    code = int.from_bytes(arguments[:2], "big")
    said = target.quote(arguments[3 : 3 + arguments[2]].decode("utf-8", "replace"))
    # RabbitMQ has one code, 530, for a vhost that is not there and for one that is full.
    if code in _TRANSIENT or (code == 530 and "limit" in said):
        return Transient(f"the broker closes the connection: {said} ({code})")
    what = f"The broker at {target.address} refuses the connection: {said} ({code})."
    user, vhost = target.user or "guest", _vhost(target)
    if code == 403:
        return Permanent(
            what,
            f'User "{user}" does not exist there or has another password; "guest" may only log in'
            " from the broker's own host.",
            "Correct user and password in the URL, or create the user: rabbitmqctl add_user.",
        )
    if code == 530:
        return Permanent(
            what,
            f'The login is right. The virtual host "{vhost}" does not exist, or "{user}" has no'
            " permission in it.",
            f"Correct the path of the URL ('/' is %2F), or: rabbitmqctl add_vhost '{vhost}' and"
            f" rabbitmqctl set_permissions -p '{vhost}' '{user}' '.*' '.*' '.*'.",
        )
    return Permanent(what, "The broker will say the same again.", "See the broker's log.")


def _no_plain(target: Target, mechanisms: str) -> Permanent:
    return Permanent(
        f"The broker at {target.address} offers no login by password (it has: {mechanisms}).",
        "The user and password of a URL need the mechanism PLAIN.",
        f"Allow PLAIN in the broker, or wait for the port only: tcp://{target.address}.",
    )


def _long_string(data: bytes, start: int) -> str:
    size = int.from_bytes(data[start : start + 4], "big")
    return data[start + 4 : start + 4 + size].decode("utf-8", "replace")


def _product(start: bytes) -> str:
    """ "RabbitMQ 3.10.8", from the text fields of Start's table; good enough for a label."""
    found = []
    for key in (b"\x07productS", b"\x07versionS"):
        _, there, rest = start.partition(key)
        found.append(_long_string(rest, 0) if there else "")
    return " ".join(found).strip() or "AMQP 0-9-1"
