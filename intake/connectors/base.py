"""What a connector is: pure translation from a channel's bytes into drafts of feedback. No ORM, no Django, no clock."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, BinaryIO, ClassVar


class Unreadable(Exception):
    """The payload cannot become feedback; the sentence says why, and is shown to staff beside the raw bytes.

    `place` names the column or member that is to blame, where one is.
    """

    def __init__(self, reason: str, *, place: str = "") -> None:
        super().__init__(reason)
        self.place = place


class Ignored(Exception):
    """The payload is understood and holds no feedback (a test ping, an event of another kind); it is kept and replayable."""


@dataclass(frozen=True)
class RawItem:
    """One thing as it arrived: the sender's own id for it, and its bytes.

    `updated_at` is the source's own time of this version: a later one replaces what came before under the same id, an
    earlier or missing one does not. `is_gone` says that the source deleted it; the payload is then not kept, and the same
    id brings nothing back.
    """

    external_id: str
    payload: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    updated_at: datetime | None = None
    is_gone: bool = False


@dataclass(frozen=True)
class Rating:
    """A rating on a named scale; `value` is on that scale, never rescaled."""

    scale: str
    value: Decimal


# The scales and their ends. A new scale is a line here.
SCALES: Mapping[str, tuple[int, int]] = {
    "nps": (0, 10),
    "csat5": (1, 5),
    "csat7": (1, 7),
    "ces7": (1, 7),
    "ces5": (1, 5),
    "stars5": (1, 5),
    "thumbs": (0, 1),
}


@dataclass(frozen=True)
class Sender:
    """Who said it, as far as the channel knows."""

    external_id: str = ""
    email: str = ""
    name: str = ""
    account_external_id: str = ""
    account_name: str = ""
    # Whether they agreed to be written to about this item.
    may_contact: bool = False


@dataclass(frozen=True)
class File:
    """A file that came with the payload, already taken out of it."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Remark:
    """What was left out of a draft and why: nobody's words are refused for the sake of a date beside them."""

    place: str
    reason: str


@dataclass(frozen=True)
class Draft:
    """Feedback as a connector read it; `normalizing` cleans its text, finds the customer and stores it.

    Either `text`, `title` or `rating` must be there, or the draft is no feedback. `remarks` are for whoever imports it.
    """

    text: str = ""
    title: str = ""
    rating: Rating | None = None
    sender: Sender = Sender()
    language: str = ""
    product: str = ""
    product_version: str = ""
    url: str = ""
    submitted_at: datetime | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    files: tuple[File, ...] = ()
    remarks: tuple[Remark, ...] = ()
    # As shown beside a public post; never looked up anywhere.
    author: str = ""
    # The sender's ids of the conversation it belongs to, and of what it answers.
    thread: str = ""
    reply_to: str = ""
    # Said to us alone (a private note, a direct message): never on a public page.
    is_private: bool = False


@dataclass(frozen=True)
class Setting:
    """One thing a channel of this kind is told when it is set up; the page that asks for it is drawn from this.

    Secrets are kept sealed and never shown again. `choices` are (value, words) pairs; without any it is a line of text.
    """

    name: str
    label: str
    help: str = ""
    is_secret: bool = False
    is_required: bool = False
    # A host or an address that is called, so one inside our own network is refused when it is entered.
    is_called: bool = False
    default: str = ""
    choices: tuple[tuple[str, str], ...] = ()


class Connector(ABC):
    """One kind of channel. Subclass in one new file under `intake/connectors/`, decorate with `@connectors.register`, put
    recorded payloads under `tests/intake/payloads/<slug>/`, and the portal knows the kind: no migration, no URL, no setting.

    `parse` gets one submission's bytes and the channel's settings and returns its draft, or raises `Unreadable` or
    `Ignored`. It must be pure and bounded: the same bytes give the same draft, for the raw bytes are replayed
    through newer versions. Raise `version` when the meaning of what it returns changes.
    """

    slug: ClassVar[str]
    name: ClassVar[str]
    version: ClassVar[int] = 1
    # What whoever sets such a channel up is asked; values are texts, in `Channel.settings` and, sealed, `Channel.secrets`.
    asks: ClassVar[tuple[Setting, ...]] = ()
    # Whether a channel of this kind is added on the channels' page; a form brings its own.
    is_offered: ClassVar[bool] = True

    @abstractmethod
    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        """The draft of one submission's bytes."""


@dataclass(frozen=True)
class Row:
    """One thing a file holds; `number` is its place as a person counts, the header being 1, `cells` how it stands there."""

    number: int
    raw: RawItem
    cells: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BadRow:
    """A place in a file that cannot be taken apart; `column` is empty when the row as a whole is to blame, `cells` when
    they cannot be told."""

    number: int
    reason: str
    column: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)


class FileConnector(Connector):
    """A connector whose channel is fed by files: `rows` splits a file into raw items, each then parsed like any other.

    `rows` reads a seekable file from its start, as often as it is asked, in bounded memory, and gives the same items each
    time: an id comes from the row, so that the same file sent again is known again. It raises `Unreadable` where the file
    as a whole cannot be read.
    """

    extensions: ClassVar[tuple[str, ...]]
    # It reads whatever a person has, not one vendor's files alone: the ending of a name is enough to choose it.
    is_general: ClassVar[bool] = False

    @abstractmethod
    def rows(self, file: BinaryIO, *, settings: Mapping[str, Any]) -> Generator[Row | BadRow, None, None]:
        """Everything the file holds, in its order."""


class Forged(Exception):
    """The call does not come from whom it says, or is too old to tell; nothing of it is kept."""


@dataclass(frozen=True)
class Call:
    """One HTTP call from outside as it arrived: the public address it was made to, header names in lower case, the bytes."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What a caller is told with the status 200."""

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


class PushConnector(Connector):
    """A connector whose sender calls us at `/hooks/<key>/`, where the key alone is hard to guess.

    `verify` works on the raw bytes, before anything is parsed. What verified is kept and taken apart later by `split`, so a
    newer version of the connector can take it apart again. Beside the secrets stand the texts of the channel's settings, for
    how a sender signs may be among what the channel is told.
    """

    # How long a call may be, in bytes.
    largest: ClassVar[int] = 1024 * 1024

    @abstractmethod
    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        """Raise `Forged` unless the sender's signature holds."""

    def handshake(self, call: Call, *, secrets: Mapping[str, str]) -> bytes | None:
        """The answer to a call that only asks whether we are there; None for a call that tells something."""
        return b"" if call.method in ("GET", "HEAD") else None

    def delivery_id(self, call: Call) -> str:
        """What a second try of the same call has in common with the first."""
        return hashlib.sha256(call.body).hexdigest()

    def answer(self, call: Call) -> Reply:
        """What a call is told once it is stored, where its sender waits for more than that it arrived."""
        return Reply()

    @abstractmethod
    def split(self, call: Call, *, settings: Mapping[str, Any]) -> Iterable[RawItem]:
        """What a verified call holds. `Ignored` for an event that is none of ours, `Unreadable` for a body that is broken."""


@dataclass(frozen=True)
class Request:
    """One question to a system outside."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    # Reasons for which the source may refuse this one thing while all else goes on; such a refusal is an answer.
    may_refuse: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What it said. Header names in lower case. Refusals, limits and breakdowns never reach a connector: they are raised
    through it by whoever asks on its behalf. 404 and 410 do, since there they mean something, and what it `may_refuse`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Ask = Callable[[Request], Answer]


@dataclass(frozen=True)
class Page:
    """Some of what a source holds, and where to go on once it is stored."""

    raws: Sequence[RawItem]
    cursor: Mapping[str, Any]


class PullConnector(Connector):
    """A connector that asks its source now and then. `cursor` is whatever the last stored page gave, {} at first; time
    windows overlap, for what comes twice is known by its id."""

    every: ClassVar[timedelta] = timedelta(minutes=5)

    @abstractmethod
    def pages(
        self,
        cursor: Mapping[str, Any],
        *,
        ask: Ask,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        at: datetime,
    ) -> Iterator[Page]:
        """Page after page of what is new, each with the cursor to keep once it is stored; ends when there is no more."""
