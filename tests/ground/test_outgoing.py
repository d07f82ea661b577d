"""What the portal calls is public and answers within bounds; nothing else is reached, however it is spelled."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import LazySettings

from feedback_portal import outgoing
from feedback_portal.outgoing import AddressRefused, TooMuch, Unreachable, ask
from feedback_portal.refusals import BadInput
from tests.outside import Listener, Outside, Said, listener, outside


@dataclass(frozen=True)
class Question:
    url: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@pytest.fixture
def server(settings: LazySettings) -> Iterator[Outside]:
    with outside() as found:
        settings.OUTGOING_ALLOW = [found.host]
        yield found


@pytest.fixture
def trap(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """A loopback port that stands for everything inside; the ports that may be called lead to it too."""
    with listener() as found:
        monkeypatch.setattr(outgoing, "_PORTS", {80, 443, found.port})
        yield found


INSIDE = [
    *("127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "0", "0.0.0.0", "0x7f000001", "2130706433", "017700000001"),  # noqa: S104
    *("0177.0.0.1", "0x7f.0.0.1", "127.0.0.01", "127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "a.localhost"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::1%25lo]"),
    *("[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:1::1]"),
    *("[fd00::1]", "[fc00::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[fd00:ec2::254]", "[2001:db8::1]"),
    *("10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.127.255.254"),
    *("192.0.0.1", "192.88.99.1", "198.18.0.1", "192.0.2.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("2852039166", "0xa9fea9fe", "metadata", "redis", "127.0.0.1%00.example.com", "127。0。0。1", "①②⑦.0.0.1"),
    *("user@127.0.0.1", "example.com@127.0.0.1", "example.com:80@127.0.0.1", "127.0.0.1\\@example.com"),
    *("127.0.0.1#@example.com", "example.com\\.127.0.0.1", " 127.0.0.1", "127.0.0.1\t", "127.0.0.1\r\nHost: a", ""),
    *("bücher.example", "ａ.example.com", "ⓛocalhost", "loc\u00adalhost", "[127.0.0.1]", "[::1", "a..b.example", "%6cocalhost"),
]  # fmt: skip
ODD = [
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_INFO",
    "ftp://example.com/",
    "dict://127.0.0.1:11211/",
    "javascript:alert(1)",
    "//127.0.0.1/",
    "http:/127.0.0.1/",
    "http:127.0.0.1",
    "127.0.0.1",
    "https://example.com:6379/",
    "https://example.com:22/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com:/\\evil",
    "https://portal.example.org/hooks/",
    "https://PORTAL.example.org/",
    "https://eu.inner.example.org/",
]


def test_there_are_sixty_ways_and_more() -> None:
    assert len(set(INSIDE)) >= 60


@pytest.mark.parametrize("host", INSIDE)
def test_no_spelling_of_an_inside_address_is_reached(host: str, trap: Listener) -> None:
    for scheme in ("http", "https"):
        for port in (f":{trap.port}", ""):
            with pytest.raises((AddressRefused, Unreachable)):
                ask(Question(f"{scheme}://{host}{port}/"))

    assert trap.connections() == 0


@pytest.mark.parametrize("url", ODD)
def test_odd_schemes_ports_and_our_own_host_are_refused_by_their_text(url: str, settings: LazySettings) -> None:
    settings.BASE_URL = "https://portal.example.org"
    settings.ALLOWED_HOSTS = ["portal.example.org", ".inner.example.org"]
    with pytest.raises(AddressRefused) as refused:
        outgoing.require_callable(url)

    assert refused.value.message.endswith(".")


class Resolver:
    """Stands for DNS: every name leads to the addresses given, one after the other, the last for ever."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked: list[str] = []
        self._real = socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *args: Any, **named: Any) -> Any:
        if host[0].isdigit() or ":" in host:
            return self._real(host, port, *args, **named)
        self.asked.append(host)
        address = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        return self._real(address, port, *args, **named)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.9", "fd00::1", "fec0::1",
     "64:ff9b::a9fe:a9fe", "::7f00:1", "2002:a00:1::", "0.0.0.0", "224.0.0.1", "240.0.0.1"],  # noqa: S104
)  # fmt: skip
def test_a_public_name_that_leads_inside_is_refused(
    address: str, trap: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(address))

    with pytest.raises(AddressRefused, match="private network"):
        ask(Question(f"http://feeds.example.com:{trap.port}/"))

    assert trap.connections() == 0


def test_a_name_is_resolved_once_and_that_address_is_what_is_called(
    trap: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resolver turns inwards after the first answer; whoever asked twice would reach the trap."""
    resolver = Resolver("8.8.8.8", "127.0.0.1")
    called: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *args: Any, **named: Any) -> socket.socket:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)

    with pytest.raises(Unreachable):
        ask(Question(f"http://feeds.example.com:{trap.port}/"))

    assert (resolver.asked, called) == (["feeds.example.com"], [("8.8.8.8", trap.port)])
    assert trap.connections() == 0


def test_the_environment_names_no_proxy_and_no_password(
    server: Outside, trap: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{trap.port}")
    server.other = Said(200, b"fine")

    assert ask(Question(server.url)).body == b"fine"
    assert trap.connections() == 0


def test_what_is_sent_and_what_comes_back(server: Outside) -> None:
    server.other = Said(201, b"made", {"X-Thing": "1"})

    answer = ask(Question(f"{server.url}/a?b=c", "POST", {"X-Key": "k", "Host": "other.example"}, b"body"))

    assert (answer.status, answer.headers["x-thing"], answer.body) == (201, "1", b"made")
    (heard,) = server.heard
    assert (heard.method, heard.path, heard.body, heard.headers["x-key"]) == ("POST", "/a?b=c", b"body", "k")
    assert heard.headers["host"] == server.host
    assert heard.headers["accept-encoding"] == "identity"


def test_a_system_that_is_not_listed_is_not_reached_though_another_port_of_it_is(server: Outside) -> None:
    with listener() as other:
        with pytest.raises(AddressRefused):
            ask(Question(f"http://127.0.0.1:{other.port}/"))

        assert other.connections() == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_told_and_not_followed(status: int, server: Outside, trap: Listener) -> None:
    server.other = Said(status, headers={"Location": f"http://127.0.0.1:{trap.port}/latest/meta-data/"})

    assert ask(Question(server.url)).status == status
    assert (len(server.heard), trap.connections()) == (1, 0)


def test_no_more_is_read_than_was_asked_for(server: Outside) -> None:
    server.other = Said(200, b"x" * 100_000)

    with pytest.raises(TooMuch, match="65,536 bytes"):
        ask(Question(server.url))
    assert len(ask(Question(server.url), most_bytes=100_000).body) == 100_000


def test_an_answer_that_trickles_without_end_is_cut(server: Outside) -> None:
    server.other = Said(is_drip=True)

    with pytest.raises(TooMuch, match="took longer"):
        ask(Question(server.url), seconds=0.3)


def test_one_that_never_answers_is_not_waited_for(settings: LazySettings) -> None:
    with listener() as silent:
        settings.OUTGOING_ALLOW = [f"127.0.0.1:{silent.port}"]
        with pytest.raises(TooMuch, match="took longer"):
            ask(Question(f"http://127.0.0.1:{silent.port}/"), seconds=0.2)


def test_a_connection_that_is_cut_is_no_answer(server: Outside) -> None:
    server.other = Said(200, b"half of it", is_cut=True)

    with pytest.raises(Unreachable, match="cut"):
        ask(Question(server.url))


def test_nobody_there_is_said_in_a_sentence(settings: LazySettings) -> None:
    with listener() as gone:
        settings.OUTGOING_ALLOW = [f"127.0.0.1:{gone.port}"]
    with pytest.raises(Unreachable, match="could not be reached"):
        ask(Question(f"http://127.0.0.1:{gone.port}/"))


def test_a_name_nobody_knows_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **named: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable, match="name is not known"):
        ask(Question("https://nowhere.example.com/"))


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "schlüssel", "a\x00b"])
def test_headers_cannot_carry_others(value: str, server: Outside) -> None:
    with pytest.raises(BadInput, match="header"):
        ask(Question(server.url, headers={"X-Key": value}))
    assert server.heard == []


def test_compressed_answers_are_not_unpacked(server: Outside) -> None:
    server.other = Said(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})

    with pytest.raises(Unreachable, match="compressed"):
        ask(Question(server.url))
