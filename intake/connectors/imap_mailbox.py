"""A mailbox on a mail server, read over IMAP; nothing in it is changed, marked or deleted.

IMAP is no HTTP, so this connector cannot ask through `ask`: it opens the mailbox itself, by the portal's one rule for what
may be called. What the server sends is bounded, and each mail is kept byte by byte and read later like any other.
"""

import imaplib
import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from imap_tools import BaseMailBox, ImapToolsError
from imap_tools.errors import MailboxFolderSelectError, MailboxLoginError

from feedback_portal import outgoing
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput
from intake.connectors import connectors, mails, mime
from intake.connectors.base import Ask, Page, PullConnector, RawItem, Request, Setting, Unreadable

MAILS_A_PAGE = 25
MAILS_A_RUN = 500
_SECONDS = 150.0
_MOST_BYTES = 20 * 1024 * 1024
# The last so many are remembered, for some servers let mails of the same moment be seen in any order.
_OVERLAP = 50
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PORTS = {"tls": 993, "starttls": 143, "plain": 143}
_UID = re.compile(rb"\bUID (\d{1,10})")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,12})")
# A server may send what is short and plain as a quoted text.
_QUOTED = re.compile(rb'BODY\[\](?:<0>)? "((?:[^"\\]|\\.)*)"')
_ARRIVED = re.compile(rb'\bINTERNALDATE "([^"]{1,40})"')


@connectors.register
class ImapMailbox(mails.MailConnector, PullConnector):
    slug = "imap_mailbox"
    name = marked("Mailbox (IMAP)")
    asks: ClassVar[tuple[Setting, ...]] = (
        Setting("host", "Mail server", help="As in imap.example.com.", is_required=True, is_called=True),
        Setting(
            "security",
            "Encryption",
            default="tls",
            choices=(
                ("tls", "TLS from the start (port 993)"),
                ("starttls", "TLS after STARTTLS (port 143)"),
                ("plain", "None: everybody on the way can read the password and the mails"),
            ),
        ),
        Setting("port", "Port", help="Where it is not the usual one."),
        Setting("user", "User name", is_required=True),
        Setting(
            "password", "Password", help="Or what is asked for below, where the server wants OAuth.", is_secret=True
        ),
        Setting("folder", "Folder", default="INBOX"),
        Setting("since", "Not before", help="The first day whose mails are taken, as in 2026-03-01. Empty takes all."),
        Setting("token_url", "OAuth: address of the token", help="For Gmail and Microsoft 365.", is_called=True),
        Setting("client_id", "OAuth: client id"),
        Setting("client_secret", "OAuth: client secret", is_secret=True),
        Setting("refresh_token", "OAuth: refresh token", is_secret=True),
        mails.OUR_ADDRESSES,
    )

    def pages(
        self,
        cursor: Mapping[str, Any],
        *,
        ask: Ask,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        at: datetime,
    ) -> Iterator[Page]:
        """By UID, which grows with every mail; where the server gave new ones to all, from the beginning, for what was
        taken is known by its Message-ID."""
        token = _access_token(ask, settings, secrets) if secrets.get("refresh_token") else ""
        with _opened(settings) as client, _in_words():
            box = _Box(client)
            _log_in(box, str(settings.get("user") or ""), secrets.get("password", ""), token)
            validity = _select(box, str(settings.get("folder") or "INBOX"))
            is_known = cursor.get("validity") == validity
            seen = [int(uid) for uid in cursor.get("seen") or ()] if is_known else []
            first = seen[0] if len(seen) >= _OVERLAP else 1
            found = sorted({int(uid) for uid in box.uids(f"UID {first}:*{_since(settings)}", charset=None)})
            # "n:*" gives the last mail even where it lies before n.
            waiting = [uid for uid in found if uid >= first and uid not in set(seen)][:MAILS_A_RUN]
            for uids in _portions(box, waiting):
                raws = [raw for uid, size in uids if (raw := _fetched(box, uid, size)) is not None]
                seen = sorted({*seen, *(uid for uid, _ in uids)})[-_OVERLAP:]
                yield Page(raws, {"validity": validity, "seen": seen})
            if not waiting and not is_known:
                yield Page([], {"validity": validity, "seen": seen})


class _Client(imaplib.IMAP4):
    """Speaks IMAP over a connection that is there already, and takes no more at once than one mail may be."""

    def __init__(self, host: str, connection: socket.socket) -> None:
        self._connection = connection
        super().__init__(host)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return self._connection

    def read(self, size: int) -> bytes:
        if size > mime.LONGEST_MAIL + mime.LONGEST_HEADERS:
            raise self.abort("the server sends more than it was asked for")
        return super().read(size)


class _Box(BaseMailBox):
    def __init__(self, client: imaplib.IMAP4) -> None:
        self._client = client
        super().__init__()

    def _get_mailbox_client(self) -> imaplib.IMAP4:
        return self._client


@contextmanager
def _opened(settings: Mapping[str, Any]) -> Iterator[imaplib.IMAP4]:
    host, security = str(settings.get("host") or "").strip(), str(settings.get("security") or "tls")
    port = str(settings.get("port") or _PORTS.get(security, 993))
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536 and security in _PORTS):
        raise BadInput("The channel names no port or no way of encryption. Correct its settings.")
    context = ssl.create_default_context()
    with outgoing.connected(host, int(port), seconds=_SECONDS) as connection, _in_words():
        client = _Client(
            host, context.wrap_socket(connection, server_hostname=host) if security == "tls" else connection
        )
        if security == "starttls":
            client.starttls(context)
        try:
            yield client
        finally:
            with suppress(imaplib.IMAP4.error, OSError):
                client.logout()


@contextmanager
def _in_words() -> Iterator[None]:
    """What a mail server does wrong, as a trouble that may pass."""
    try:
        yield
    except OSError:
        raise  # `connected` has words for these; a bad certificate is a ValueError as well
    except (imaplib.IMAP4.error, ImapToolsError, EOFError, ValueError, IndexError) as error:
        raise Unreadable(
            f"The mail server broke the conversation off ({str(error)[:200]}). It is asked again by itself."
        ) from None


def _log_in(box: _Box, user: str, password: str, token: str) -> None:
    if not _is_line(user) or not _is_line(password):
        raise BadInput("The user name or the password holds a line break. Enter both again in the channel's settings.")
    try:
        if token:
            box.xoauth2(user, token, initial_folder=None)
        elif (user + password).isascii():
            box.login(user, password, initial_folder=None)
        else:
            box.login_utf8(user, password, initial_folder=None)
    except (MailboxLoginError, imaplib.IMAP4.error) as error:
        if isinstance(error, imaplib.IMAP4.abort) or "UNAVAILABLE" in str(error).upper():
            raise
        raise BadInput(
            "The mail server refuses the user name or the password. Enter both again in the channel's settings, then"
            " start it again."
        ) from None


def _select(box: _Box, folder: str) -> str:
    if not _is_line(folder):
        raise BadInput("The name of the folder holds a line break. Enter it again in the channel's settings.")
    try:
        box.folder.set(folder, readonly=True)
    except MailboxFolderSelectError:
        raise BadInput(f'The mailbox has no folder "{folder[:100]}". Correct it in the channel\'s settings.') from None
    told = box.client.response("UIDVALIDITY")[1]
    return told[0].decode("ascii", "replace") if told and told[0] else ""


def _portions(box: _Box, uids: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
    """UIDs with the sizes of their mails, in pages that memory holds."""
    for begins in range(0, len(uids), MAILS_A_PAGE):
        some = uids[begins : begins + MAILS_A_PAGE]
        sizes = _sizes(box, some)
        page: list[tuple[int, int]] = []
        for uid in some:
            page.append((uid, sizes.get(uid, 0)))
            if sum(size for _, size in page) > _MOST_BYTES:
                yield page
                page = []
        if page:
            yield page


def _sizes(box: _Box, uids: Sequence[int]) -> dict[int, int]:
    sizes = {}
    for line in _asked(box, ",".join(map(str, uids)), "(UID RFC822.SIZE)"):
        head = line[0] if isinstance(line, tuple) else line
        uid, size = _UID.search(head or b""), _SIZE.search(head or b"")
        if uid and size:
            sizes[int(uid[1])] = int(size[1])
    return sizes


def _fetched(box: _Box, uid: int, size: int) -> RawItem | None:
    """One mail; of one that is too long, its beginning; None for one that is gone meanwhile."""
    is_long = size > mime.LONGEST_MAIL
    wanted = f"<0.{mime.LONGEST_HEADERS}>" if is_long else ""
    lines = _asked(box, str(uid), f"(UID INTERNALDATE BODY.PEEK[]{wanted})")
    told = b" ".join(each[0] if isinstance(each, tuple) else each for each in lines if each)
    content = next((each[1] for each in lines if isinstance(each, tuple)), None)
    if content is None and (quoted := _QUOTED.search(told)):
        content = re.sub(rb"\\(.)", rb"\1", quoted[1])
    return (
        None if content is None else mails.raw_mail(content, arrived_at=_arrived(told), size=size if is_long else None)
    )


def _asked(box: _Box, uids: str, what: str) -> Sequence[Any]:
    status, lines = box.client.uid("FETCH", uids, what)
    if status != "OK":
        raise box.client.error(f"FETCH was answered {status}")
    return lines


def _arrived(told: bytes) -> datetime | None:
    found = _ARRIVED.search(told)
    try:
        return datetime.strptime(found[1].decode("ascii").strip(), "%d-%b-%Y %H:%M:%S %z") if found else None
    except ValueError:
        return None


def _since(settings: Mapping[str, Any]) -> str:
    written = str(settings.get("since") or "").strip()
    if not written:
        return ""
    try:
        day = datetime.fromisoformat(written).date()
    except ValueError:
        raise BadInput(f'"{written[:40]}" is no day. Write it as 2026-03-01 in the channel\'s settings.') from None
    return f" SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year}"


def _access_token(ask: Ask, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    """A short-lived token for the one that was entered (OAuth 2.0, RFC 6749, 6)."""
    form = {
        "grant_type": "refresh_token",
        "refresh_token": secrets["refresh_token"],
        "client_id": str(settings.get("client_id") or ""),
        "client_secret": secrets.get("client_secret", ""),
    }
    head = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    answer = ask(Request(str(settings.get("token_url") or ""), "POST", head, urlencode(form).encode()))
    try:
        token = json.loads(answer.body).get("access_token")
    except (ValueError, AttributeError, RecursionError):
        token = None
    if not isinstance(token, str) or not _is_line(token) or not token:
        raise Unreadable("The address of the token gives none. Check the OAuth settings of the channel.")
    return token


def _is_line(text: str) -> bool:
    return not any(letter in text for letter in "\r\n\x00")
