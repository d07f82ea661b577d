"""What a page sent, whole: half a text that looks like all of it is worse than none."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, QueryDict, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext

from feedback_portal.edge import UnsupportedMedia
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, Refused
from intake.attachments import LONGEST_FILE, MOST_FILES

if TYPE_CHECKING:
    Files = MultiValueDict[str, UploadedFile[Any]]

# Files, and room for the texts and what lies between.
LONGEST_POST = MOST_FILES * LONGEST_FILE + 3 * 1024 * 1024


class PostTooLarge(Refused):
    status = 413
    code = "too-large"
    title = marked("This is too much at once")


class PostBroken(BadInput):
    code = "broken-post"
    title = marked("What you sent did not arrive in one piece")


def posted(request: HttpRequest) -> tuple[QueryDict, "Files"]:
    """The fields and files that a page sent, whole. A connection that broke in the middle of a text would otherwise leave
    half a text that looks like all of it."""
    if request.content_type not in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        raise UnsupportedMedia(gettext("Open the form in a browser and send it from there."))
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length > LONGEST_POST:
        raise _too_large()
    try:
        if request.content_type == "multipart/form-data":
            body = _Counted(request)
            found = request.parse_file_upload(request.META, body)  # type: ignore[arg-type]
            arrived, ending = body.size, body.ending
        else:
            found = request.POST, MultiValueDict()
            arrived, ending = len(request.body), b"--"
    except RequestDataTooBig:
        raise _too_large() from None
    except (TooManyFieldsSent, TooManyFilesSent, MultiPartParserError, UnreadablePostError):
        raise _broken() from None
    if arrived < length or not ending.rstrip().endswith(b"--"):
        raise _broken()
    return found


class _Counted:
    """A request's body that remembers how much of it came, and its last bytes."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.size = 0
        self.ending = b""

    def read(self, size: int | None = None) -> bytes:
        block: bytes = self._request.read(size)
        self.size += len(block)
        self.ending = (self.ending + block)[-8:]
        return block


def _too_large() -> PostTooLarge:
    most = LONGEST_FILE // 1024 // 1024
    return PostTooLarge(
        gettext("Go back and send less: a shorter text, or at most %(most_files)s files of %(most)s MB each.")
        % {"most_files": MOST_FILES, "most": most}
    )


def _broken() -> PostBroken:
    return PostBroken(gettext("Go back and send it again: what you wrote is still there."))
