"""A maildir on this machine, as mail servers deliver into: read, never changed."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from feedback_portal.marking import marked
from intake.connectors import connectors, mails, mime
from intake.connectors.base import Ask, Page, PullConnector, RawItem, Setting, Unreadable

# Below it lie all folders that may be read, where whoever runs the portal names one.
ALLOWED_BELOW = "PORTAL_MAIL_IMPORT_DIR"
MAILS_A_PAGE = 50
PAGES_A_RUN = 20
_MOST_BYTES = 20 * 1024 * 1024
_FOLDERS = ("new", "cur")
_SECONDS = re.compile(r"\d{1,12}")
# The last so many are remembered by name, for deliveries of the same moment come into sight in any order.
_OVERLAP = 200


@connectors.register
class Maildir(mails.MailConnector, PullConnector):
    slug = "maildir"
    name = marked("Maildir on this machine")
    every = timedelta(minutes=1)
    asks: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "path",
            "Folder",
            help="The folder that holds new and cur, as the portal's processes see it. Nothing in it is changed.",
            is_required=True,
        ),
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
        """By name, which begins with the second of delivery and keeps its beginning when a mail is read."""
        folder = _folder(str(settings.get("path") or ""))
        seen = [str(name) for name in cursor.get("seen") or ()]
        first = _key(seen[0]) if len(seen) >= _OVERLAP else (0, "")
        known = set(seen)
        waiting = [each for each in _names(folder) if _key(each[0]) >= first and each[0] not in known]
        for begins in range(0, min(len(waiting), PAGES_A_RUN * MAILS_A_PAGE), MAILS_A_PAGE):
            page = waiting[begins : begins + MAILS_A_PAGE]
            before = seen
            seen = sorted({*seen, *(name for name, _ in page)}, key=_key)[-_OVERLAP:]
            for some, is_last in _portions(folder, page):
                yield Page(some, {"seen": seen if is_last else before})


def _portions(folder: Path, page: list[tuple[str, Path]]) -> Iterator[tuple[list[RawItem], bool]]:
    """The mails of a page, in portions that memory holds; True with the last of them."""
    some: list[RawItem] = []
    for name, path in page:
        found = _mail(path) or _mail(folder / "cur" / _moved_to(folder, name))
        if found is not None:
            some.append(found)
        if sum(len(each.payload) for each in some) > _MOST_BYTES:
            yield some, False
            some = []
    yield some, True


def _folder(path: str) -> Path:
    if not path.startswith("/"):
        raise Unreadable("The channel names no folder. Enter its whole path, as in /var/mail/care, in its settings.")
    folder = Path(path).resolve()
    allowed = os.environ.get(ALLOWED_BELOW, "")
    if allowed and not folder.is_relative_to(Path(allowed).resolve()):
        raise Unreadable(f"{path} does not lie under {allowed}, where mail may be read. Enter a folder that does.")
    if not any((folder / name).is_dir() for name in _FOLDERS):
        raise Unreadable(f"{path} is no maildir: it holds neither new nor cur. Correct the channel's settings.")
    return folder


def _names(folder: Path) -> list[tuple[str, Path]]:
    """Every mail by the part of its name that stays, in the order of delivery."""
    found: dict[str, Path] = {}
    for name in _FOLDERS:
        try:
            with os.scandir(folder / name) as entries:
                found |= {
                    entry.name.partition(":")[0]: Path(entry.path)
                    for entry in entries
                    if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False)
                }
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Unreadable(
                f"{folder / name} cannot be read ({error.strerror}). Let the portal's account read it."
            ) from None
    return sorted(found.items(), key=lambda each: _key(each[0]))


def _mail(path: Path) -> RawItem | None:
    try:
        # Neither a link that was put there since nor a pipe that nobody writes to is read.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(number, "rb") as file:
        about = os.fstat(number)
        if not stat.S_ISREG(about.st_mode):
            return None
        if about.st_size > mime.LONGEST_MAIL:
            return mails.raw_mail(file.read(mime.LONGEST_HEADERS), size=about.st_size)
        return mails.raw_mail(file.read(mime.LONGEST_MAIL))


def _key(name: str) -> tuple[int, str]:
    seconds = _SECONDS.match(name)
    return int(seconds[0]) if seconds else 0, name


def _moved_to(folder: Path, name: str) -> str:
    """The name it has since somebody read it; a name that nothing has where it was deleted."""
    try:
        return next((each for each in os.listdir(folder / "cur") if each.partition(":")[0] == name), name)
    except OSError:
        return name
