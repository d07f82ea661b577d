"""The one client with which the portal calls systems outside: it reaches public addresses only, and takes only so much."""

import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests_hardened import Config, HTTPSession
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.exceptions import HTTPError

from feedback_portal.refusals import BadInput, Refused

USUAL_BYTES = 64 * 1024
MOST_BYTES = 20 * 1024 * 1024
SECONDS = 15.0
_CONNECT_AND_READ_SECONDS = (2.0, 10.0)
_PORTS = {80, 443}
_SHAPE = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>\d{1,5}))?(?:[/?][!-\[\]-~]*)?",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})")
_HEADER = re.compile(r"[ -~\t]*")


class AddressRefused(Refused):
    code = "address-refused"
    title = "This address is not called"


class Unreachable(Refused):
    status = 502
    code = "unreachable"
    title = "The system at that address does not answer"


class TooMuch(Refused):
    status = 502
    code = "too-much"
    title = "The system at that address answers with too much"


class Request(Protocol):
    """One question; header names in any case."""

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status; header names in lower case, and never another place's answer by redirect."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(
    request: Request,
    *,
    most_bytes: int = USUAL_BYTES,
    seconds: float = SECONDS,
    silent_seconds: float = _CONNECT_AND_READ_SECONDS[1],
) -> Answer:
    """Send one request and read the whole answer, of at most so many bytes and seconds; redirects are not followed. Whoever says
    nothing at all for `silent_seconds` is taken to be gone.

    `AddressRefused` before anything is sent, `Unreachable` when nothing whole came back, `TooMuch` when it had no end.
    """
    is_listed = require_callable(request.url)
    host = urlsplit(request.url).netloc
    with _Deadline(seconds) as deadline, _session(deadline, is_listed=is_listed) as session:
        try:
            with session.request(
                request.method,
                request.url,
                headers=_headers(request.headers),
                data=request.body or None,
                stream=True,
                timeout=(_CONNECT_AND_READ_SECONDS[0], silent_seconds),
            ) as response:
                body = _body(response, host, most_bytes=min(most_bytes, MOST_BYTES))
                answer = Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)
        except InvalidIPAddress:
            raise AddressRefused(
                f"{host} leads to an address inside a private network, which the portal does not call. Use a public"
                " address, or have whoever runs the portal add it to PORTAL_OUTGOING_ALLOW."
            ) from None
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            deadline.check(host)
            raise Unreachable(
                f"{host} could not be reached ({_reason(error)}). Check the address, and whether that system runs."
            ) from None
        # A connection that was cut may look like one that ended.
        deadline.check(host)
    return answer


@contextmanager
def connected(host: str, port: int, *, seconds: float = SECONDS) -> Iterator[socket.socket]:
    """A connection for what is no HTTP, under the same rules: to public addresses only, and cut when its time is over."""
    is_listed = f"{host}:{port}".lower() in {each.lower() for each in settings.OUTGOING_ALLOW}
    if not (is_listed or _is_public(host) or (_NAME.fullmatch(host.lower()) and not _is_ours(host.lower()))):
        raise AddressRefused(
            f"{host[:200]} is not called: it is this portal itself, or no public address in its usual spelling. Use the"
            f" public name of the system, or have whoever runs the portal add {host[:200]}:{port} to PORTAL_OUTGOING_ALLOW."
        )
    with _Deadline(seconds) as deadline:
        try:
            with _dialled(host, port, is_listed=is_listed) as found:
                deadline.watch(found)
                yield found
        except OSError as error:
            deadline.check(host)
            raise Unreachable(
                f"{host}:{port} could not be reached ({_reason(error)}). Check the address, and whether that system runs."
            ) from None
        deadline.check(host)


def require_callable(url: str) -> bool:
    """Refuse what no request may be sent to, as far as the text shows it; True when the administrator listed it.

    For forms that ask for an address. Where a name leads is found out when it is called, by `ask`.
    """
    found = _SHAPE.fullmatch(url)
    if found is None:
        raise AddressRefused(
            f'"{url[:200]}" is no address the portal calls. Write it as https://name.example/path in plain letters,'
            " without a user name; write a name in other letters in its xn-- form."
        )
    host = found["host"].lower()
    port = int(found["port"] or (443 if found["scheme"].lower() == "https" else 80))
    if f"{host}:{port}" in {each.lower() for each in settings.OUTGOING_ALLOW}:
        return True
    if port not in _PORTS:
        raise AddressRefused(
            f"Port {port} is not called. Use an address on port 80 or 443, or have whoever runs the portal add"
            f" {host}:{port} to PORTAL_OUTGOING_ALLOW."
        )
    if host.startswith("["):
        is_fine = _is_public(host.strip("[]"))
    else:
        is_fine = _is_public(host) or (_NAME.fullmatch(host) is not None and not _is_ours(host))
    if not is_fine:
        raise AddressRefused(
            f"{host} is not called: it is this portal itself, or no public address in its usual spelling. Use the public"
            f" name of the system, or have whoever runs the portal add {host}:{port} to PORTAL_OUTGOING_ALLOW."
        )
    return False


def why_not_called(text: str) -> str:
    """Why a host or an address that somebody enters is never called, as far as the text shows it; empty when it may be. A host
    that the administrator listed may be on a port of its own."""
    if any(text.lower() == each.lower().rpartition(":")[0] for each in settings.OUTGOING_ALLOW):
        return ""
    try:
        require_callable(text if "://" in text else f"https://{text}")
    except AddressRefused as refused:
        return refused.message
    return ""


def _dialled(host: str, port: int, *, is_listed: bool) -> socket.socket:
    """Resolved once, and connected to exactly what was looked at."""
    found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not is_listed and not all(_is_public(each) for each in found):
        raise AddressRefused(
            f"{host} leads to an address inside a private network, which the portal does not call. Use a public address,"
            f" or have whoever runs the portal add {host}:{port} to PORTAL_OUTGOING_ALLOW."
        )
    connection = socket.create_connection((found[0], port), timeout=_CONNECT_AND_READ_SECONDS[0])
    connection.settimeout(_CONNECT_AND_READ_SECONDS[1])
    return connection


def _is_public(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address.teredo or address.is_site_local
    ):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _is_ours(host: str) -> bool:
    ours = {(urlsplit(settings.BASE_URL).hostname or "").lower(), *(each.lower() for each in settings.ALLOWED_HOSTS)}
    return any(host == each.lstrip(".") or (each.startswith(".") and host.endswith(each)) for each in ours if each)


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if not _HEADER.fullmatch(value):
            raise BadInput(
                f"The header {name} cannot be sent, since it holds line breaks or other than plain letters. Enter the"
                " channel's settings and secrets again."
            )
    # Not compressed: the bytes that are counted are then those that are kept.
    usual = {"User-Agent": "feedback-portal", "Accept": "*/*", "Accept-Encoding": "identity"}
    known = {name.lower() for name in given}
    # The host is named by the address alone.
    return {name: value for name, value in usual.items() if name.lower() not in known} | {
        name: value for name, value in given.items() if name.lower() != "host"
    }


def _body(response: requests.Response, host: str, *, most_bytes: int) -> bytes:
    if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise Unreachable(f"{host} answered compressed although it was asked not to. Ask its makers for plain answers.")
    parts, size = [], 0
    for part in response.raw.stream(16 * 1024, decode_content=False):
        size += len(part)
        if size > most_bytes:
            raise TooMuch(
                f"{host} answered with more than {most_bytes:,} bytes. Check that the address is the right one."
            )
        parts.append(part)
    return b"".join(parts)


def _reason(error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError | ssl.SSLError):
        return "its certificate does not hold"
    if isinstance(error, requests.Timeout | TimeoutError) or "timed out" in str(error).lower():
        return "it did not answer in time"
    if isinstance(error, socket.gaierror) or "resolve" in str(error).lower():
        return "its name is not known"
    return "the connection failed or was cut"


def _session(deadline: "_Deadline", *, is_listed: bool) -> HTTPSession:
    session = HTTPSession(
        Config(
            ip_filter_enable=not is_listed,
            ip_filter_allow_loopback_ips=False,
            never_redirect=True,
            default_timeout=_CONNECT_AND_READ_SECONDS,
        )
    )
    # No proxy, no password file and no certificates from the environment.
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(
            scheme, _Watched(deadline) if is_listed else _Guarded(deadline, is_https_proto=scheme == "https://")
        )
    return session


class _Deadline:
    """Cuts a connection when its time is over, whatever it waits for: time-outs hold for single reads only, and a peer that
    sends a byte now and then would be waited for without end."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.is_over = False
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for each in self._sockets:
                each.close()

    def watch(self, connection: socket.socket) -> None:
        # A duplicate, since TLS takes the original over.
        with self._lock:
            self._sockets.append(connection.dup())
        if self.is_over:
            self._cut()

    def check(self, host: str) -> None:
        if self.is_over:
            raise TooMuch(
                f"{host} took longer than {self.seconds:.0f} seconds to answer. Try again later; if it stays so, check"
                " whether the address is the right one."
            )

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


class _Watched(HTTPAdapter):
    """Shows every connection it opens to the deadline."""

    def __init__(self, deadline: _Deadline, **options: Any) -> None:
        super().__init__(**options)
        self._deadline = deadline

    def get_connection_with_tls_context(self, *args: Any, **named: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **named)
        deadline = self._deadline

        class Connection(pool.ConnectionCls):  # type: ignore[misc]
            def _new_conn(self) -> socket.socket:
                found: socket.socket = super()._new_conn()
                deadline.watch(found)
                return found

        pool.ConnectionCls = Connection
        return pool


class _Guarded(_Watched, IPFilterAdapter):  # type: ignore[misc]
    """Resolves once, refuses whatever is not public, and connects to exactly what it looked at."""

    def build_connection_pool_key_attributes(self, *args: Any, **named: Any) -> Any:
        host, pool = super().build_connection_pool_key_attributes(*args, **named)
        if not _is_public(host["host"].strip("[]")):
            raise InvalidIPAddress(host["host"])
        return host, pool
