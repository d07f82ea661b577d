"""A mail as its sender wrote it, what they quoted and signed with included: read again from the bytes that arrived."""

from dataclasses import dataclass

from django.utils.translation import gettext

from feedback_portal.marking import marked
from feedback_portal.refusals import NotFound, Refused
from intake import personal_data
from intake.cleaning import clean_line, clean_text
from intake.connectors import mails, mime
from intake.connectors.base import Unreadable
from intake.models import Submission

# Personal data is looked for so far and no further, so what lies behind it is not shown.
LONGEST_SHOWN = personal_data.LONGEST_SEARCHED
_HEAD = ("From", "To", "Cc", "Date", "Subject")


class NotShown(Refused):
    status = 409
    code = "not-shown"
    title = marked("This mail cannot be shown whole")


@dataclass(frozen=True)
class WholeMail:
    """Header fields as (name, words), and all of its text; one that is longer than is shown ends in a mark."""

    head: tuple[tuple[str, str], ...]
    text: str


def is_mail(submission: Submission) -> bool:
    return submission.content_type == mails.CONTENT_TYPE


def whole_mail(submission: Submission) -> WholeMail:
    """`NotShown` where its bytes are sealed, gone or broken. Personal data is masked as the channel wants it: what was quoted
    is in no item, so nobody looked through it before. The channel must be loaded."""
    if not is_mail(submission):
        raise NotFound(gettext("This did not come by mail, so there is no more of it. Go back to the item."))
    if submission.is_sealed:
        raise NotShown(
            gettext("It holds personal data, so it is kept sealed. What it says without them stands on the item.")
        )
    payload = bytes(submission.payload)
    if not payload:
        raise NotShown(gettext("It was deleted, or is kept no longer. What is left of it stands on the item."))
    try:
        mail = mime.mail_of(payload)
    except Unreadable as reason:
        raise NotShown(str(reason)) from None
    said = "\n\n".join(part for part in (mail.text.strip(), *mail.forwarded) if part)
    text = clean_text(said, longest=LONGEST_SHOWN)
    head = [(name, clean_line(mail.headers.text(name.lower()), longest=1000)) for name in _HEAD]
    if submission.channel.settings.get("personal_data", "mask") != "off":
        region = str(submission.channel.settings.get("region", ""))
        text, _ = personal_data.mask(text, region=region)
        head = [
            (name, personal_data.mask(words, region=region)[0] if name == "Subject" else words) for name, words in head
        ]
    return WholeMail(tuple(each for each in head if each[1]), text)
