"""Every word can be read in every language, and each reader gets theirs: on pages, by mail, and nobody else's afterwards."""

import importlib
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import ngettext

from feedback_portal import catalogues, languages
from feedback_portal.accounts.models import User
from feedback_portal.marking import worded
from intake.models import FeedbackItem
from tests.ground.unmarked import in_code, in_page, words_of
from tests.makers import actor, make_customer, make_item, make_person, make_team, make_ticket
from triage import notifications, tracking
from triage.models import Notification
from triage.tracking import saying

ROOT = Path(settings.BASE_DIR)
WANTED = catalogues.used(ROOT)
OTHERS = list(catalogues.PLURALS)

# Areas whose words are all marked; whoever finishes another one adds it here.
FINISHED = (
    "templates/*.html",
    "templates/accounts/*.html",
    "templates/kpis/*",
    "templates/intake/**/*.html",
    "templates/triage/*.html",
    "templates/triage/settings/**/*.html",
    "feedback_portal/*.py",
    "feedback_portal/accounts/*.py",
    "intake/*.py",
    "intake/models/*.py",
    "intake/views/*.py",
    "kpis/*.py",
    "kpis/api/*.py",
    "kpis/charts/*.py",
    "kpis/definitions/*.py",
    "kpis/models/*.py",
    "kpis/signals/*.py",
    "kpis/views/*.py",
    "triage/*.py",
    "triage/asking/*.py",
    "triage/blend/*.py",
    "triage/connecting/**/*.py",
    "triage/deciding/*.py",
    "triage/desk/*.py",
    "triage/finding/*.py",
    "triage/improving/*.py",
    "triage/learning/*.py",
    "triage/live/*.py",
    "triage/models/*.py",
    "triage/persons/*.py",
    "triage/routing/*.py",
    "triage/rulebook/*.py",
    "triage/rules/*.py",
    "triage/taggers/*.py",
    "triage/telling/*.py",
    "triage/themes/*.py",
    "triage/tracking/*.py",
    "triage/understanding/*.py",
    "triage/views/settings/*.py",
    "triage/views/*.py",
)
# Read by programs, by whoever runs the portal, or by its developers, in English.
FOR_PROGRAMS = {
    *(
        "feedback_portal/api.py",
        "feedback_portal/catalogues.py",
        "feedback_portal/codes.py",
        "feedback_portal/registry.py",
        "feedback_portal/repeats.py",
    ),
    *(
        "feedback_portal/sealing.py",
        "feedback_portal/settings.py",
        "intake/api.py",
        "intake/hooks.py",
        "intake/views/hooks.py",
    ),
    "kpis/analysts.py",
    *("kpis/charts/columns.py", "kpis/charts/heatmaps.py", "kpis/charts/spreads.py", "kpis/periods.py"),
    *("intake/relation_api.py", "intake/relation_shapes.py", "intake/relations.py", "intake/wire.py"),
    *("triage/blend/artefact.py", "triage/blend/fitting.py", "triage/taggers/base.py"),
    "triage/views/tracker_hooks.py",
}
# Reasons that are stored as sentences, in the language of whatever wrote them. To be stored as codes and slots.
STORED = {
    *("feedback_portal/outgoing.py", "intake/encodings.py", "intake/importing.py", "intake/normalizing.py"),
    *("intake/polling.py", "intake/relation_files.py", "intake/relation_runs.py"),
}


class TestCatalogues:
    @pytest.mark.parametrize("language", OTHERS)
    def test_every_text_is_translated_once_with_all_its_slots_and_plurals(self, language: str) -> None:
        known = catalogues.read(catalogues.path_of(ROOT, language).read_text(encoding="utf-8"))

        assert catalogues.problems(WANTED, known, language) == [], (
            "Run manage.py catalogues, then see docs/languages.md."
        )

    @pytest.mark.parametrize("language", OTHERS)
    def test_what_programs_read_says_the_same_as_what_people_write(self, language: str) -> None:
        path = catalogues.path_of(ROOT, language)
        known = catalogues.read(path.read_text(encoding="utf-8"))

        assert path.with_suffix(".mo").read_bytes() == catalogues.compiled(known, language), "Run manage.py catalogues."

    def test_all_that_is_spoken_has_a_catalogue_and_ways_to_write_dates(self) -> None:
        assert {code for code, _ in settings.LANGUAGES} == {"en", *OTHERS}
        named = [set(_dates(language)) for language in ("en", *OTHERS)]
        assert named == [named[0]] * len(named)

    def test_arabic_counts_in_its_own_six_ways(self) -> None:
        with translation.override("ar"):
            said = [
                ngettext(
                    "%(count)s person agreed. Only what they said is taken in.",
                    "%(count)s people agreed. Only what they said is taken in.",
                    count,
                )
                for count in (0, 1, 2, 3, 11, 100)
            ]

        assert len(set(said)) == 6

    def test_a_slot_that_the_code_does_not_fill_is_found(self) -> None:
        wanted = [catalogues.Message("Hello %(name)s", files=("a.py",))]
        wrong = [catalogues.Message("Hello %(name)s", said=("Hallo %(nmae)s",))]

        assert len(catalogues.problems(wanted, wrong, "de")) == 2
        assert catalogues.problems(wanted, [], "de") == ["'Hello %(name)s' of a.py is missing"]

    def test_a_catalogue_is_read_as_it_was_written(self) -> None:
        messages = [
            catalogues.Message('“%(a)s”\n"b"\\', said=('„%(a)s“\n"b"\\',), files=("a.py",)),
            catalogues.Message("%(n)s day", "%(n)s days", "list", ("%(n)s Tag", "%(n)s Tage"), ("b.html",)),
        ]

        assert catalogues.read(catalogues.written(messages, "de")) == messages


class TestMarks:
    def test_finished_areas_have_no_words_that_cannot_be_translated(self) -> None:
        paths = {path for pattern in FINISHED for path in ROOT.glob(pattern)}
        paths -= {ROOT / name for name in FOR_PROGRAMS | STORED}
        found = {path.relative_to(ROOT).as_posix(): words for path in sorted(paths) if (words := words_of(path))}

        assert found == {}

    def test_every_exception_from_it_is_still_there(self) -> None:
        assert [name for name in FOR_PROGRAMS | STORED if not words_of(ROOT / name)] == []

    @pytest.mark.parametrize(
        "page",
        [
            "<p>Some words</p>",
            '<a aria-label="Some words"></a>',
            '{% include "a.html" with label="Some words" %}',
            '{{ value|default:"Some words" }}',
            "<b>{{ count }} items</b>",
        ],
    )
    def test_words_in_any_place_of_a_page_are_seen(self, page: str) -> None:
        assert list(in_page(page)) != []

    @pytest.mark.parametrize(
        "code",
        [
            'raise Refused("This is no way.")',
            'raise Refused(f"{name} is no way.")',
            'messages.success(request, "It is done.")',
            'class A(Refused):\n    title = "Not so"',
        ],
    )
    def test_words_in_any_place_of_code_are_seen(self, code: str) -> None:
        assert list(in_code(code)) != []


@pytest.mark.django_db
class TestReaders:
    def test_a_visitor_reads_what_their_browser_asks_for_and_what_they_choose_stays(self, client: Client) -> None:
        asked_for = client.get("/sign-in/", headers={"accept-language": "de-AT,en;q=0.5"})
        chosen = client.get("/sign-in/?lang=ar", headers={"accept-language": "de"})
        later = client.get("/sign-in/", headers={"accept-language": "de"})

        assert '<html lang="de" dir="ltr"' in asked_for.content.decode()
        assert "Anmelden" in asked_for.content.decode()
        assert '<html lang="ar" dir="rtl"' in chosen.content.decode()
        assert '<html lang="ar" dir="rtl"' in later.content.decode()

    def test_a_language_nobody_speaks_is_the_portals_own(self, client: Client) -> None:
        page = client.get("/sign-in/?lang=tlh", headers={"accept-language": "tlh"})

        assert '<html lang="en"' in page.content.decode()
        assert settings.LANGUAGE_COOKIE_NAME not in page.cookies

    def test_forms_and_kiosks_set_no_cookie(self, client: Client) -> None:
        assert not client.get("/f/nothing/?lang=de").cookies

    def test_staff_read_in_their_own_language_by_their_own_clock(self, client: Client) -> None:
        person = make_person("Tariq", make_team())
        client.force_login(person)
        saved = client.post("/own/", {"language": "de", "time_zone": "Asia/Tokyo"}, follow=True)
        page = client.get("/own/", headers={"accept-language": "es"})

        assert "Gespeichert." in saved.content.decode()
        assert '<html lang="de"' in page.content.decode()
        person.refresh_from_db()
        assert (person.language, person.time_zone) == ("de", "Asia/Tokyo")
        assert client.post("/own/", {"language": "tlh", "time_zone": "Mars/North"}).status_code == 422

    def test_nothing_of_it_is_left_in_the_process_afterwards(self, client: Client) -> None:
        person = make_person("Tariq", make_team())
        User.objects.filter(pk=person.pk).update(language="ar", time_zone="Asia/Tokyo")
        client.force_login(person)
        before = translation.get_language(), timezone.get_current_timezone_name()

        for path in ("/own/", "/nowhere/", "/settings/"):
            client.get(path)
            assert (translation.get_language(), timezone.get_current_timezone_name()) == before

    def test_somebody_whose_zone_this_machine_has_forgotten_still_gets_in(self, client: Client) -> None:
        person = make_person("Tariq", make_team())
        User.objects.filter(pk=person.pk).update(time_zone="../etc/passwd")
        client.force_login(person)

        assert client.get("/own/").status_code == 200

    def test_programs_read_english_whoever_asks(self, client: Client) -> None:
        asked = {"content-encoding": "gzip", "accept-language": "de"}
        answer = client.post("/api/v1/feedback/?lang=de", b"", content_type="application/json", headers=asked)

        assert answer.json()["detail"] == "Send the request without compression."

    def test_an_address_that_leads_nowhere_says_so_in_the_visitors_language(self, client: Client) -> None:
        page = client.get("/nowhere/", headers={"accept-language": "es"})

        assert "No hay nada en esta dirección" in page.content.decode()


@pytest.mark.django_db
class TestCustomers:
    def item(self, language: str) -> FeedbackItem:
        customer = make_customer(email="ana@example.com")
        return make_item(customer=customer, declared_language=language, may_contact=True)

    def test_a_mail_speaks_the_language_of_its_reader_and_not_of_its_writer(self) -> None:
        ticket = make_ticket(item=self.item("de-at"))

        with translation.override("ar"):
            notifications.write_reply(ticket, text="Kommt.", by=actor(make_person("Priya")))

        mail = Notification.objects.get()
        assert "auf Ihre Rückmeldung" in mail.subject
        assert "hat Ihnen zu Ihrer Rückmeldung" in mail.body

    def test_their_page_tells_the_same_events_in_each_readers_language(self) -> None:
        item = self.item("de")
        make_ticket(item=item)
        found = tracking.journey_of(item.submission)

        with translation.override("es"):
            spanish = saying.page(found)
        with translation.override("de"):
            german = saying.page(found)

        assert spanish["headline"] == "Hemos recibido su comentario."
        assert german["headline"] == "Wir haben Ihre Rückmeldung bekommen."


def test_a_stored_sentence_is_said_to_each_reader_and_what_is_no_such_sentence_stays_as_it_is() -> None:
    inside = worded("the rule %(name)s was changed", name="100% leak")
    stored = worded("Since %(because)s.", because=[inside, "Ana"])

    assert languages.said(stored) == "Since the rule 100% leak was changed, Ana."
    with translation.override("de"):
        assert languages.said(stored).startswith("Grund: ")
        assert languages.said('{"words": "%(x)999999999d"') == '{"words": "%(x)999999999d"'
        assert languages.said(worded("%(x)999999999d", x=1)) == "%(x)999999999d"


def test_numbers_and_days_of_a_stored_sentence_are_written_as_each_language_writes_them() -> None:
    stored = worded("%(n)s on %(day)s", n=Decimal("-1234.5"), day=date(2026, 11, 21))
    heard = {}
    for language in ("en", *OTHERS):
        with translation.override(language):
            heard[language] = languages.said(stored)

    assert heard == {
        "en": "\N{MINUS SIGN}1,234.5 on 21 November 2026",
        "de": "\N{MINUS SIGN}1.234,5 on 21. November 2026",
        "es": "\N{MINUS SIGN}1\N{NO-BREAK SPACE}234,5 on 21 de noviembre de 2026",
        "ar": "\N{LEFT-TO-RIGHT MARK}\N{MINUS SIGN}1234,5 on 21 نوفمبر 2026",
    }


@pytest.mark.parametrize(
    "slots",
    [
        '{"x": {"number": "abc"}}',
        '{"x": {"number": "1E+999999"}}',
        '{"x": {"number": "NaN"}}',
        '{"x": {"day": "yesterday"}}',
        '{"x": {"day": 7}}',
        "[1]",
        "[" * 100_000,
    ],
)
def test_what_somebody_wrote_to_look_like_a_stored_sentence_breaks_no_page(slots: str) -> None:
    forged = f'{{"words": "%(x)s", "slots": {slots}}}'

    assert languages.said(forged) == forged
    assert languages.said(worded("It was called %(name)s.", name=forged)) == f"It was called {forged}."


def test_words_are_spoken_in_the_first_language_that_is_known_and_then_no_more() -> None:
    with languages.speaking("tlh", "pt-BR", "es_MX") as spoken:
        assert (spoken, translation.get_language()) == ("es", "es")
    assert translation.get_language() == "en"


def test_a_day_is_written_as_its_language_writes_days() -> None:
    day = timezone.now().replace(year=2026, month=11, day=21, hour=12) + timedelta()
    written = {}
    for language in ("en", *OTHERS):
        with translation.override(language):
            written[language] = date_format(day, "LONG_DAY")

    assert written == {"en": "21 November", "de": "21. November", "es": "21 de noviembre", "ar": "21 نوفمبر"}


def _dates(language: str) -> list[str]:
    formats = importlib.import_module(f"feedback_portal.formats.{language}.formats")
    return [name for name in vars(formats) if name.isupper() and not name.endswith("FORMAT")]
