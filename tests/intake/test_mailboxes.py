"""Mailboxes that are asked now and then: what is new comes once, and nothing in them is changed."""

import datetime as dt
import ipaddress
import os
import re
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.test.utils import override_settings

from feedback_portal import outgoing
from feedback_portal.refusals import BadInput
from intake import normalizing, polling
from intake.connectors import connectors, imap_mailbox, maildir, mime
from intake.connectors.base import Answer, Page, PullConnector, RawItem, Request, Unreadable
from intake.models import FeedbackItem, Poll
from tests.makers import make_channel

AT = dt.datetime(2026, 3, 3, 9, 20, tzinfo=dt.UTC)
SECRETS = {"password": 'se"cret'}


def mail(number: int, text: str = "Hello") -> bytes:
    return f"From: ana@customers.example\r\nMessage-ID: <{number}@x.example>\r\nSubject: No. {number}\r\n\r\n{text}\r\n".encode()


class Server(socketserver.ThreadingTCPServer):
    """A mail server of one folder; `said` is what it was asked, without the tags."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.mails: dict[int, bytes] = {}
        self.validity = 7
        self.said: list[str] = []
        self.sizes: dict[int, int] = {}
        self.is_quoting = False
        self.breaks_at = ""
        self.tls: ssl.SSLContext | None = None
        super().__init__(("127.0.0.1", 0), Session)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def get_request(self) -> Any:
        connection, address = super().get_request()
        return (self.tls.wrap_socket(connection, server_side=True) if self.tls else connection), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up is part of the test."""


class Session(socketserver.StreamRequestHandler):
    server: Server
    wbufsize: ClassVar[int] = -1

    def handle(self) -> None:
        self.send(b"* OK ready")
        while line := self.rfile.readline():
            tag, _, command = line.strip().decode().partition(" ")
            self.server.said.append(command)
            if self.server.breaks_at and command.startswith(self.server.breaks_at):
                return
            self.answer(tag.encode(), command)
            if command == "LOGOUT":
                return

    def send(self, *lines: bytes) -> None:
        self.wfile.write(b"".join(line + b"\r\n" for line in lines))
        self.wfile.flush()

    def answer(self, tag: bytes, command: str) -> None:
        if command.startswith("CAPABILITY"):
            self.send(b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2")
        elif command.startswith("LOGIN") and command != r'LOGIN "care" "se\"cret"':
            return self.send(tag + b" NO [AUTHENTICATIONFAILED] no")
        elif command.startswith("AUTHENTICATE"):
            self.send(b"+ ")
            self.server.said.append(self.rfile.readline().strip().decode())
        elif command.startswith(("EXAMINE", "SELECT")):
            if "INBOX" not in command:
                return self.send(tag + b" NO no such folder")
            self.send(b"* %d EXISTS" % len(self.server.mails), b"* OK [UIDVALIDITY %d] fine" % self.server.validity)
        elif command.startswith("UID SEARCH"):
            first = int(re.findall(r"(\d+):\*", command)[0])
            found = [uid for uid in self.server.mails if uid >= first] or sorted(self.server.mails)[-1:]
            self.send(b"* SEARCH " + " ".join(map(str, found)).encode())
        elif command.startswith("UID FETCH"):
            self.fetch(command)
        elif command == "LOGOUT":
            self.send(b"* BYE")
        return self.send(tag + b" OK done")

    def fetch(self, command: str) -> None:
        for number, uid in enumerate(map(int, re.findall(r"[\d,]+", command)[0].split(",")), start=1):
            content = self.server.mails.get(uid)
            if content is None:
                continue
            size = self.server.sizes.get(uid, len(content))
            if "RFC822.SIZE" in command:
                self.send(b"* %d FETCH (UID %d RFC822.SIZE %d)" % (number, uid, size))
                continue
            if part := re.search(r"<0\.(\d+)>", command):
                content = content[: int(part[1])]
            arrived = b'INTERNALDATE "03-Mar-2026 10:15:00 +0100"'
            if self.server.is_quoting:
                quoted = content.replace(b"\r\n", b"").replace(b'"', b'\\"')
                self.send(b'* %d FETCH (UID %d %s BODY[] "%s")' % (number, uid, arrived, quoted))
            else:
                self.send(b"* %d FETCH (UID %d %s BODY[] {%d}" % (number, uid, arrived, len(content)))
                self.wfile.write(content)
                self.send(b")")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        with override_settings(OUTGOING_ALLOW=[f"127.0.0.1:{found.port}"]):
            yield found
        found.shutdown()


def no_ask(request: Request) -> Answer:
    raise AssertionError(request.url)


def asked(server: Server, cursor: dict[str, Any] | None = None, *, ask: Any = no_ask, **settings: str) -> list[Page]:
    told = {"host": "127.0.0.1", "port": str(server.port), "user": "care", "security": "plain", **settings}
    secrets = {"refresh_token": "old", "client_secret": "s"} if "token_url" in settings else SECRETS
    return list(pulling("imap_mailbox").pages(cursor or {}, ask=ask, settings=told, secrets=secrets, at=AT))


def pulling(slug: str) -> PullConnector:
    found = connectors.get(slug)
    assert isinstance(found, PullConnector)
    return found


def ids(pages: list[Page]) -> list[str]:
    return [raw.external_id for page in pages for raw in page.raws]


def test_a_mailbox_gives_each_mail_once_and_is_left_as_it_was(server: Server) -> None:
    server.mails = {3: mail(3), 4: mail(4)}
    first = asked(server)
    assert ids(first) == ["3@x.example", "4@x.example"]
    assert first[0].raws[0].payload == mail(3)
    server.mails[5] = mail(5)
    second = asked(server, dict(first[-1].cursor))
    assert ids(second) == ["5@x.example"]
    assert ids(asked(server, dict(second[-1].cursor))) == []
    verbs = {command.split(" ")[0] for command in server.said}
    assert verbs == {"CAPABILITY", "LOGIN", "EXAMINE", "UID", "LOGOUT"}
    assert all("PEEK" in command or "RFC822.SIZE" in command for command in server.said if "FETCH" in command)


def test_a_mail_that_comes_into_sight_late_is_taken_all_the_same(server: Server) -> None:
    server.mails = {number: mail(number) for number in (1, 2, 4)}
    cursor = asked(server)[-1].cursor
    server.mails[3] = mail(3)
    assert ids(asked(server, dict(cursor))) == ["3@x.example"]


def test_a_long_mailbox_is_read_in_pages_and_runs(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_mailbox, "MAILS_A_RUN", 60)
    server.mails = {number: mail(number) for number in range(1, 101)}
    first = asked(server)
    assert [len(page.raws) for page in first] == [25, 25, 10]
    assert len(first[-1].cursor["seen"]) == 50
    second = asked(server, dict(first[-1].cursor))
    assert sorted(ids(first) + ids(second)) == sorted(f"{number}@x.example" for number in range(1, 101))


def test_when_the_server_numbers_anew_everything_comes_again(server: Server) -> None:
    server.mails = {3: mail(3)}
    cursor = asked(server)[-1].cursor
    server.mails, server.validity = {1: mail(3), 2: mail(4)}, 8
    assert ids(asked(server, dict(cursor))) == ["3@x.example", "4@x.example"]


def test_a_mail_without_a_date_was_said_when_the_mailbox_took_it(server: Server) -> None:
    server.mails = {1: mail(1)}
    (raw,) = asked(server)[0].raws
    assert pulling("imap_mailbox").parse(raw, settings={}).submitted_at == dt.datetime(2026, 3, 3, 9, 15, tzinfo=dt.UTC)


def test_a_mail_too_long_is_left_there_but_for_its_beginning(server: Server) -> None:
    server.mails, server.sizes = {1: mail(1, "x" * 100_000)}, {1: mime.LONGEST_MAIL + 1}
    (raw,) = asked(server)[0].raws
    assert (raw.external_id, len(raw.payload)) == ("1@x.example", mime.LONGEST_HEADERS)
    with pytest.raises(Unreadable, match="25 MB"):
        pulling("imap_mailbox").parse(raw, settings={})


def test_a_short_mail_may_come_as_a_quoted_text(server: Server) -> None:
    server.mails, server.is_quoting = {1: b'Subject: a "quoted" one'}, True
    assert [raw.payload for page in asked(server) for raw in page.raws] == [b'Subject: a "quoted" one']


def test_what_is_gone_meanwhile_is_passed_over(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.mails = {1: mail(1), 2: mail(2)}
    found = imap_mailbox._sizes

    def sizes_and_gone(*args: Any) -> dict[int, int]:
        sizes = found(*args)
        server.mails.pop(1, None)
        return sizes

    monkeypatch.setattr(imap_mailbox, "_sizes", sizes_and_gone)
    assert ids(asked(server)) == ["2@x.example"]


def test_a_day_to_begin_with_is_told_to_the_server(server: Server) -> None:
    asked(server, since="2026-03-01")
    assert any(command.endswith("SINCE 1-Mar-2026") for command in server.said)
    with pytest.raises(BadInput, match="no day"):
        asked(server, since="yesterday")


@pytest.mark.parametrize(
    "settings",
    [
        {"user": "someone"},
        {"user": "care\r\nA1 LOGOUT"},
        {"folder": "Care"},
        {"folder": "a\nb"},
        {"port": "0"},
        {"security": "x"},
    ],
)
def test_what_somebody_must_correct_stops_the_channel(server: Server, settings: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=r"\.$"):
        asked(server, **settings)


@pytest.mark.parametrize("where", ["CAPABILITY", "LOGIN", "EXAMINE", "UID SEARCH", "UID FETCH"])
def test_a_server_that_hangs_up_is_asked_again(server: Server, where: str) -> None:
    server.mails, server.breaks_at = {1: mail(1)}, where
    with pytest.raises((Unreadable, outgoing.Unreachable), match=r"\.$"):
        asked(server)


def test_a_server_that_announces_gigabytes_is_not_listened_to(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mime, "LONGEST_MAIL", 1)
    monkeypatch.setattr(mime, "LONGEST_HEADERS", 10)
    server.mails, server.sizes = {1: mail(1, "x" * 1_000)}, {1: 1}
    with pytest.raises(Unreadable, match="more than it was asked for"):
        asked(server)


def test_a_mailbox_inside_the_network_is_not_opened(server: Server) -> None:
    for host in ("127.0.0.1", "localhost", "10.0.0.1", "::1", "169.254.169.254"):
        with override_settings(OUTGOING_ALLOW=[]), pytest.raises(outgoing.AddressRefused):
            asked(server, host=host)
    assert not server.said


def test_a_name_that_leads_inside_is_not_followed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = [(2, 1, 6, "", ("127.0.0.1", server.port))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **named: inside)
    with override_settings(OUTGOING_ALLOW=[]), pytest.raises(outgoing.AddressRefused, match="private network"):
        asked(server, host="imap.customers.example")
    assert not server.said


def certified(server: Server, folder: Path) -> Path:
    """Give the server a certificate for its address, and the file that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / "certificate.pem").write_bytes(pem)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    server.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.tls.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return folder / "certificate.pem"


def test_a_server_shows_a_certificate_that_holds(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.mails = {1: mail(1)}
    vouching = certified(server, tmp_path)
    with pytest.raises(outgoing.Unreachable, match="certificate"):
        asked(server, security="tls")
    assert not server.said
    trusted = ssl.create_default_context(cafile=str(vouching))
    monkeypatch.setattr(ssl, "create_default_context", lambda: trusted)
    assert ids(asked(server, security="tls")) == ["1@x.example"]


def test_a_server_that_offers_no_encryption_gets_no_password(server: Server) -> None:
    with pytest.raises((Unreadable, outgoing.Unreachable), match=r"\.$"):
        asked(server, security="starttls")
    assert not [command for command in server.said if command.startswith("LOGIN")]


def test_a_token_is_asked_for_where_the_server_wants_one(server: Server) -> None:
    server.mails = {1: mail(1)}
    requests: list[Request] = []

    def ask(request: Request) -> Answer:
        requests.append(request)
        return Answer(200, {}, b'{"access_token": "fresh"}')

    assert ids(asked(server, ask=ask, token_url="https://login.example/token", client_id="c")) == ["1@x.example"]
    assert requests[0].url == "https://login.example/token"
    assert b"refresh_token=old" in requests[0].body
    assert not [command for command in server.said if command.startswith("LOGIN")]
    with pytest.raises(Unreadable, match="token"):
        asked(server, ask=lambda request: Answer(200, {}, b"[]"), token_url="https://login.example/token")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(maildir.ALLOWED_BELOW, str(tmp_path))
    for name in ("new", "cur", "tmp"):
        (tmp_path / "care" / name).mkdir(parents=True)
    return tmp_path / "care"


def delivered(folder: Path, name: str, number: int) -> None:
    (folder / name).write_bytes(mail(number))


def looked(folder: Path, cursor: dict[str, Any] | None = None) -> list[Page]:
    told = {"path": str(folder)}
    return list(pulling("maildir").pages(cursor or {}, ask=no_ask, settings=told, secrets={}, at=AT))


def test_a_maildir_gives_each_mail_once_even_when_it_is_read_meanwhile(folder: Path) -> None:
    delivered(folder, "new/1772500000.a", 1)
    delivered(folder, "cur/1772400000.b:2,S", 2)
    delivered(folder, "tmp/1772600000.c", 3)
    first = looked(folder)
    assert ids(first) == ["2@x.example", "1@x.example"]
    (folder / "new/1772500000.a").rename(folder / "cur/1772500000.a:2,S")
    delivered(folder, "new/1772499999.late", 4)
    assert ids(looked(folder, dict(first[-1].cursor))) == ["4@x.example"]
    assert sorted(each.name for each in (folder / "cur").iterdir()) == ["1772400000.b:2,S", "1772500000.a:2,S"]


def test_a_mail_that_moves_while_it_is_looked_for_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    delivered(folder, "new/1772500000.a", 1)
    found = maildir._names

    def named_and_moved(path: Path) -> list[tuple[str, Path]]:
        names = found(path)
        (folder / "new/1772500000.a").rename(folder / "cur/1772500000.a:2,S")
        return names

    monkeypatch.setattr(maildir, "_names", named_and_moved)
    assert ids(looked(folder)) == ["1@x.example"]


def test_a_long_maildir_is_read_in_pages_and_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maildir, "PAGES_A_RUN", 5)
    for number in range(300):
        delivered(folder, f"new/{1772500000 + number}.x", number)
    first = looked(folder)
    second = looked(folder, dict(first[-1].cursor))
    assert [len(page.raws) for page in first + second] == [50] * 6
    assert len(set(ids(first + second))) == 300
    assert len(second[-1].cursor["seen"]) == 200


def test_a_maildir_elsewhere_is_not_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mails").mkdir()
    for path in (Path("/etc"), tmp_path / "mails", tmp_path / "care" / ".." / ".." / "..", Path("relative")):
        with pytest.raises(Unreadable, match=r"\.$"):
            looked(path)
    os.symlink("/etc", tmp_path / "link")
    with pytest.raises(Unreadable, match="does not lie under"):
        looked(tmp_path / "link")


def test_links_and_pipes_in_a_maildir_are_not_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(mail(1))
    os.symlink(tmp_path / "secret", folder / "new" / "1772500000.link")
    os.mkfifo(folder / "new" / "1772500000.pipe")
    assert ids(looked(folder)) == []


def test_raw_mails_of_both_are_read_like_any_other() -> None:
    for slug in ("imap_mailbox", "maildir"):
        assert pulling(slug).parse(RawItem("1", mail(1)), settings={}).title == "No. 1"


@pytest.mark.django_db(transaction=True)
def test_a_maildir_is_asked_by_itself_and_its_mails_become_items(folder: Path) -> None:
    delivered(folder, "new/1772500000.a", 1)
    channel = make_channel("mails", kind="maildir")
    channel.settings = {"path": str(folder)}
    channel.save()
    polling.begin(channel)
    polling.ask_pending(at=AT)
    delivered(folder, "new/1772500001.b", 2)
    polling.ask_now(channel)
    polling.ask_pending(at=AT)
    normalizing.normalize_pending(at=AT)
    assert list(FeedbackItem.objects.order_by("pk").values_list("title", flat=True)) == ["No. 1", "No. 2"]
    assert Poll.objects.get().failures == 0


@pytest.mark.django_db(transaction=True)
def test_a_refused_password_stops_the_channel_with_what_to_do(server: Server) -> None:
    channel = make_channel("mails", kind="imap_mailbox")
    channel.settings = {"host": "127.0.0.1", "port": str(server.port), "user": "care", "security": "plain"}
    channel.secrets = {"password": "wrong"}
    channel.save()
    polling.begin(channel)
    polling.ask_pending(at=AT)
    poll = Poll.objects.get()
    assert poll.parked_at is not None
    assert "refuses the user name or the password" in poll.last_error
