"""Google Forms: the responses to one form, asked of its API, or pages of it that somebody saved."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from feedback_portal.marking import marked
from intake.connectors import connectors
from intake.connectors.answers import CONSENT, RATED, SCALE, Answers
from intake.connectors.base import Ask, Draft, Ignored, Page, PullConnector, RawItem, Request, Setting, Unreadable
from intake.connectors.documents import DocumentConnector, document, list_at, moment_at, packed, text_at
from intake.connectors.documents import at as member
from intake.connectors.google_keys import access
from intake.connectors.social import item, object_of, wanted

_API = "https://forms.googleapis.com/v1/forms/"
_RIGHTS = "https://www.googleapis.com/auth/forms.body.readonly https://www.googleapis.com/auth/forms.responses.readonly"
PAGE = "1000"
# Google forgets where a walk stood.
_PLACE_HOLDS = timedelta(hours=1)
_SCALES = {(0, 10): "nps", (1, 5): "csat5", (1, 7): "csat7"}
_STARS = {5: "stars5", 7: "csat7"}


@connectors.register
class GoogleForms(DocumentConnector, PullConnector):
    """A file may hold the form itself beside its responses, as [form, page], so that answers have their questions."""

    slug = "google_forms"
    name = marked("Google Forms (API)")
    asks = (
        Setting("form_id", "Form id", help="It stands in the form's address between /d/ and /edit.", is_required=True),
        Setting(
            "service_account",
            "Key of a service account",
            help="The content of its JSON key file. Share the form with the account's address.",
            is_secret=True,
            is_required=True,
        ),
        RATED,
        SCALE,
        CONSENT,
    )

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        parts = found if isinstance(found, list) and found else [found]
        questions: dict[str, Any] = {}
        for part in parts:
            questions |= _questions(part)
        for part in parts:
            if isinstance(member(part, "message", default=None), Mapping):
                yield item("", part)
            elif isinstance(member(part, "responses", default=None), list):
                yield from (_raw(response, questions) for response in list_at(part, "responses"))
            elif text_at(part, "responseId"):
                yield _raw(part, questions)
            elif not isinstance(member(part, "items", default=None), list):
                raise Unreadable("It holds no responses of Google Forms. Send what forms.responses.list gives.")

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        found = object_of(raw)
        if "message" in found:
            raise Ignored("It only says that somebody answered the form, and not what.")
        response = member(found, "response", default=None)
        if not text_at(response, "responseId"):
            raise Unreadable("It is no response of Google Forms. Send what forms.responses.list gives.")
        given = member(response, "answers", default={})
        if not isinstance(given, Mapping):
            raise Unreadable("The answers of this response cannot be read. Send what forms.responses.list gives.")
        answers = Answers(settings)
        # The API gives them in no order, the form in the one they were asked in.
        questions = {text_at(each, "questionId"): each for each in list_at(found, "questions")}
        for name in dict.fromkeys((*(name for name in questions if name in given), *given)):
            _take(answers, name, given[name], questions.get(name, {}))
        answers.carry("email", text_at(response, "respondentEmail"))
        sent_at, remarks = moment_at(response, "lastSubmittedTime")
        return answers.draft(submitted_at=sent_at, remarks=remarks)

    def pages(
        self,
        cursor: Mapping[str, Any],
        *,
        ask: Ask,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        at: datetime,
    ) -> Iterator[Page]:
        form = _API + quote(wanted(settings, "form_id", "which form to read"), safe="")
        token = access(ask, secrets.get("service_account", ""), right=_RIGHTS, at=at)
        headers = {"Authorization": f"Bearer {token}"}
        questions = _questions(_told(ask, form, headers))
        known = text_at(cursor, "known")
        newest, page = text_at(cursor, "newest") or known, text_at(cursor, "page")
        if page and at - datetime.fromisoformat(cursor["left"]) > _PLACE_HOLDS:
            newest, page = known, ""
        while True:
            asked = {"pageSize": PAGE, "pageToken": page, "filter": f"timestamp >= {known}" if known else ""}
            query = urlencode({name: value for name, value in asked.items() if value})
            found = _told(ask, f"{form}/responses?{query}", headers)
            responses = list_at(found, "responses")
            newest = max([newest, *(text_at(each, "lastSubmittedTime") for each in responses)])
            page = text_at(found, "nextPageToken")
            # Nobody promises an order, so only a whole walk moves the mark.
            place = {"known": known, "newest": newest, "page": page, "left": at.isoformat()}
            yield Page([_raw(each, questions) for each in responses], place if page else {"known": newest})
            if not page:
                return


def _told(ask: Ask, address: str, headers: Mapping[str, str]) -> Any:
    answer = ask(Request(address, headers=headers))
    if answer.status != 200:
        raise Unreadable("Google knows no such form. Check the form id, and share the form with the service account.")
    return document(answer.body)


def _raw(response: Any, questions: Mapping[str, Any]) -> RawItem:
    """With the questions it answers, so that it can be read by itself."""
    number = text_at(response, "responseId")
    if not number:
        raise Unreadable("One of its responses has no id. Send the page as Google's API gave it.")
    given = member(response, "answers", default={})
    asked = [question for name, question in questions.items() if name in given]
    changed, _ = moment_at(response, "lastSubmittedTime")
    return RawItem(number, packed({"response": response, "questions": asked}), updated_at=changed)


def _questions(form: Any) -> dict[str, Any]:
    """By their ids, in the order they are asked: the words, and what kind of answer each wants."""
    found = {}
    for each in list_at(form, "items"):
        title = text_at(each, "title")
        single = member(each, "questionItem", "question", default=None)
        for question in [single] if single else list_at(each, "questionGroupItem", "questions"):
            row = text_at(question, "rowQuestion", "title")
            wording = f"{title}: {row}" if title and row else title or row
            found[text_at(question, "questionId")] = {**question, "title": wording}
    return found


def _take(answers: Answers, name: str, given: Any, question: Any) -> None:
    asked = text_at(question, "title") or f"Question {name}"
    values = [text_at(each, "value") for each in list_at(given, "textAnswers", "answers")]
    values = [value for value in values if value.strip()]
    files = [text_at(each, "fileName") for each in list_at(given, "fileUploadAnswers", "answers")]
    names = (name, text_at(question, "title"))
    low, high = (member(question, "scaleQuestion", end, default=0) for end in ("low", "high"))
    stars = member(question, "ratingQuestion", "ratingScaleLevel", default=0)
    if files:
        answers.note(asked, files)
    elif member(question, "scaleQuestion", default=None) and values:
        answers.rate(asked, values[0], names=names, scale=_SCALES.get((low, high), ""))
    elif member(question, "ratingQuestion", default=None) and values:
        answers.rate(asked, values[0], names=names, scale=_STARS.get(stars, ""))
    elif member(question, "textQuestion", default=None) is not None or (not question and len(values) == 1):
        _say(answers, asked, names, values)
    else:
        answers.choose(asked, values)


def _say(answers: Answers, asked: str, names: tuple[str, str], values: list[str]) -> None:
    """In their own words; a bare number is one that only the form would explain."""
    for value in values:
        if value.strip().isdecimal():
            answers.rate(asked, value, names=names)
        else:
            answers.say(asked, value)
