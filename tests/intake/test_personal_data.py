"""Personal data in free text is found by shape and checksum; everything that merely looks like it stays as it was said."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_portal.sealing import unseal
from intake import importing, normalizing, personal_data, receiving
from intake.connectors.base import RawItem, Unreadable
from intake.models import Channel, FeedbackItem, Revision, Submission
from intake.personal_data import mask
from tests.makers import make_channel

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)

FOUND = [
    ("Write to ana.lopez+shop@mail.example.org, please", "Write to [e-mail address], please", "email"),
    ("Schreibt an <jörg@firma.de>!", "Schreibt an <[e-mail address]>!", "email"),
    ("Pay back to DE89 3704 0044 0532 0130 00 soon", "Pay back to [bank account] soon", "iban"),
    ("IBAN GB29NWBK60161331926819.", "IBAN [bank account].", "iban"),
    ("My card 4111 1111 1111 1111 was charged twice", "My card [card number] was charged twice", "card"),
    ("carte 5500-0000-0000-0004", "carte [card number]", "card"),
    ("Amex 378282246310005 refused", "Amex [card number] refused", "card"),
    ("Call +49 171 2345678 after six", "Call [telephone number] after six", "phone"),
    ("appelez le +33 1 42 68 53 00", "appelez le [telephone number]", "phone"),
    ("llame al 0034 912 345 678", "llame al [telephone number]", "phone"),
    ("+1 (415) 555-2671", "[telephone number]", "phone"),
    ("SSN 536-90-4399 on the form", "SSN [personal number] on the form", "national_id"),
    ("DNI 54362315K", "DNI [personal number]", "national_id"),
    ("codice RCCMNL83S18D969H", "codice [personal number]", "national_id"),
    ("CPF 390.533.447-05", "CPF [personal number]", "national_id"),
    ("Mijn BSN: 111222333", "Mijn BSN: [personal number]", "national_id"),
    ("Steuer-ID 36 574 261 809", "Steuer-ID [personal number]", "national_id"),
]

LEFT = [
    "Order 4111 1111 1111 1112 never came",
    "Serial 12345678901234567890 of batch H4-2231",
    "The article 978-3-16-148410-0 is a book",
    "It cost 1.250.000,00 and came on 2026-03-31 at 18:00",
    "Order number 20493817 and ticket 9918273645",
    "IBAN DE89 3704 0044 0532 0130 01 has a slip in it",
    "Version 10.4.22.1 on IP 192.168.0.12",
    "I rated it 5/5, 10 of 10, 100 %",
    "call me @home, or a@b",
    "54362315Q is no DNI",
    "+49 1 is no number",
]


@pytest.mark.parametrize(("text", "masked", "kind"), FOUND)
def test_what_a_checksum_believes_is_masked(text: str, masked: str, kind: str) -> None:
    assert mask(text) == (masked, frozenset([kind] if kind else []))


@pytest.mark.parametrize("text", LEFT)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert mask(text) == (text, frozenset())


def test_a_national_number_is_believed_only_where_the_channel_names_its_country() -> None:
    assert mask("Ruft 0171/2345678 an")[0] == "Ruft 0171/2345678 an"
    assert mask("Ruft 0171/2345678 an", region="de")[0] == "Ruft [telephone number] an"
    assert mask("Charge 0171/99 an", region="de")[0] == "Charge 0171/99 an"


def test_several_in_one_text_are_all_masked() -> None:
    text = "a@example.com, b@example.com and +49 171 2345678"
    assert mask(text)[0] == "[e-mail address], [e-mail address] and [telephone number]"


@given(st.text(alphabet="0123456789 +-./@abcDE\n", max_size=300))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once, _ = mask(text)
    assert mask(once)[0] == once


@given(st.text(max_size=300))
def test_what_is_found_lies_in_the_text_in_order_and_apart(text: str) -> None:
    end = 0
    for each in personal_data.find(text, region="DE"):
        assert end <= each.start < each.end <= len(text)
        end = each.end


SAID = "Ring me on +49 171 2345678, card 4111 1111 1111 1111"
MASKED = "Ring me on [telephone number], card [card number]"


@pytest.fixture
def channel(db: None) -> Channel:
    return make_channel()


def say(channel: Channel, text: str = SAID, **version: Any) -> Submission:
    raw = RawItem("1", json.dumps({"text": text}).encode(), **version)
    received = receiving.receive(channel, raw, at=AT)
    normalizing.normalize_pending(at=AT)
    return Submission.objects.get(pk=received.submission.pk)


def test_at_intake_the_item_is_masked_and_what_arrived_is_sealed(channel: Channel) -> None:
    row = say(channel)
    item = FeedbackItem.objects.get()
    assert (item.text, item.excerpt) == (MASKED, MASKED)
    assert item.context["masked"] == "card number, telephone number"
    assert b"2345678" not in bytes(row.payload)
    assert normalizing.read(row).text == SAID


def test_a_channel_may_leave_texts_as_they_are(channel: Channel) -> None:
    channel.settings = {"personal_data": "off"}
    channel.save()
    row = say(channel)
    assert FeedbackItem.objects.get().text == SAID
    assert not row.is_sealed


def test_a_channel_may_destroy_what_arrived(channel: Channel) -> None:
    channel.settings = {"personal_data": "destroy"}
    channel.save()
    assert bytes(say(channel).payload) == b""
    assert FeedbackItem.objects.get().text == MASKED


def test_a_later_version_is_masked_and_both_stay_sealed(channel: Channel) -> None:
    say(channel, updated_at=AT)
    row = say(channel, SAID + "!", updated_at=AT + timedelta(hours=1))
    assert FeedbackItem.objects.get().text == MASKED + "!"
    assert row.is_sealed
    old = Revision.objects.get()
    assert old.is_sealed
    assert json.loads(unseal(bytes(old.payload))) == {"text": SAID}


def test_an_import_masks_as_any_other_way_in(db: None, tmp_path: Path, settings: Any) -> None:
    settings.STATE_DIR = tmp_path / "state"
    channel = Channel.objects.create(slug="answers", name="Answers", kind="csv_file")
    path = tmp_path / "answers.csv"
    path.write_text(f'id,text\n1,"{SAID}"\n2,Fine\n')
    importing.import_file(channel, path, at=AT)
    assert sorted(FeedbackItem.objects.values_list("text", flat=True)) == ["Fine", MASKED]
    assert [row.is_sealed for row in Submission.objects.order_by("external_id")] == [True, False]


def test_another_key_cannot_open_it_and_says_what_to_do(channel: Channel, settings: Any) -> None:
    row = say(channel)
    settings.SECRET_KEY = "another" * 10
    with pytest.raises(Unreadable, match="PORTAL_OLD_SECRET_KEYS"):
        normalizing.read(row)
