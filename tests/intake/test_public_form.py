"""What people send through a form of ours: kept once, shown what is wrong in words, and never half of it."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from intake import normalizing, surveys
from intake.models import Attachment, Channel, FeedbackItem, Form, Submission
from intake.questions import Definition, Option, Question
from tests.intake.pictures import jpeg, png

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
URL = "/f/feedback/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def form() -> Form:
    """The form every new portal has."""
    return Form.objects.select_related("channel", "current").get(slug="feedback")


@contextmanager
def clock(at: datetime) -> Iterator[None]:
    with mock.patch.object(timezone, "now", return_value=at):
        yield


def token(form: Form, *, age: timedelta = timedelta(minutes=1)) -> str:
    return surveys.hand_out(form, at=timezone.now() - age).token()


def send(form: Form, *, client: Client | None = None, url: str = URL, headers: Any = None, **fields: Any) -> Any:
    return (client or Client()).post(
        url, {"token": token(form), "text": "It leaks", "homepage": ""} | fields, headers=headers
    )


def raw(body: bytes, content_type: str, *, length: int | None = None) -> Any:
    """A body as it comes over a wire, where it may be shorter than it said."""
    said = str(len(body) if length is None else length)
    wire: Any = {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": said, "CONTENT_TYPE": content_type}
    return Client().generic("POST", URL, **wire)


def hidden(page: Any, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.content.decode())
    assert found, page.content.decode()
    return found[1]


def test_the_first_page_leads_to_the_open_forms(form: Form) -> None:
    assert f'href="{URL}"' in Client().get("/").content.decode()

    surveys.close(form)
    assert f'href="{URL}"' not in Client().get("/").content.decode()


def test_a_form_is_sent_without_script_and_without_cookie(form: Form) -> None:
    client = Client()
    page = client.get(URL)
    with clock(timezone.now() + timedelta(seconds=30)):
        sent = client.post(
            URL,
            {
                "token": hidden(page, "token"),
                "homepage": "",
                "rating": "2",
                "text": "It leaks",
                "email": "ana@example.com",
            },
        )

    assert sent.status_code == 303
    assert not client.cookies
    thanks = client.get(sent["Location"])
    submission = Submission.objects.get()
    assert submission.reference in thanks.content.decode()
    assert "We also send it to you by e-mail." in thanks.content.decode()
    assert thanks["Referrer-Policy"] == "no-referrer"
    assert thanks["Cache-Control"] == "no-store"


@pytest.mark.django_db(transaction=True)
def test_what_was_sent_becomes_an_item(form: Form) -> None:
    send(form, rating="2", product="H4", order="O-77", email="Ana@Example.com", name="Ana")

    assert normalizing.normalize_pending(at=timezone.now()).done == 1
    item = FeedbackItem.objects.select_related("customer").get()
    assert (item.text, item.rating_scale, item.rating_value, item.product) == ("It leaks", "csat5", 2, "H4")
    assert item.context == {"order": "O-77"}
    assert item.customer is not None
    assert (item.customer.email, item.may_contact) == ("ana@example.com", True)


class TestOnce:
    """Double click, back and send again, a retry after a time-out."""

    def test_the_same_page_twice_is_one_thing_with_one_link(self, form: Form) -> None:
        same = token(form)
        first, again = (send(form, token=same) for _ in range(2))
        changed = send(form, token=same, text="It burns")

        assert first["Location"] == again["Location"] == changed["Location"]
        assert Submission.objects.count() == 1

    def test_two_pages_with_the_same_words_are_two_things(self, form: Form) -> None:
        assert send(form)["Location"] != send(form)["Location"]
        assert Submission.objects.count() == 2

    @pytest.mark.django_db(transaction=True)
    def test_ten_at_once_are_one_thing(self, form: Form) -> None:
        same, locations = token(form), []
        start = threading.Barrier(10)

        def press() -> None:
            start.wait()
            locations.append(send(form, token=same, photo=SimpleUploadedFile("a.png", png()))["Location"])
            connection.close()

        threads = [threading.Thread(target=press) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(set(locations)) == 1
        assert (Submission.objects.count(), Attachment.objects.count()) == (1, 1)

    def test_a_page_that_comes_back_with_errors_is_the_same_page(self, form: Form) -> None:
        same = token(form)
        page = send(form, token=same, text="")
        sent = send(form, token=hidden(page, "token"))

        assert sent["Location"] == send(form, token=same)["Location"]


class TestKeptPages:
    """A page kept on a device for when there is no network is written on many times."""

    COPY = {"sheet-copy": "0123456789abcdef" * 2}

    def test_each_copy_of_a_page_is_a_thing_of_its_own(self, form: Form) -> None:
        same = token(form)
        plain, first, again, other = (
            send(form, token=same, **fields) for fields in ({}, self.COPY, self.COPY, {"sheet-copy": "f" * 32})
        )

        assert first["Location"] == again["Location"]
        assert len({plain["Location"], first["Location"], other["Location"]}) == 3
        assert Submission.objects.count() == 3

    @pytest.mark.parametrize("copy", ["", "x", "f" * 15, "f" * 65, "F" * 32, "../" * 20, "f" * 32 + "\n"])
    def test_what_is_no_copy_changes_nothing(self, form: Form, copy: str) -> None:
        same = token(form)

        assert send(form, token=same, **{"sheet-copy": copy})["Location"] == send(form, token=same)["Location"]

    def test_the_copy_stays_with_a_page_that_comes_back(self, form: Form) -> None:
        assert hidden(send(form, text="", **self.COPY), "sheet-copy") == self.COPY["sheet-copy"]
        old = send(form, token=token(form, age=timedelta(hours=25)), **self.COPY)
        assert hidden(old, "sheet-copy") == self.COPY["sheet-copy"]

    @pytest.mark.django_db(transaction=True)
    def test_what_waited_was_said_when_it_was_written(self, form: Form) -> None:
        then = timezone.now().replace(microsecond=0) - timedelta(days=2)
        send(form, **{"written-at": str(int(then.timestamp() * 1000))})

        normalizing.normalize_pending(at=timezone.now())
        assert FeedbackItem.objects.get().submitted_at == then

    def test_the_worker_lies_above_the_pages_it_serves(self) -> None:
        worker = Client().get("/offline.js")

        assert worker["Content-Type"] == "text/javascript; charset=utf-8"
        # Asked for anew each time, or a device would keep an old one.
        assert worker["Cache-Control"] == "no-store"

    def test_a_phone_is_shown_what_is_needed_before_what_is_not(self, form: Form) -> None:
        page = Client().get(URL).content.decode()

        steps = re.findall(r'data-question="(\w+)" data-step="(\d)"', page)
        assert steps == [
            ("rating", "1"),
            ("text", "2"),
            ("product", "3"),
            ("order", "3"),
            ("photo", "3"),
            ("contact", "3"),
        ]


class TestToken:
    @pytest.mark.parametrize("bad", ["", "x", "x:y", "é" * 300, "a" * 5000])
    def test_a_page_that_is_not_ours_is_refused(self, form: Form, bad: str) -> None:
        response = send(form, token=bad)

        assert response.status_code == 400
        assert not Submission.objects.exists()

    def test_a_changed_token_is_refused(self, form: Form) -> None:
        good = token(form)

        assert send(form, token=good[:-1] + ("a" if good[-1] != "a" else "b")).status_code == 400

    def test_the_token_of_another_form_is_refused(self, form: Form) -> None:
        other = surveys.create_form("other", name="Other", definition=surveys.FIRST_FORM)

        assert send(form, token=token(other)).status_code == 400

    def test_a_page_of_yesterday_comes_back_with_its_text_and_can_be_sent(self, form: Form) -> None:
        old = token(form, age=timedelta(hours=25))
        page = send(form, token=old, text="It leaks since Monday")

        assert page.status_code == 400
        assert "It leaks since Monday" in page.content.decode()
        assert "open for more than a day" in page.content.decode()
        assert not Submission.objects.exists()

        sent = send(form, token=hidden(page, "token"))
        assert sent.status_code == 303
        assert Submission.objects.get().quarantine_reason == ""


class TestPrograms:
    """What looks like a program's work is thanked, kept apart and told to nobody."""

    @pytest.mark.parametrize(
        ("fields", "age", "reason"),
        [
            ({"homepage": "https://spam.example"}, timedelta(minutes=1), "honeypot"),
            ({}, timedelta(milliseconds=500), "too quick"),
        ],
    )
    @pytest.mark.django_db(transaction=True)
    def test_it_is_held_back(self, form: Form, fields: dict[str, str], age: timedelta, reason: str) -> None:
        sent = send(form, token=token(form, age=age), email="ana@example.com", **fields)

        assert sent.status_code == 303
        thanks = Client().get(sent["Location"]).content.decode()
        assert "Thank you" in thanks
        assert "by e-mail." not in thanks
        assert Submission.objects.get().quarantine_reason == reason
        normalizing.normalize_pending(at=timezone.now())
        assert not FeedbackItem.objects.exists()


class TestAllowance:
    def test_a_flood_is_told_when_to_come_again(self, form: Form) -> None:
        answers = [send(form, token=token(form)) for _ in range(11)]

        assert [answer.status_code for answer in answers] == [303] * 10 + [429]
        assert 1 <= int(answers[-1]["Retry-After"]) <= 12
        assert Submission.objects.count() == 10

    def test_an_address_that_a_client_makes_up_changes_nothing(self, form: Form) -> None:
        answers = [send(form, headers={"X-Forwarded-For": f"10.0.0.{number}"}) for number in range(11)]

        assert answers[-1].status_code == 429

    def test_a_channel_may_have_other_limits(self, form: Form) -> None:
        Channel.objects.filter(pk=form.channel_id).update(settings={"limits": {"minute": 0, "hour": 0, "burst": 0}})

        assert {send(form).status_code for _ in range(20)} == {303}


class TestErrors:
    def test_what_is_wrong_stands_at_its_question_and_nothing_is_lost(self, form: Form) -> None:
        page = send(form, text="It leaks <b>badly</b>", email="ana@", rating="2", order="O-77")
        shown = page.content.decode()

        assert page.status_code == 400
        assert "Write the whole address, like name@example.com." in shown
        assert "It leaks &lt;b&gt;badly&lt;/b&gt;</textarea>" in shown
        assert 'value="2" checked' in shown
        assert 'value="O-77"' in shown
        assert 'value="ana@"' in shown
        assert not Submission.objects.exists()

    @pytest.mark.parametrize(
        "fields",
        [
            {"text": "a\x00b"},
            {"text": ""},
            {"text": "x" * 20_001},
            {"rating": "6"},
            {"rating": "great"},
            {"rating": ["1", "nonsense"]},
            {"email": "a@b.c\r\nBcc: x@y.z"},
            {"email": "x" * 10_000 + "@b.c"},
            {"name": "a\x00"},
            {"order": "x" * 61},
        ],
    )
    def test_a_hostile_answer_is_a_clear_no(self, form: Form, fields: dict[str, Any]) -> None:
        page = send(form, **fields)

        assert page.status_code == 400
        assert "another look" in page.content.decode()
        assert "\x00" not in page.content.decode()
        assert not Submission.objects.exists()

    def test_a_new_line_is_one_character_as_browsers_count(self, form: Form) -> None:
        assert send(form, text="a\r\n" * 10_000).status_code == 303
        assert send(form, text="a\r\n" * 10_000 + "bc").status_code == 400

    def test_characters_that_no_text_has_do_no_harm(self, form: Form) -> None:
        body = f"token={token(form)}&text=%ED%A0%80+%FF+%F0%9F%98%80".encode()
        sent = Client().post(URL, body, content_type="application/x-www-form-urlencoded")

        assert sent.status_code == 303
        assert json.loads(bytes(Submission.objects.get().payload))["answers"]["text"].endswith("\U0001f600")

    @pytest.mark.parametrize(
        ("content_type", "status"),
        [
            ("application/json", 415),
            ("text/plain", 415),
            ("application/x-www-form-urlencoded; charset=nonsense", 415),
            ("application/x-www-form-urlencoded; charset=latin-1", 415),
            ("multipart/form-data", 400),
            ("multipart/form-data; boundary=" + "x" * 300, 400),
        ],
    )
    def test_another_kind_of_content_is_refused(self, form: Form, content_type: str, status: int) -> None:
        assert raw(b"text=x", content_type).status_code == status

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({f"f{number}": "x" for number in range(1001)}, 400),
            ({"photo": [SimpleUploadedFile("a.png", b"x") for _ in range(11)]}, 400),
            ({"text": "x" * 3 * 1024 * 1024}, 413),
        ],
    )
    def test_too_much_is_refused(self, form: Form, fields: dict[str, Any], status: int) -> None:
        assert send(form, **fields).status_code == status
        assert not Submission.objects.exists()

    def test_a_body_of_a_gigabyte_is_refused_before_it_is_read(self, form: Form) -> None:
        response = raw(b"", "multipart/form-data; boundary=x", length=1 << 30)

        assert response.status_code == 413

    def test_half_a_post_is_not_taken_for_a_whole(self, form: Form) -> None:
        boundary = "limit"
        parts = [("token", token(form)), ("text", "The first half, and the second")]
        body = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in parts
        )
        whole = (body + f"--{boundary}--\r\n").encode()
        kind = f"multipart/form-data; boundary={boundary}"

        assert raw(whole[:-25], kind).status_code == 400
        assert raw(whole[:-25], kind, length=len(whole)).status_code == 400
        short = f"token={token(form)}&text=The+first+half".encode()
        assert raw(short, "application/x-www-form-urlencoded", length=len(short) + 9).status_code == 400
        assert not Submission.objects.exists()
        assert raw(whole, kind).status_code == 303

    def test_other_methods_are_refused(self, form: Form) -> None:
        assert Client().put(URL).status_code == 405
        assert Client().post("/").status_code == 405
        assert Client().head(URL).status_code == 200


class TestFiles:
    def test_pictures_and_documents_are_kept(self, form: Form) -> None:
        files = [
            SimpleUploadedFile("tank.jpg", jpeg()),
            SimpleUploadedFile("leak.png", png()),
            SimpleUploadedFile("receipt.pdf", b"%PDF-1.7\n%%EOF\n"),
        ]
        sent = send(form, photo=files)

        assert sent.status_code == 303
        kept = Attachment.objects.order_by("pk")
        assert [file.name for file in kept] == ["tank.jpg", "leak.png", "receipt.pdf"]
        assert all(file.public_id.hex in file.stored_as for file in kept)

    def test_what_is_no_picture_comes_back_in_words_with_the_text(self, form: Form) -> None:
        page = send(form, photo=SimpleUploadedFile("x.svg", b"<svg onload=alert(1)>"))
        shown = page.content.decode()

        assert page.status_code == 400
        assert "neither a JPEG, PNG or WebP picture nor a PDF" in shown
        assert "It leaks</textarea>" in shown
        assert not Attachment.objects.exists()

    def test_a_file_that_is_too_large_is_named(self, form: Form) -> None:
        page = send(form, photo=SimpleUploadedFile("film.pdf", b"%PDF-" + b"x" * 10 * 1024 * 1024))

        assert page.status_code == 400
        assert "“film.pdf” is larger than 10 MB" in page.content.decode()

    def test_six_files_are_one_too_many(self, form: Form) -> None:
        page = send(form, photo=[SimpleUploadedFile(f"{number}.png", png()) for number in range(6)])

        assert page.status_code == 400
        assert "at most 5 files" in page.content.decode()

    def test_chosen_files_are_asked_for_again_when_another_answer_was_wrong(self, form: Form) -> None:
        page = send(form, text="", photo=SimpleUploadedFile("a.png", png()))

        assert "Choose your files again" in page.content.decode()

    def test_a_full_disk_costs_the_file_and_says_so(self, form: Form) -> None:
        with mock.patch("intake.attachments.default_storage.save", side_effect=OSError(28, "No space left on device")):
            response = send(form, photo=SimpleUploadedFile("a.png", png()))

        assert response.status_code == 507
        assert "send it without them" in response.content.decode()
        assert not Submission.objects.exists()


class TestFrames:
    @pytest.fixture
    def framed(self) -> Form:
        return surveys.create_form(
            "framed", name="Framed", definition=surveys.FIRST_FORM, allowed_origins=["https://shop.example.com"]
        )

    def test_only_named_origins_may_frame_it_and_only_when_asked(self, framed: Form) -> None:
        page, plain = Client().get("/f/framed/?embed=1"), Client().get("/f/framed/")

        assert "frame-ancestors 'self' https://shop.example.com" in page["Content-Security-Policy"]
        assert "X-Frame-Options" not in page
        assert "frame-ancestors 'none'" in plain["Content-Security-Policy"]
        assert 'class="top"' not in page.content.decode()

    def test_it_stays_framed_from_the_form_to_the_thanks(self, framed: Form) -> None:
        client = Client()
        action = re.search(r'action="([^"]+)"', client.get("/f/framed/?embed=1").content.decode())
        assert action
        sent = send(framed, client=client, url=action[1])

        assert sent["Location"].endswith("/?embed=1")
        assert "shop.example.com" in client.get(sent["Location"])["Content-Security-Policy"]

    def test_a_refusal_is_seen_inside_the_frame_too(self, framed: Form) -> None:
        refused = send(framed, url="/f/framed/?embed=1", token="x")

        assert refused.status_code == 400
        assert "shop.example.com" in refused["Content-Security-Policy"]

    @pytest.mark.parametrize(
        "origin", ["https://a.example; script-src *", "*", "shop.example.com", "https://a/b", "javascript:"]
    )
    def test_an_origin_is_an_origin(self, origin: str) -> None:
        with pytest.raises(surveys.BadInput):
            surveys.create_form("x", name="X", definition=surveys.FIRST_FORM, allowed_origins=[origin])


class TestLanguages:
    @pytest.fixture(autouse=True)
    def _form(self) -> None:
        definition = Definition(
            title="After a repair",
            questions=(
                Question("how", "scale", "How was it?", scale="csat5", options=(Option("1", "Bad"),)),
                Question("text", "text", "What happened?", place="text", long=True),
            ),
            translations={
                "de": {
                    "title": "Nach der Reparatur",
                    "questions": {"how": {"label": "Wie war es?", "options": {"1": "Schlecht"}}},
                },
                "ar": {"title": "بعد الإصلاح"},
            },
        )
        self.form = surveys.create_form("repair", name="Repair", definition=definition)

    @pytest.mark.parametrize(
        ("asked", "browser", "title"),
        [
            ("", "", "After a repair"),
            ("", "de-AT,en;q=0.5", "Nach der Reparatur"),
            ("", "fr,de;q=0.5", "Nach der Reparatur"),
            ("en", "de", "After a repair"),
            ("de", "en", "Nach der Reparatur"),
            ("klingon", "en", "After a repair"),
            ("ar", "", "بعد الإصلاح"),
        ],
    )
    def test_it_is_asked_in_the_readers_language(self, asked: str, browser: str, title: str) -> None:
        page = Client().get("/f/repair/", {"lang": asked}, headers={"Accept-Language": browser}).content.decode()

        assert f'<h1 dir="auto">{title}</h1>' in page

    def test_words_are_translated_and_what_is_not_stays(self) -> None:
        page = Client().get("/f/repair/?lang=de").content.decode()

        assert "Wie war es?" in page
        assert "Schlecht" in page
        assert "What happened?" in page
        assert 'lang="de"' in page
        assert 'href="?lang=en"' in page

    def test_arabic_runs_from_right_to_left(self) -> None:
        assert 'lang="ar" dir="rtl"' in Client().get("/f/repair/?lang=ar").content.decode()

    def test_the_language_goes_with_what_was_sent(self) -> None:
        send(self.form, url="/f/repair/?lang=de", how="1")

        said = json.loads(bytes(Submission.objects.get().payload))
        assert (said["language"], said["answers"]["how"], said["questions"][0]["label"]) == ("de", 1, "Wie war es?")


class TestAbout:
    def test_facts_of_a_signed_link_go_with_the_answers(self) -> None:
        definition = Definition(
            title="Delivery",
            questions=(
                Question("text", "text", "What happened?", place="text"),
                Question("order", "context"),
            ),
        )
        form = surveys.create_form("delivery", name="Delivery", definition=definition)
        link = surveys.link_about(form, {"order": "O-77", "price": "0"})
        page = Client().get(link)
        send(form, url="/f/delivery/", about=hidden(page, "about"))

        assert json.loads(bytes(Submission.objects.get().payload))["about"] == {"order": "O-77"}

    def test_facts_that_somebody_made_up_do_not(self, form: Form) -> None:
        send(form, about="eyJvcmRlciI6ICJYIn0:forged")

        assert json.loads(bytes(Submission.objects.get().payload))["about"] == {}


class TestVersions:
    def test_an_old_page_is_read_by_what_it_asked(self, form: Form) -> None:
        old = token(form)
        surveys.publish(
            form, Definition(title="New", questions=(Question("nps", "scale", "Recommend us?", scale="nps"),))
        )
        send(form, token=old, text="It leaks")

        said = json.loads(bytes(Submission.objects.get().payload))
        assert (said["version"], said["answers"]) == (1, {"text": "It leaks"})

    def test_publishing_the_same_again_is_the_same_version(self, form: Form) -> None:
        assert surveys.publish(form, surveys.FIRST_FORM).number == 1

    def test_a_closed_form_says_so_and_opens_again(self, form: Form) -> None:
        surveys.close(form)
        closed = Client().get(URL)
        assert closed.status_code == 410
        assert "takes no more answers" in closed.content.decode()

        surveys.publish(form, surveys.FIRST_FORM)
        assert Client().get(URL).status_code == 200

    def test_a_form_that_never_was_is_not_found(self) -> None:
        assert Client().get("/f/nothing/").status_code == 404

    @pytest.mark.parametrize("token", ["x", "a" * 43, "%00", "é"])
    def test_a_made_up_thank_you_is_not_found(self, token: str) -> None:
        assert Client().get(f"{URL}thanks/{token}/").status_code in {400, 404}

    def test_a_thank_you_belongs_to_its_form(self, form: Form) -> None:
        surveys.create_form("other", name="Other", definition=surveys.FIRST_FORM)
        location = send(form)["Location"]

        assert Client().get(location.replace("/feedback/", "/other/")).status_code == 404


def test_sending_takes_few_statements(form: Form, django_assert_num_queries: Any) -> None:
    send(form)
    with django_assert_num_queries(3):  # the form, the allowance, the row
        send(form)
