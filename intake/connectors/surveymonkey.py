"""SurveyMonkey: responses as its API lists them, read with the details of their survey, and webhooks that only name them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from intake.connectors import connectors
from intake.connectors.answers import CONSENT, RATED, SCALE, Answers
from intake.connectors.base import Call, Draft, Ignored, RawItem, Setting, Unreadable
from intake.connectors.documents import HookedDocuments, list_at, moment_at, packed, text_at
from intake.connectors.documents import at as member
from intake.connectors.markup import text_of
from intake.connectors.signatures import check
from intake.connectors.social import gone, item, object_of

_SCALES = {11: "nps", 7: "csat7", 5: "csat5"}


@connectors.register
class SurveyMonkey(HookedDocuments):
    slug = "surveymonkey"
    name = "SurveyMonkey"
    asks = (
        Setting(
            "signing_secret",
            "Secret of your app",
            help="It stands beside the client id, on the app's page for developers. It signs every call.",
            is_secret=True,
            is_required=True,
        ),
        RATED,
        SCALE,
        CONSENT,
    )
    call_id = ("event_id",)

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        secret = secrets.get("signing_secret", "")
        # The call names the app; only its secret makes the key one that nobody else has.
        key = f"{call.headers.get('sm-apikey', '')}&{secret}" if secret else ""
        check(call.headers.get("sm-signature", ""), key, call.body, digest="sha1")

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        """A page of responses, one response, or a list of these; details of the survey may stand among them, or beside a page
        under `details`."""
        parts = found if isinstance(found, list) and found else [found]
        details = [part for part in (*parts, *(member(each, "details") for each in parts)) if _is_details(part)]
        questions = {
            text_at(question, "id"): question
            for survey in details
            for page in list_at(survey, "pages")
            for question in list_at(page, "questions")
        }
        titles = {text_at(survey, "id"): text_at(survey, "title") for survey in details}
        for part in parts:
            if _is_details(part):
                continue
            if text_at(part, "event_type"):
                yield _event(part)
                continue
            listed = member(part, "data", default=None)
            responses = listed if isinstance(listed, list) else [part]
            for response in responses:
                if not text_at(response, "id") or member(response, "pages", default=None) is None:
                    raise Unreadable(
                        "It is no response of SurveyMonkey with its answers. Send pages of responses/bulk, and the survey's"
                        " details beside them."
                    )
                yield _response(response, questions, titles)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        found = object_of(raw)
        if event := text_at(found, "event_type"):
            raise Ignored(
                f'It only says "{event[:40]}" of {text_at(found, "object_id")[:40] or "something"}. Fetch the answers from'
                " SurveyMonkey's API and import them."
            )
        response = member(found, "response", default={})
        status = text_at(response, "response_status")
        if status not in ("", "completed"):
            raise Ignored(f'The answers are not finished; their status is "{status[:40]}".')
        answers = Answers(settings)
        for page in list_at(response, "pages"):
            for answered in list_at(page, "questions"):
                _take(answers, answered, member(found, "questions", text_at(answered, "id"), default={}))
        answers.carry("email", text_at(response, "email_address"))
        answers.carry("name", " ".join(f"{text_at(response, n)}" for n in ("first_name", "last_name")).strip())
        answers.carry("customer_id", text_at(response, "custom_value"))
        variables = member(response, "custom_variables", default={})
        for name, value in variables.items() if isinstance(variables, Mapping) else ():
            answers.carry(str(name), value)
        answers.note("Survey", text_at(found, "survey"))
        sent_at, remarks = moment_at(response, "date_modified")
        return answers.draft(submitted_at=sent_at, remarks=remarks, url=text_at(response, "analyze_url"))


def _is_details(found: Any) -> bool:
    """A survey's questions, which stand where a response has its answers."""
    return any(
        "headings" in question or "family" in question
        for page in list_at(found, "pages")
        for question in list_at(page, "questions")
        if isinstance(question, Mapping)
    ) and not text_at(found, "response_status")


def _event(event: Any) -> RawItem:
    """What it names comes under an id of its own, so that the answers find their place free."""
    named = text_at(event, "object_id")
    if text_at(event, "event_type") == "response_deleted" and named:
        return gone(named)
    return item(f"event:{text_at(event, 'event_id')}" if text_at(event, "event_id") else "", event)


def _response(response: Any, questions: Mapping[str, Any], titles: Mapping[str, str]) -> RawItem:
    """With the questions it answers, so that it can be read by itself."""
    asked = {text_at(each, "id") for page in list_at(response, "pages") for each in list_at(page, "questions")}
    found = {
        "response": response,
        "questions": {name: questions[name] for name in sorted(asked & questions.keys())},
        "survey": titles.get(text_at(response, "survey_id"), ""),
    }
    changed, _ = moment_at(response, "date_modified")
    return RawItem(text_at(response, "id"), packed(found), updated_at=changed)


def _take(answers: Answers, answered: Any, question: Any) -> None:
    headings = list_at(question, "headings")
    number = text_at(answered, "id")
    heading = text_of(text_at(headings, 0, "heading") or text_at(answered, "heading")) or f"Question {number}"
    rows, choices = _words(question, "rows"), _words(question, "choices")
    columns = {
        text_at(choice, "id"): text_of(text_at(choice, "text"))
        for column in list_at(question, "answers", "cols")
        for choice in list_at(column, "choices")
    } | _words(question, "cols")
    steps = list_at(question, "answers", "choices") if text_at(question, "subtype") == "rating" else []
    steps = [step for step in steps if member(step, "is_na") is not True]
    scale = _SCALES.get(len(steps), "")
    chosen: dict[str, list[str]] = {}
    for answer in list_at(answered, "answers"):
        row = rows.get(text_at(answer, "row_id"), "")
        asked = f"{heading}: {row}" if row else heading
        choice = text_at(answer, "choice_id")
        place = next((place for place, step in enumerate(steps) if choice and text_at(step, "id") == choice), None)
        if place is not None and scale:
            answers.rate(asked, place if scale == "nps" else place + 1, names=(number, heading), scale=scale)
        elif choice:
            word = choices.get(choice) or columns.get(choice) or text_of(text_at(answer, "simple_text")) or choice
            column = columns.get(text_at(answer, "col_id"), "")
            chosen.setdefault(asked, []).append(f"{column}: {word}" if column and column != word else word)
        if not choice or text_at(answer, "text"):
            answers.say(asked, text_of(text_at(answer, "text")))
    for asked, words in chosen.items():
        answers.choose(asked, words)


def _words(question: Any, name: str) -> dict[str, str]:
    return {text_at(each, "id"): text_of(text_at(each, "text")) for each in list_at(question, "answers", name)}
