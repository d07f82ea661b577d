"""The door stores once and durably, whoever knocks how often; reading happens later and loses nothing."""

import sys
import threading
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from intake import normalizing, receiving
from intake.cleaning import CUT, LONGEST_TEXT, clean_line, clean_text, excerpt
from intake.connectors.base import RawItem
from intake.models import Account, Arrival, Channel, Customer, FeedbackItem, Submission

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def channel(db: None) -> Channel:
    return Channel.objects.create(slug="support-api", name="Support", kind="rest_api")


def say(channel: Channel, external_id: str, body: str) -> receiving.Received:
    return receiving.receive(channel, RawItem(external_id, body.encode()), at=AT)


def test_a_repeated_submission_is_stored_once(channel: Channel) -> None:
    first = say(channel, "T-1", '{"text": "It leaks"}')
    again = say(channel, "T-1", '{"text": "It leaks"}')

    assert (first.is_new, again.is_new) == (True, False)
    assert first.submission.pk == again.submission.pk
    assert receiving.tracking_token(first.submission) == receiving.tracking_token(again.submission)


def test_another_body_under_a_known_id_is_kept_beside_the_first(channel: Channel) -> None:
    first = say(channel, "T-1", '{"text": "It leaks"}').submission
    say(channel, "T-1", '{"text": "It burns"}')

    first.refresh_from_db()
    assert bytes(first.payload) == b'{"text": "It leaks"}'
    assert bytes(first.conflicting_payload) == b'{"text": "It burns"}'


def test_inside_a_batch_the_last_other_body_is_kept_beside_the_first(channel: Channel) -> None:
    bodies = [("1", b"a"), ("2", b"x"), ("1", b"b"), ("1", b"c"), ("2", b"x")]
    receiving.receive_many(channel, [RawItem(number, body) for number, body in bodies], at=AT)

    rows = Submission.objects.order_by("external_id").values_list("payload", "conflicting_payload")
    assert [(bytes(payload), other and bytes(other)) for payload, other in rows] == [(b"a", b"c"), (b"x", None)]


def test_the_same_id_in_two_channels_is_two_things(channel: Channel) -> None:
    other = Channel.objects.create(slug="other", name="Other", kind="rest_api")

    assert say(channel, "1", "{}").is_new
    assert say(other, "1", "{}").is_new


def test_repeats_inside_a_batch_are_the_first(channel: Channel) -> None:
    received = receiving.receive_many(channel, [RawItem(number, b"{}") for number in ("1", "2", "1", "3", "2")], at=AT)

    assert [each.is_new for each in received] == [True, True, False, True, False]
    assert received[0].submission.pk == received[2].submission.pk
    assert Submission.objects.count() == 3


def test_bytes_are_kept_as_they_came(channel: Channel) -> None:
    payload = bytes(range(256))

    receiving.receive(channel, RawItem("1", payload), at=AT)

    assert bytes(Submission.objects.get().payload) == payload


def test_an_endless_id_still_tells_things_apart(channel: Channel) -> None:
    assert say(channel, "x" * 1000 + "1", "{}").is_new
    assert say(channel, "x" * 1000 + "2", "{}").is_new
    assert not say(channel, "x" * 1000 + "1", "{}").is_new


def test_a_closed_channel_refuses_in_words(channel: Channel) -> None:
    channel.is_enabled = False

    with pytest.raises(receiving.ChannelClosed, match="switched off"):
        say(channel, "1", "{}")


@pytest.mark.parametrize("count", [2, 500])
def test_storing_many_takes_as_many_statements_as_storing_few(
    channel: Channel, count: int, django_assert_num_queries: Callable[..., object]
) -> None:
    raws = [RawItem(str(number), b"{}") for number in range(count)]

    with django_assert_num_queries(1):
        receiving.receive_many(channel, raws, at=AT)


@pytest.mark.django_db(transaction=True)
def test_a_hundred_at_once_are_one() -> None:
    channel = Channel.objects.create(slug="c", name="C", kind="rest_api")
    answers: list[receiving.Received] = []
    start = threading.Barrier(25)

    def knock() -> None:
        start.wait()
        answers.extend(say(channel, "same", '{"text": "x"}') for _ in range(4))
        connection.close()

    threads = [threading.Thread(target=knock) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 100
    assert sum(each.is_new for each in answers) == 1
    assert len({each.submission.pk for each in answers}) == 1


def test_a_tracking_token_leads_to_its_submission_and_is_not_stored(channel: Channel) -> None:
    submission = say(channel, "1", "{}").submission
    token = receiving.tracking_token(submission)

    assert receiving.find_by_token(token) == submission
    assert receiving.find_by_token(token[:-1] + "x") is None
    assert receiving.find_by_token("") is None
    assert len(token) == 43
    assert token not in str(Submission.objects.values().get())


@pytest.mark.parametrize(
    "bad",
    [
        {"external_id": ""},
        {"external_id": "1"},
    ],
)
def test_the_database_refuses_what_must_not_be(channel: Channel, bad: dict[str, str]) -> None:
    say(channel, "1", "{}")
    row = Submission(channel=channel, payload=b"", content_type="", sha256=b"", tracking_hash="t", **bad)

    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"text": "", "title": "", "rating_value": None}, "feedback_says_something"),
        ({"text": "x", "rating_scale": "nps"}, "feedback_rating_has_scale_and_value"),
        ({"text": "x", "rating_value": 5}, "feedback_rating_has_scale_and_value"),
    ],
)
def test_the_database_refuses_an_item_that_says_nothing(channel: Channel, fields: Any, constraint: str) -> None:
    submission = say(channel, "1", "{}").submission

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        FeedbackItem.objects.create(submission=submission, channel=channel, submitted_at=AT, received_at=AT, **fields)


@pytest.mark.parametrize(
    ("make", "constraint"),
    [
        (lambda: Customer.objects.create(email="ANA@example.com"), "customer_once_per_email"),
        (lambda: Customer.objects.create(external_id="C-1"), "external_id"),
        (lambda: Account.objects.create(external_id="A-1", value=-1), "account_value_not_negative"),
    ],
)
def test_the_database_refuses_a_second_self(db: None, make: Callable[[], object], constraint: str) -> None:
    Customer.objects.create(email="ana@example.com")
    Customer.objects.create(external_id="C-1")

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        make()


@pytest.mark.django_db(transaction=True)
class TestNormalizing:
    @pytest.fixture
    def channel(self) -> Channel:
        return Channel.objects.create(slug="support-api", name="Support", kind="rest_api")

    def test_a_submission_becomes_an_item_with_its_customer(self, channel: Channel) -> None:
        say(
            channel,
            "T-1",
            '{"text": "The lid cracked on day two", "title": "Cracked lid", "rating": {"scale": "csat5", "value": 2},'
            ' "customer": {"external_id": "C-9", "email": "A@Example.com", "name": "Ana", "account": "ACME"}, "product": "H4",'
            ' "submitted_at": "2026-03-01T09:14:00+01:00", "context": {"order": "O-77"}}',
        )

        assert normalizing.normalize_pending(at=AT).done == 1

        item = FeedbackItem.objects.get()
        assert (item.title, item.text, item.excerpt) == ("Cracked lid", *["The lid cracked on day two"] * 2)
        assert (item.rating_scale, item.rating_value) == ("csat5", Decimal(2))
        assert item.customer is not None
        assert (item.customer.external_id, item.customer.email, item.customer.account) == (
            "C-9",
            "a@example.com",
            Account.objects.get(external_id="ACME"),
        )
        assert item.submitted_at == datetime(2026, 3, 1, 8, 14, tzinfo=UTC)
        assert item.context == {"order": "O-77"}
        assert Arrival.objects.get().item == item

    def test_what_cannot_be_read_is_parked_and_its_neighbours_pass(self, channel: Channel) -> None:
        say(channel, "1", '{"text": "fine"}')
        say(channel, "2", "not json")
        say(channel, "3", '{"text": "x", "rating": {"scale": "moons", "value": 3}}')
        say(channel, "4", '{"text": "x", "rating": {"scale": "nps", "value": 11}}')

        drained = normalizing.normalize_pending(at=AT)

        assert drained.as_dict() == {"done": 1, "retried": 0, "parked": 3}
        reasons = Submission.objects.parked().order_by("pk").values_list("last_error", flat=True)
        assert [reason.split(":")[0].split(".")[0] for reason in reasons] == [
            "It is not JSON",
            'There is no rating scale "moons"',
            "A rating of 11 is not on the scale nps, which goes from 0 to 10",
        ]

    def test_an_empty_one_is_ignored_with_its_reason(self, channel: Channel) -> None:
        say(channel, "1", '{"text": "  "}')

        assert normalizing.normalize_pending(at=AT).done == 1
        assert Submission.objects.get().ignored_reason == "It holds no text and no rating."
        assert not FeedbackItem.objects.exists()

    def test_customers_are_found_again_by_id_then_by_address(self, channel: Channel) -> None:
        people = [
            '{"external_id": "C-1", "email": "ana@example.com"}',
            '{"email": "ANA@example.com", "name": "Ana"}',
            '{"external_id": "C-1"}',
            '{"email": "bo@example.com"}',
            '{"email": "bo@example.com", "name": "Bo"}',
            '{"external_id": "C-2", "email": "ana@example.com"}',
        ]
        for number, person in enumerate(people):
            say(channel, str(number), f'{{"text": "x", "customer": {person}}}')
            normalizing.normalize_pending(at=AT)

        owners = list(FeedbackItem.objects.order_by("pk").values_list("customer__external_id", "customer__email"))
        assert owners[0] == owners[1] == owners[2] == ("C-1", "ana@example.com")
        assert owners[3] == owners[4] == (None, "bo@example.com")
        assert owners[5] == ("C-2", "ana@example.com")
        assert Customer.objects.count() == 3
        assert Customer.objects.get(external_id="C-1").name == "Ana"

    def test_an_address_is_the_same_in_any_case(self, channel: Channel) -> None:
        Customer.objects.create(external_id="C-7", email="Ana@Example.com")
        say(channel, "1", '{"text": "x", "customer": {"email": "ana@example.com"}}')
        normalizing.normalize_pending(at=AT)

        assert FeedbackItem.objects.get().customer == Customer.objects.get()

    def test_many_customers_are_found_by_an_index(self, channel: Channel) -> None:
        Customer.objects.bulk_create(Customer(external_id=str(n), email=f"{n}@example.com") for n in range(5000))
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE intake_customer")
        say(channel, "1", '{"text": "x", "customer": {"email": "77@example.com"}}')
        with CaptureQueriesContext(connection) as queries:
            normalizing.normalize_pending(at=AT)
        [search] = [query["sql"] for query in queries if "lower(email) = wanted" in query["sql"]]
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + search)
            plan = " ".join(row[0] for row in cursor.fetchall())

        assert "customer_by_email" in plan

    def test_what_is_large_is_read_in_portions(self, channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
        sizes: list[int] = []
        whole = normalizing.normalize

        def measured(rows: Sequence[Submission], *, at: datetime) -> Any:
            sizes.append(sum(len(row.payload) for row in rows))
            return whole(rows, at=at)

        monkeypatch.setattr(normalizing, "normalize", measured)
        monkeypatch.setattr(normalizing, "MOST_BYTES", 1000)
        lengths = (300, 600, 100, 1, 5000, 200)
        for number, length in enumerate(lengths):
            say(channel, f"r{number}", f'{{"text": "{"x" * length}"}}')

        done = normalizing.normalize_pending(at=AT)

        assert (done.done, FeedbackItem.objects.count()) == (6, 6)
        assert len(sizes) > 2
        assert [size for size in sizes if size > 1000] == [5012]

    def test_a_batch_takes_as_many_statements_as_two(self, channel: Channel) -> None:
        counts = []
        for count in (2, 60):
            for number in range(count):
                person = f'{{"external_id": "{count}-{number}", "email": "{number}@{count}.example", "account": "A{number}"}}'
                say(channel, f"{count}-{number}", f'{{"text": "x", "customer": {person}}}')
                say(
                    channel,
                    f"{count}-{number}-m",
                    f'{{"text": "x", "customer": {{"email": "m{number}@{count}.example"}}}}',
                )
            with CaptureQueriesContext(connection) as queries:
                normalizing.normalize_pending(at=AT)
            counts.append(len(queries))

        assert counts[0] == counts[1]

    def test_two_workers_meeting_the_same_new_customer_make_one(self, channel: Channel) -> None:
        for number in range(60):
            say(channel, str(number), '{"text": "x", "customer": {"external_id": "C-1"}}')
        start = threading.Barrier(3)

        def work() -> None:
            start.wait()
            normalizing.normalize_pending(at=AT)
            connection.close()

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert FeedbackItem.objects.count() == 60
        assert Customer.objects.count() == 1

    def test_quarantined_things_wait_for_a_person(self, channel: Channel) -> None:
        received = receiving.receive(channel, RawItem("1", b'{"text": "x"}'), at=AT, quarantine="honeypot")
        normalizing.normalize_pending(at=AT)
        assert not FeedbackItem.objects.exists()

        assert receiving.release(received.submission)
        assert not receiving.release(received.submission)
        normalizing.normalize_pending(at=AT)
        assert FeedbackItem.objects.exists()

    def test_without_an_address_nobody_is_written_to(self, channel: Channel) -> None:
        say(channel, "1", '{"text": "x", "customer": {"external_id": "C-1", "may_contact": true}}')
        say(channel, "2", '{"text": "x", "customer": {"email": "a@example.com", "may_contact": false}}')
        say(channel, "3", '{"text": "x", "customer": {"email": "b@example.com"}}')
        normalizing.normalize_pending(at=AT)

        assert list(FeedbackItem.objects.order_by("pk").values_list("may_contact", flat=True)) == [False, False, True]

    def test_a_clock_far_ahead_is_not_believed(self, channel: Channel) -> None:
        say(channel, "1", '{"text": "x", "submitted_at": "2999-01-01T00:00:00Z"}')
        normalizing.normalize_pending(at=AT)

        assert FeedbackItem.objects.get().submitted_at.year == 2026


class TestCleaning:
    @given(st.text(st.characters(exclude_categories=()), max_size=300))
    def test_any_text_becomes_storable_and_stays_as_it_is(self, text: str) -> None:
        clean = clean_text(text)

        clean.encode()
        assert not [letter for letter in clean if unicodedata.category(letter) == "Cc" and letter not in "\n\t"]
        assert clean_text(clean) == clean
        clean_line(text, longest=40).encode()
        assert len(clean_line(text, longest=40)) <= 40
        assert "\n" not in excerpt(clean)

    def test_lines_and_letters_survive(self) -> None:
        assert clean_text("Größe\r\n\tна складе \U0001f600 שלום") == "Größe\n\tна складе \U0001f600 שלום"

    @pytest.mark.parametrize(
        "mark", ["\u0301", "\u05b4", "\u064b", "\u0e31", "\u20dd", "\u1ab0", "\ufe0f", "\U0001e8d0"]
    )
    def test_towers_of_marks_are_cut_down(self, mark: str) -> None:
        assert clean_text("a" + mark * 1000 + "b") == "a" + mark * 8 + "b"

    def test_no_mark_of_any_script_makes_a_tower(self) -> None:
        marks = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == "M"]

        assert len(marks) > 2000
        assert [mark for mark in marks if len(clean_text("a" + mark * 9 + "b")) != 10] == []

    def test_what_is_too_long_says_so(self) -> None:
        assert clean_text("x" * (LONGEST_TEXT + 1)).endswith(CUT)
        assert len(clean_text("x" * (LONGEST_TEXT + 1))) <= LONGEST_TEXT
