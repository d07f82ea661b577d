"""A form in another language says everything in it: its own words, and the ones around it."""

import re
from dataclasses import asdict, replace
from datetime import timedelta
from string import Formatter

import pytest
from django.test import Client
from django.utils import timezone

from intake import surveys
from intake.form_words import WORDS, words_in
from intake.forms import AnswersForm
from intake.models import Form
from intake.questions import Definition, Option, Question
from intake.show_if import Condition, ShowIf

ASKED = Definition(
    title="After your repair",
    questions=(
        Question("rating", "scale", "How was it?", scale="csat5", faces=True, required=True),
        Question("what", "text", "What went wrong?", place="text", show_if=ShowIf((Condition("rating", "at_most", "2"),))),
        Question("about", "choice", "What about?", options=(Option("time", "Time"), Option("work", "Work"))),
        Question("photo", "file", "A photo"),
        Question("contact", "contact", "How can we reach you?", asks=("name", "email", "phone")),
        Question("agree", "consent", "You may write to me."),
    ),
)  # fmt: skip
SAID = {
    "title": "Nach der Reparatur",
    "questions": {
        "rating": {"label": "Wie war es?"},
        "what": {"label": "Was ging schief?"},
        "about": {"label": "Worum geht es?", "options": {"time": "Dauer", "work": "Arbeit"}},
        "photo": {"label": "Ein Foto"},
        "contact": {"label": "Wie erreichen wir Sie?"},
        "agree": {"label": "Sie dürfen mir schreiben."},
    },
}


def texts(language: str) -> dict[str, str]:
    """Every text of a language by its place, those in lists too."""
    found = {}
    for name, said in asdict(words_in(language)).items():
        for place, each in enumerate([said] if isinstance(said, str) else said):
            found |= {
                f"{name}.{place}.{part}": text for part, text in enumerate([each] if isinstance(each, str) else each)
            }
    return found


@pytest.mark.parametrize("language", WORDS)
def test_every_language_fills_in_the_same_places(language: str) -> None:
    def places(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    for name, text in texts(language).items():
        assert text.strip(), name
        assert places(text) == places(texts("en")[name]), name


@pytest.fixture
def form(db: None) -> Form:
    asked = replace(ASKED, translations={"de": SAID, "ar": {"title": "بعد الإصلاح"}})
    return surveys.create_form("after-repair", name="After a repair", definition=asked)


def english(page: str) -> list[str]:
    """The words of ours that stand on a page in English, sentences by their longest piece that nothing is filled into."""
    pieces = {
        max(re.split(r"\{\w+\}", text), key=len).strip()
        for name, text in texts("en").items()
        if not name.startswith("day")
    }
    shown = re.sub(r"<[^>]+>", lambda tag: " ".join(re.findall(r'(?:data-words|data-write|data-choose|data-address|data-copied|aria-label)="([^"]*)"', tag[0])) + "|", page)  # fmt: skip
    ours = {piece for piece in pieces if piece not in texts("de").values()}
    return sorted(piece for piece in ours if re.search(rf"(?<!\w){re.escape(piece)}(?!\w)", shown))


def test_a_form_in_german_reads_german_throughout(form: Form, client: Client) -> None:
    page = client.get("/f/after-repair/?lang=de").content.decode()
    assert english(client.get("/f/after-repair/").content.decode())
    assert english(page) == []
    assert "Nur wenn „Wie war es?“ höchstens mit „2“ beantwortet ist." in page

    sheet = surveys.hand_out(form, at=timezone.now() - timedelta(minutes=1))
    wrong = {"token": sheet.token(), "homepage": "", "email": "ana", "about": "nothing"}
    refused = client.post("/f/after-repair/?lang=de", wrong)
    assert refused.status_code == 400
    assert english(refused.content.decode()) == []
    assert "3 Antworten brauchen noch einen Blick" in refused.content.decode()

    thanked = client.post(
        "/f/after-repair/?lang=de", {"token": sheet.token(), "homepage": "", "rating": "5"}, follow=True
    )
    assert thanked.status_code == 200
    assert english(thanked.content.decode()) == []
    assert re.search(r"Ein Mensch liest es bis (Mon|Diens|Mittwoch|Donners|Frei|Sams|Sonn)", thanked.content.decode())


def test_arabic_runs_from_right_to_left(form: Form, client: Client) -> None:
    page = client.get("/f/after-repair/?lang=ar").content.decode()

    assert '<html lang="ar" dir="rtl"' in page
    assert words_in("ar").send in page


def test_a_face_never_stands_without_a_word() -> None:
    shown = AnswersForm(ASKED.in_language("en")).drawn()[0]
    assert [option["label"] for option in shown["options"]] == ["Bad", "Poor", "Fair", "Good", "Great"]


def test_where_nobody_has_written_the_words_they_are_english() -> None:
    assert words_in("tlh") == WORDS["en"]
    assert words_in("de-AT") == WORDS["de"]
