"""Forms made in the browser: each button keeps what was typed, and nobody outside sees it before it is published."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role
from feedback_portal.refusals import BadInput
from intake import publishing, receiving, surveys
from intake.connectors.base import RawItem
from intake.form_changes import changes
from intake.models import Form
from intake.questions import Definition, Option, Question, as_json, read_definition
from intake.show_if import Condition, ShowIf
from tests.makers import make_person

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
URL = "/settings/forms/feedback/"


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(make_person("Ada", role=Role.ADMIN))
    return client


@pytest.fixture
def form() -> Form:
    return Form.objects.select_related("channel", "current").get(slug="feedback")


class Sheet:
    """What a browser would send: the fields of the page as they stand, and what a person changes in them."""

    def __init__(self, page: Any) -> None:
        html = page.content.decode()
        inside = html[html.index('class="builder-form"') : html.index("</form>", html.index('class="builder-form"'))]
        self.fields: dict[str, list[str]] = {}
        for tag in re.findall(r"<input[^>]*>", inside):
            said = {name: unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
            if said.get("type") not in {"checkbox", "radio"} or re.search(r"\schecked\b", tag):
                self.fields.setdefault(said["name"], []).append(said.get("value", "on"))
        for name, text in re.findall(r'<textarea name="([^"]+)"[^>]*>([^<]*)</textarea>', inside):
            self.fields[name] = [unescape(text)]
        for name, options in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', inside, re.DOTALL):
            values = re.findall(r'<option value="([^"]*)"[^>]*?( selected)?>', options)
            self.fields[name] = [unescape(next((value for value, chosen in values if chosen), values[0][0]))]

    def post(self, client: Client, do: str, *, to: str = URL, without: str = "", **changed: Any) -> Any:
        typed = {name.replace("__", "."): value for name, value in changed.items()}
        fields = {name: values for name, values in self.fields.items() if name != without}
        return client.post(to, fields | typed | {"do": do})


def sheet(client: Client, url: str = URL) -> Sheet:
    return Sheet(client.get(url))


def draft(slug: str = "feedback") -> Definition:
    return publishing.working(Form.objects.select_related("current").get(slug=slug))


WHOLE = Definition(
    title="After a <repair>",
    intro="One question\nis enough.",
    privacy_url="https://example.com/privacy",
    submit_label="Go",
    questions=(
        Question("how", "scale", "How was it?", scale="csat5", faces=True, required=True, low_label="Bad", options=(Option("1", "Bad"),)),
        Question("nps", "scale", "Recommend us?", scale="nps", options=(Option("10", "Sure"),)),
        Question("why", "choice", "Why?", multiple=True, options=(Option("a.b", "It leaks", "Water"), Option("noise"))),
        Question("text", "text", "What happened?", place="text", long=True, max_length=900, help="All of it",
                 show_if=ShowIf((Condition("how", "at_most", "3"), Condition("why", "is", "a.b")), any=True)),
        Question("photo", "file", "A photo", show_if=ShowIf((Condition("text", "is_answered"),))),
        Question("reach", "contact", "How to reach you?", asks=("name", "phone")),
        Question("agreed", "consent", "You may write to me."),
        Question("order", "context"),
    ),
    translations={
        "de": {"title": "Nach der Reparatur", "questions": {"how": {"label": "Wie war es?", "options": {"1": "Schlecht"}}, "why": {"options": {"a.b": "Es leckt"}}, "nps": {"options": {"10": "Klar"}}}},
        "fr": {"title": "Après la réparation"},
    },
)  # fmt: skip


@pytest.mark.parametrize("language", ["", "?beside=de", "?beside=fr"])
def test_saving_a_page_as_it_stands_changes_nothing(client: Client, form: Form, language: str) -> None:
    surveys.publish(form, read_definition(as_json(WHOLE)))

    assert sheet(client, URL + language).post(client, "save", to=URL + language).status_code == 302

    form.refresh_from_db()
    assert form.draft is None
    assert draft() == WHOLE


class TestDraft:
    def test_it_is_seen_by_nobody_until_it_is_published(self, client: Client, form: Form) -> None:
        sheet(client).post(client, "save", title="What do you think?")

        assert draft().title == "What do you think?"
        assert "What do you think?" not in client.get("/f/feedback/").content.decode()
        assert "Changes not published" in client.get("/settings/forms/").content.decode()

        sheet(client).post(client, "publish")
        form.refresh_from_db()
        assert (form.draft, form.current and form.current.number) == (None, 2)
        assert "What do you think?" in client.get("/f/feedback/").content.decode()

    def test_changing_it_back_leaves_no_draft(self, client: Client, form: Form) -> None:
        sheet(client).post(client, "save", title="Another")
        sheet(client).post(client, "save", title=surveys.FIRST_FORM.title)

        form.refresh_from_db()
        assert form.draft is None

    def test_of_two_writers_the_second_is_asked_first(self, client: Client) -> None:
        mine, theirs = sheet(client), sheet(client)
        theirs.post(client, "save", title="Theirs")
        refused = mine.post(client, "save", title="Mine")

        assert refused.status_code == 422
        assert "Somebody else saved this form" in refused.content.decode()
        assert draft().title == "Theirs"

        Sheet(refused).post(client, "save")
        assert draft().title == "Mine"

    def test_a_mistake_of_another_kind_does_not_replace_somebody_elses_draft(self, client: Client) -> None:
        mine = sheet(client)
        sheet(client).post(client, "save", title="Theirs")
        again = Sheet(mine.post(client, "save", title=""))

        assert again.post(client, "save", title="Mine").status_code == 422
        assert draft().title == "Theirs"

    def test_it_can_be_discarded(self, client: Client, form: Form) -> None:
        sheet(client).post(client, "save", title="Another")
        client.post(URL + "sharing/", {"do": "discard"})

        assert draft() == surveys.FIRST_FORM

    def test_publishing_from_elsewhere_leaves_it(self, client: Client, form: Form) -> None:
        sheet(client).post(client, "save", title="Another")
        surveys.publish(form, Definition(title="Elsewhere", questions=surveys.FIRST_FORM.questions))

        assert draft().title == "Another"


class TestQuestions:
    @pytest.mark.parametrize("kind", ["nps", "csat", "ces", "stars", "faces", "single", "multiple", "text", "line", "file", "contact", "consent", "fact"])  # fmt: skip
    def test_each_kind_is_added_with_words_that_can_be_published(self, client: Client, kind: str) -> None:
        client.post("/settings/forms/new/", {"name": "New", "slug": "made", "kind": "nps"})
        to = "/settings/forms/made/"
        added = sheet(client, to).post(client, "add", to=to, new=kind)

        assert added.status_code == 302
        assert len(draft("made").questions) == 3
        assert sheet(client, to).post(client, "publish", to=to).status_code == 302
        assert client.get("/f/made/").status_code == 200

    def test_the_same_kind_twice_has_two_names(self, client: Client) -> None:
        for _ in range(2):
            sheet(client).post(client, "add", new="nps")

        assert [question.name for question in draft().questions[-2:]] == ["nps", "nps_2"]

    def test_it_moves_and_goes(self, client: Client) -> None:
        sheet(client).post(client, "down 0")
        assert [question.name for question in draft().questions][:2] == ["text", "rating"]
        sheet(client).post(client, "up 1")
        assert [question.name for question in draft().questions][:2] == ["rating", "text"]
        sheet(client).post(client, "up 0")
        assert draft() == surveys.FIRST_FORM
        sheet(client).post(client, "remove 2")
        assert "product" not in [question.name for question in draft().questions]

    @pytest.mark.parametrize("do", ["up x", "remove 99", "remove -1", "nonsense", "", "add"])
    def test_a_button_that_is_not_on_the_page_does_no_harm(self, client: Client, do: str) -> None:
        sheet(client).post(client, do, new="moon" if do == "add" else "nps")

        assert draft() == surveys.FIRST_FORM

    def test_an_answer_is_added_on_the_empty_line_and_removed_by_emptying_its_own(self, client: Client) -> None:
        sheet(client).post(client, "add", new="single")
        sheet(client).post(
            client, "save", **{"questions.6.options.2.label": "Änderung!", "questions.6.options.0.label": ""}
        )

        options = draft().questions[6].options
        assert [(each.value, each.label) for each in options] == [("second", "Second answer"), ("nderung", "Änderung!")]

    def test_rules_are_read_from_their_rows(self, client: Client) -> None:
        page = sheet(client)
        page.fields |= {
            "questions.2.show_if.0.question": ["rating"], "questions.2.show_if.0.op": ["at_most"], "questions.2.show_if.0.value": ["rating:2"],
            "questions.2.show_if.1.question": ["text"], "questions.2.show_if.1.op": ["is_answered"], "questions.2.show_if.any": ["any"],
        }  # fmt: skip
        page.post(client, "save")

        assert draft().questions[2].show_if == ShowIf(
            (Condition("rating", "at_most", "2"), Condition("text", "is_answered")), any=True
        )

    def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(self, client: Client) -> None:
        page = sheet(client)
        page.fields["questions.1.label"] = [""]
        page.fields |= {
            "questions.2.show_if.0.question": ["rating"],
            "questions.2.show_if.0.op": ["is"],
            "questions.2.show_if.0.value": [""],
        }
        refused = page.post(client, "publish", title="Typed <b>")
        shown = refused.content.decode()

        assert refused.status_code == 422
        assert 'id="questions.1.label-error"><p class="error">Write what is asked.' in shown
        assert '<p class="error">Choose one of the answers to “How was it?”.' in shown
        assert 'value="Typed &lt;b&gt;"' in shown
        assert draft() == surveys.FIRST_FORM

    def test_a_question_stays_below_the_one_that_it_follows(self, client: Client) -> None:
        page = sheet(client)
        page.fields |= {
            "questions.1.show_if.0.question": ["rating"],
            "questions.1.show_if.0.op": ["is"],
            "questions.1.show_if.0.value": ["rating:1"],
        }
        assert page.post(client, "save").status_code == 302
        before = draft()

        for do in ("down 0", "up 1", "remove 0"):
            refused = sheet(client).post(client, do)
            assert refused.status_code == 422
            assert "“What happened?” is asked only after some answers to “How was it?”" in refused.content.decode()
            assert Sheet(refused).fields["questions.0.was"] == ["rating"], "it stays where it was"
        assert draft() == before

    @pytest.mark.parametrize("fields", [{"count": "9999"}, {"count": "x"}, {"questions.0.kind": "moon"}, {"questions.0.look": "moon"}, {"questions.1.max_length": "9" * 400}, {"title": "a\x00" * 200}, {"language": "x" * 99}, {"questions.0.was": ""}])  # fmt: skip
    def test_hostile_fields_are_a_clear_no(self, client: Client, fields: dict[str, str]) -> None:
        refused = sheet(client).post(client, "save", **fields)

        assert refused.status_code == 422
        assert "Nothing was saved yet" in refused.content.decode()
        assert draft() == surveys.FIRST_FORM


class TestLanguages:
    def test_texts_stand_side_by_side_and_others_stay(self, client: Client) -> None:
        sheet(client).post(client, "speak", new_language="de")
        sheet(client).post(client, "speak", new_language="fr")
        german = sheet(client, URL + "?beside=de")
        german.fields |= {
            "translations.de.title": ["Erzählen Sie"],
            "translations.de.questions.rating.options.1": ["Schlecht"],
        }
        german.post(client, "save", to=URL + "?beside=de")

        assert draft().translations == {
            "de": {"title": "Erzählen Sie", "questions": {"rating": {"options": {"1": "Schlecht"}}}},
            "fr": {},
        }
        sheet(client).post(client, "silence fr")
        assert list(draft().translations) == ["de"]

    @pytest.mark.parametrize("code", ["", "en", "Klingon!"])
    def test_a_language_that_cannot_be_added_is_refused_in_words(self, client: Client, code: str) -> None:
        assert sheet(client).post(client, "speak", new_language=code).status_code == 422

    def test_the_first_language_is_not_a_translation_too(self, client: Client) -> None:
        sheet(client).post(client, "speak", new_language="de")
        assert "speaks de already" in sheet(client).post(client, "save", language="de").content.decode()

    def test_a_question_that_goes_takes_its_translations_along(self, client: Client, form: Form) -> None:
        surveys.publish(form, WHOLE)
        sheet(client).post(client, "remove 1")

        assert set(draft().translations["de"]["questions"]) == {"how", "why"}


class TestPreview:
    def test_it_is_the_page_itself_as_it_is_typed(self, client: Client) -> None:
        page = sheet(client).post(client, "save", to=URL + "preview/", title="Typed <i>")
        shown = page.content.decode()

        assert page.status_code == 200
        assert "Typed &lt;i&gt;</h1>" in shown
        assert 'id="feedback"' in shown
        assert "data-draft" not in shown
        assert "frame-ancestors 'self'" in page["Content-Security-Policy"]
        assert draft() == surveys.FIRST_FORM

    def test_what_cannot_be_shown_yet_is_told(self, client: Client) -> None:
        shown = sheet(client).post(client, "save", to=URL + "preview/", title="").content.decode()

        assert "what is typed cannot be shown yet" in shown
        assert surveys.FIRST_FORM.title in shown

    def test_it_speaks_the_language_that_is_worked_on(self, client: Client, form: Form) -> None:
        surveys.publish(form, WHOLE)
        shown = client.get(URL + "preview/?lang=de")

        assert "Nach der Reparatur" in shown.content.decode()
        assert not shown.cookies, "who looks at a preview still reads their own pages in their own language"

    def test_working_on_a_language_leaves_the_page_in_its_own(self, client: Client, form: Form) -> None:
        surveys.publish(form, WHOLE)
        page = client.get(URL + "?beside=de").content.decode()

        assert '<html lang="en"' in page
        assert 'value="Nach der Reparatur"' in page

    def test_an_old_version_is_shown_as_it_was(self, client: Client, form: Form) -> None:
        surveys.publish(form, WHOLE)

        assert surveys.FIRST_FORM.title in client.get(URL + "preview/?version=1").content.decode()
        assert client.get(URL + "preview/?version=9").status_code == 404
        assert client.get(URL + "versions/1/").status_code == 200


class TestLife:
    @pytest.mark.parametrize("kind", list(publishing.STARTS))
    def test_a_form_begins_as_a_draft_that_nobody_sees(self, client: Client, kind: str) -> None:
        made = client.post("/settings/forms/new/", {"name": "After a repair", "slug": "made", "kind": kind})

        assert made["Location"] == "/settings/forms/made/"
        assert client.get("/f/made/").status_code == 404
        assert read_definition(as_json(draft("made"))) == publishing.STARTS[kind].definition

    @pytest.mark.parametrize(("slug", "kind"), [("feedback", "nps"), ("a b", "nps"), ("new", "nps"), ("made", "moon"), ("", "nps")])  # fmt: skip
    def test_one_that_cannot_be_made_is_told_in_words(self, client: Client, slug: str, kind: str) -> None:
        refused = client.post("/settings/forms/new/", {"name": "X", "slug": slug, "kind": kind})

        assert refused.status_code == 422
        assert "Nothing was saved yet" in refused.content.decode()

    def test_a_closed_form_says_why_and_opens_again(self, client: Client) -> None:
        client.post(URL + "sharing/", {"do": "close", "closed_note": "The trial is over. <b>Thank you</b>."})
        closed = client.get("/f/feedback/")
        assert closed.status_code == 410
        assert "The trial is over. &lt;b&gt;Thank you" in closed.content.decode()

        client.post(URL + "sharing/", {"do": "open"})
        assert client.get("/f/feedback/").status_code == 200

    def test_proof_is_asked_of_everybody_and_of_the_suspicious_again(self, client: Client, form: Form) -> None:
        form.channel.settings = {"limits": {"hour": 9}}
        form.channel.save()
        for do, asked in [("ask proof", True), ("ask no proof", False)]:
            assert client.post(URL + "sharing/", {"do": do}).status_code == 302
            form.channel.refresh_from_db()
            assert form.channel.settings == {"limits": {"hour": 9}, "asks_proof": asked}
            assert ("Ask it only of the suspicious" in client.get(URL + "sharing/").content.decode()) is asked

    def test_the_line_for_other_pages_names_the_form(self, client: Client) -> None:
        line = '&lt;script src="http://testserver/widget.js" data-form="feedback" data-label="Feedback" async&gt;&lt;/script&gt;'
        assert line.replace("http://testserver", settings.BASE_URL) in client.get(URL + "sharing/").content.decode()
        client.post(URL + "sharing/", {"do": "close"})
        assert "data-form=" not in client.get(URL + "sharing/").content.decode()

    def test_a_draft_cannot_be_opened_without_publishing_it(self, client: Client) -> None:
        client.post("/settings/forms/new/", {"name": "X", "slug": "made", "kind": "nps"})

        for do in ("open", "discard"):
            assert client.post("/settings/forms/made/sharing/", {"do": do}).status_code == 422
        assert client.get("/f/made/").status_code == 404

    def test_the_list_counts_what_came_lately(self, client: Client, form: Form) -> None:
        now = timezone.now()
        for number, days in enumerate((0, 29, 31)):
            receiving.receive(form.channel, RawItem(str(number), b"{}"), at=now - timedelta(days=days))
        receiving.receive(form.channel, RawItem("held", b"{}"), at=now, quarantine="honeypot")

        assert '<td class="num" data-label="In 30 days">2</td>' in client.get("/settings/forms/").content.decode()

    def test_versions_are_listed_and_drafted_again(self, client: Client, form: Form) -> None:
        surveys.publish(form, WHOLE)
        page = client.get(URL + "versions/").content.decode()
        assert "The title was “Tell us what happened”." in page
        assert "The first version." in page

        client.post(URL + "versions/", {"number": "1"})
        assert draft() == surveys.FIRST_FORM
        assert client.post(URL + "versions/", {"number": "7"}).status_code == 404


class TestSharing:
    def test_a_link_carries_facts_that_nobody_can_change(self, client: Client, form: Form) -> None:
        surveys.publish(form, WHOLE)
        page = client.post(URL + "sharing/", {"do": "link", "fact.order": "O-77", "fact.price": "0"}).content.decode()
        link = re.search(r"data-copy>[^<]*(/f/feedback/\?about=[^<]+)<", page)

        assert link
        assert surveys.read_about(form, unescape(link[1]).partition("about=")[2]) == {"order": "O-77"}

    def test_a_link_without_facts_is_refused(self, client: Client, form: Form) -> None:
        surveys.publish(form, WHOLE)
        assert client.post(URL + "sharing/", {"do": "link", "fact.order": " "}).status_code == 422

    def test_pages_that_may_show_it_are_saved_one_a_line(self, client: Client, form: Form) -> None:
        client.post(URL + "sharing/", {"do": "origins", "origins": "https://a.example\r\nhttps://b.example"})
        form.refresh_from_db()
        assert form.allowed_origins == ["https://a.example", "https://b.example"]

        refused = client.post(URL + "sharing/", {"do": "origins", "origins": "javascript:x"})
        assert refused.status_code == 422
        assert "is not an origin" in refused.content.decode()


def with_(definition: Definition, *questions: Question, **fields: Any) -> Definition:
    return read_definition(
        as_json(definition)
        | fields
        | ({"questions": as_json(Definition("T", questions))["questions"]} if questions else {})
    )


A, B = Question("a", "scale", "How?", scale="nps"), Question("b", "choice", "Why?", options=(Option("x", "X"),))
FIRST = Definition("T", (A, B), translations={"de": {}})


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (FIRST, []),
        (with_(FIRST, title="New"), ["The title was “T”."]),
        (with_(FIRST, intro="Hello"), ["The introduction was changed."]),
        (with_(FIRST, A), ["“Why?” is not asked any more."]),
        (with_(FIRST, B, A), ["The questions stand in another order."]),
        (with_(FIRST, A, B, Question("c", "text", "What?")), ["“What?” is asked now."]),
        (with_(FIRST, Question("a", "scale", "How now?", scale="nps"), B), ["“How now?” was “How?”."]),
        (with_(FIRST, Question("a", "scale", "How?", scale="nps", required=True), B), ["“How?” must be answered now."]),
        (with_(FIRST, Question("a", "scale", "How?", scale="ces7"), B), ["“How?” looks or reads otherwise."]),
        (with_(FIRST, A, Question("b", "choice", "Why?", options=(Option("y", "Y"),))), ["“Why?” can be answered with “Y” now.", "“Why?” can not be answered with “X” any more."]),
        (with_(FIRST, A, Question("b", "choice", "Why?", options=B.options, show_if=ShowIf((Condition("a", "is", "1"),)))), ["“Why?” is asked after other answers than before now."]),
        (with_(FIRST, translations={"de": {"title": "X"}}), ["The translation to de was changed."]),
        (with_(FIRST, translations={"fr": {}}), ["It can be read in fr.", "It can not be read in de any more."]),
    ],
)  # fmt: skip
def test_versions_are_compared_in_sentences(after: Definition, told: list[str]) -> None:
    assert changes(FIRST, after) == told


def test_a_draft_is_not_lost_to_one_who_never_saw_it(form: Form) -> None:
    publishing.save_draft(form, WHOLE, at=AT, seen=None)

    with pytest.raises(BadInput):
        publishing.save_draft(form, surveys.FIRST_FORM, at=AT, seen=None)
    publishing.save_draft(form, WHOLE, at=AT, seen=None)
    publishing.save_draft(form, surveys.FIRST_FORM, at=AT + timedelta(minutes=1), seen=AT)
