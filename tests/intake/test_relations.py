"""Whom a record of another system means, what it changes, and what is left of whom it deletes."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from intake import normalizing, receiving
from intake.connectors.base import RawItem
from intake.exposures import Count, take_counts
from intake.models import Account, Customer, Exposure, FeedbackItem, Identity, Ownership
from intake.relations import Company, Owned, Person, Verdict, take_companies, take_people
from tests.makers import make_channel, make_item

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


def put(*people: Person) -> list[Verdict]:
    return take_people(people, at=AT)


def told(*people: Person) -> list[str]:
    return [each.status for each in put(*people)]


def said(sender: str, number: int = 1) -> Customer:
    """Whoever a piece of feedback from this sender is taken to be from."""
    received = receiving.receive(
        make_channel(), RawItem(f"s-{number}", f'{{"text": "x", "customer": {sender}}}'.encode()), at=AT
    )
    normalizing.normalize_pending(at=AT)
    customer = FeedbackItem.objects.get(pk=received.submission.pk).customer
    assert customer is not None
    return customer


class TestWhoIsMeant:
    @pytest.mark.parametrize(
        ("sender", "expected"),
        [
            ('{"external_id": "C-1"}', "Dana"),
            ('{"external_id": "hubspot:123"}', "Dana"),
            ('{"external_id": "zendesk:511", "email": "nobody@else.example"}', "Dana"),
            ('{"email": "DANA@Ortiz.example"}', "Dana"),
            ('{"email": "dana.private@gmail.com"}', "Dana"),
            ('{"external_id": "zendesk:123"}', ""),  # the same number in another system is another person
            ('{"external_id": "123"}', ""),
            ('{"external_id": "C-2", "email": "dana@ortiz.example"}', ""),  # our own numbers tell them apart
            ('{"external_id": "C-2", "email": "kim@ortiz.example"}', "Kim"),  # known by nothing but the address so far
        ],
    )
    def test_feedback_finds_them_by_any_id_then_by_address(self, sender: str, expected: str) -> None:
        put(
            Person(
                ids=(("", "C-1"), ("hubspot", "123"), ("zendesk", "511")),
                email="dana@ortiz.example",
                other_emails=("Dana.Private@gmail.com",),
                name="Dana",
            ),
            Person(email="kim@ortiz.example", name="Kim"),
        )

        assert said(sender).name == expected

    def test_a_number_of_ours_is_learned_by_the_address(self) -> None:
        first = said('{"email": "kim@ortiz.example"}', 1)

        assert said('{"external_id": "C-7", "email": "kim@ortiz.example"}', 2) == first
        assert said('{"external_id": "C-7"}', 3) == first

    @pytest.mark.parametrize(
        ("email", "works_there"),
        [
            ("anyone@ortiz.example", True),
            ("anyone@shop.ortiz.example", False),
            ("anyone@gmail.com", False),
            ("anyone@yahoo.co.uk", False),
            ("anyone@shared.example", False),
        ],
    )
    def test_the_domain_of_an_address_tells_the_company_but_free_mail_does_not(
        self, email: str, works_there: bool
    ) -> None:
        take_companies(
            [
                Company(ids=(("", "A-1"),), name="Ortiz", domain="https://www.ortiz.example/about"),
                Company(ids=(("", "A-2"),), name="Free", domain="gmail.com"),
                Company(ids=(("", "A-3"),), name="Free too", domain="yahoo.co.uk"),
                Company(ids=(("", "A-4"),), name="One of two", domain="shared.example"),
                Company(ids=(("", "A-5"),), name="Other of two", domain="shared.example"),
            ],
            at=AT,
        )
        [imported] = put(Person(ids=(("hubspot", "1"),), email=f"other-{email}"))

        for customer in (said(f'{{"email": "{email}"}}'), Customer.objects.get(pk=imported.pk)):
            assert (customer.account and customer.account.external_id) == ("A-1" if works_there else None)

    def test_of_two_with_one_address_a_new_number_is_for_the_one_without(self) -> None:
        Customer.objects.create(external_id="C-1", email="desk@firm.example")
        nameless = Customer.objects.create(email="desk@firm.example")

        assert said('{"external_id": "C-2", "email": "desk@firm.example"}') == nameless

    def test_two_systems_know_one_person(self) -> None:
        told(Person(ids=(("hubspot", "123"),), email="Dana@Ortiz.example", name="Dana"))
        told(Person(ids=(("salesforce", "003A"),), email="dana@ortiz.example", name="Dana Ortiz"))

        [known] = Customer.objects.all()
        assert {str(each) for each in known.identities.all()} == {"hubspot:123", "salesforce:003A"}
        assert known.name == "Dana Ortiz"

    def test_feedback_and_records_that_meet_at_an_address_are_one(self) -> None:
        """The record's id is one row's, its address another's."""
        told(Person(ids=(("hubspot", "123"),), name="Dana"))
        customer = said('{"email": "dana@ortiz.example"}')

        assert told(Person(ids=(("hubspot", "123"),), email="dana@ortiz.example")) == ["updated"]
        [known] = Customer.objects.all()
        assert (known.name, known.email) == ("Dana", "dana@ortiz.example")
        assert FeedbackItem.objects.get().customer == known
        assert customer.pk != known.pk

    def test_an_address_taken_from_another_of_the_same_system_is_left_out(self) -> None:
        told(
            Person(ids=(("hubspot", "8"),), email="ann@firm.example"),
            Person(ids=(("hubspot", "9"),), email="bob@firm.example"),
        )
        [verdict] = put(Person(ids=(("hubspot", "8"),), email="bob@firm.example", name="Ann"))

        assert "left out" in verdict.reason
        assert set(Customer.objects.values_list("name", "email")) == {
            ("Ann", "ann@firm.example"),
            ("", "bob@firm.example"),
        }

    def test_a_number_of_ours_takes_the_place_of_another_systems(self) -> None:
        [first] = put(Person(ids=(("zendesk", "511"), ("", "C-1"))))

        assert Customer.objects.get(pk=first.pk).external_id == "C-1"
        assert said('{"external_id": "zendesk:511"}').pk == first.pk

    def test_whoever_has_no_id_and_no_address_is_passed_over(self) -> None:
        [verdict] = put(Person(name="Somebody"))

        assert (verdict.status, Customer.objects.count()) == ("skipped", 0)


class TestWhichVersionCounts:
    def test_a_later_version_replaces_and_an_older_one_fills_gaps(self) -> None:
        one = (("hubspot", "1"),)
        assert told(Person(ids=one, name="New", changed_at=AT)) == ["created"]
        assert told(Person(ids=one, name="Old", language="de", changed_at=AT - DAY)) == ["updated"]
        assert told(Person(ids=one, name="Old", changed_at=AT - DAY)) == ["unchanged"]
        assert told(Person(ids=one, changed_at=AT + DAY)) == ["unchanged"]

        known = Customer.objects.get()
        assert (known.name, known.language, known.changed_at) == ("New", "de", AT + DAY)

    def test_a_value_keeps_the_currency_it_came_with(self) -> None:
        one = (("hubspot", "1"),)
        take_companies([Company(ids=one, value=Decimal(5), currency="eur", changed_at=AT)], at=AT)
        take_companies([Company(ids=one, value=Decimal(9), currency="usd", changed_at=AT - DAY)], at=AT)
        known = Account.objects.get()
        assert (known.value, known.currency) == (Decimal(5), "EUR")

        take_companies([Company(ids=one, value=Decimal(7), currency="chf")], at=AT)
        known.refresh_from_db()
        assert (known.value, known.currency) == (Decimal(7), "CHF")

    def test_rows_of_one_file_see_each_other(self) -> None:
        assert told(
            Person(ids=(("hubspot", "1"),), email="a@firm.example"),
            Person(ids=(("salesforce", "003"),), email="a@firm.example", name="A"),
            Person(ids=(("hubspot", "1"),), name="B"),
        ) == ["created", "updated", "updated"]
        assert Customer.objects.get().name == "B"

    def test_a_company_that_a_person_names_is_made_once_and_filled_later(self) -> None:
        firm = Company(ids=(("hubspot", "9001"),), name="Ortiz", is_mention=True)
        put(Person(ids=(("hubspot", "1"),), account=firm))
        take_companies([Company(ids=(("hubspot", "9001"),), name="Ortiz Bikes GmbH", segment="Gold")], at=AT)
        put(Person(ids=(("hubspot", "2"),), account=firm))

        account = Account.objects.get()
        assert (account.name, account.segment, account.customers.count()) == ("Ortiz Bikes GmbH", "Gold", 2)

    def test_products_are_kept_as_they_are_called(self) -> None:
        one = (("", "C-1"),)
        told(Person(ids=one, owned=(Owned("H4", date(2025, 1, 2)), Owned("Something new"))))

        assert told(Person(ids=one, owned=(Owned("H4"),))) == ["unchanged"]
        assert told(Person(ids=one, owned=(Owned("H4", date(2025, 1, 3)),))) == ["updated"]
        assert set(Ownership.objects.values_list("product", "since")) == {
            ("H4", date(2025, 1, 3)),
            ("Something new", None),
        }


class TestMerged:
    def test_what_belonged_to_a_merged_record_comes_along(self) -> None:
        kept, lost = put(
            Person(ids=(("hubspot", "1"),), name="A"),
            Person(ids=(("hubspot", "2"),), name="B", email="b@firm.example", owned=(Owned("H4"),)),
        )
        Customer.objects.filter(pk=lost.pk).update(opted_out_at=AT)
        item = make_item(customer=Customer.objects.get(pk=lost.pk))

        assert told(Person(ids=(("hubspot", "1"),), merged=(("hubspot", "2"),))) == ["updated"]
        item.refresh_from_db()
        known = Customer.objects.get()
        assert item.customer_id == known.pk == kept.pk
        assert (known.name, known.email, known.opted_out_at) == ("A", "b@firm.example", AT)
        assert [each.product for each in known.owned.all()] == ["H4"]
        assert told(Person(ids=(("hubspot", "1"),), merged=(("hubspot", "2"),))) == ["unchanged"]

    def test_a_merged_record_that_still_speaks_replaces_nothing(self) -> None:
        told(Person(ids=(("hubspot", "1"),), name="A", merged=(("hubspot", "2"),)))

        assert told(Person(ids=(("hubspot", "2"),), name="B", changed_at=AT + DAY)) == ["unchanged"]
        assert Customer.objects.get().name == "A"

    @pytest.mark.parametrize("first", ["stays", "goes"])
    def test_a_record_may_say_itself_into_which_it_was_merged(self, first: str) -> None:
        stays = Person(ids=(("salesforce", "003A"),), name="A")
        goes = Person(ids=(("salesforce", "003B"),), merged_into=("salesforce", "003A"), is_gone=True)
        for each in (stays, goes) if first == "stays" else (goes, stays):
            put(each)

        [known] = Customer.objects.all()
        assert known.name == "A"
        assert said('{"external_id": "salesforce:003B"}') == known

    def test_companies_keep_their_people(self) -> None:
        put(Person(ids=(("hubspot", "1"),), account=Company(ids=(("hubspot", "9002"),), is_mention=True)))
        take_companies([Company(ids=(("hubspot", "9001"),), merged=(("hubspot", "9002"),), segment="Gold")], at=AT)

        customer = Customer.objects.select_related("account").get()
        assert customer.account is not None
        assert customer.account.segment == "Gold"
        assert Account.objects.count() == 1


class TestDeleted:
    def test_nothing_of_them_is_left_and_no_older_version_brings_them_back(self) -> None:
        one = (("hubspot", "123"),)
        put(Person(ids=one, email="dana@ortiz.example", name="Dana", owned=(Owned("H4"),), changed_at=AT))

        assert told(Person(ids=one, is_gone=True, changed_at=AT + DAY)) == ["deleted"]
        gone = Customer.objects.get()
        assert (gone.email, gone.name, gone.erased_at) == ("", "", AT)
        assert not Ownership.objects.exists()
        assert told(Person(ids=one, name="Dana", changed_at=AT)) == ["skipped"]
        assert told(Person(ids=one, name="Dana")) == ["skipped"]
        assert told(Person(ids=one, name="Dana", changed_at=AT + 2 * DAY)) == ["created"]
        assert told(Person(ids=one, name="Dana", changed_at=AT + 2 * DAY)) == ["unchanged"]

    def test_whom_another_system_still_knows_stays(self) -> None:
        put(Person(ids=(("hubspot", "1"), ("salesforce", "003")), name="Dana"))

        assert told(Person(ids=(("hubspot", "1"),), is_gone=True)) == ["updated"]
        assert Customer.objects.get().name == "Dana"
        assert told(Person(ids=(("salesforce", "003"),), is_gone=True)) == ["deleted"]
        assert Customer.objects.get().name == ""

    def test_a_wish_for_privacy_deletes_whoever_else_knows_them(self) -> None:
        put(
            Person(
                ids=(("hubspot", "1"), ("salesforce", "003"), ("", "C-1")),
                email="d@x.example",
                other_emails=("e@x.example",),
            )
        )

        assert told(Person(ids=(("hubspot", "1"),), is_gone=True, for_privacy=True)) == ["deleted"]
        assert told(Person(ids=(("salesforce", "003"),), name="Dana")) == ["skipped"]
        assert told(Person(ids=(("", "C-1"),), name="Dana")) == ["skipped"]
        assert not Identity.objects.filter(system="email").exists()

    def test_a_deleted_company_keeps_what_was_counted_by(self) -> None:
        firm = Company(
            ids=(("hubspot", "9001"),), name="Ortiz", domain="ortiz.example", segment="Gold", value=Decimal(5)
        )
        put(Person(ids=(("hubspot", "1"),), account=firm))

        [verdict] = take_companies([Company(ids=(("hubspot", "9001"),), is_gone=True)], at=AT)
        account = Account.objects.get()
        assert verdict.status == "deleted"
        assert (account.name, account.domain, account.segment, account.value) == ("", "", "Gold", Decimal(5))
        assert Customer.objects.get().account is None


class TestCounts:
    def test_the_later_count_of_a_day_wins(self) -> None:
        day = date(2026, 3, 1)

        def put(count: int, changed_at: datetime | None = None) -> str:
            return take_counts([Count("visits", day, count, product="H4", site="Wien", changed_at=changed_at)])[
                0
            ].status

        assert [put(5, AT), put(5, AT), put(7, AT + DAY), put(6, AT), put(8)] == [
            "created",
            "unchanged",
            "updated",
            "skipped",
            "updated",
        ]
        assert Exposure.objects.get().count == 8

    def test_of_several_in_one_file_the_last_one_counts(self) -> None:
        day = date(2026, 3, 1)
        verdicts = take_counts([Count("orders", day, 1), Count("orders", day, 2), Count("orders", day, 2, site="Wien")])

        assert [each.status for each in verdicts] == ["created", "updated", "created"]
        assert sorted(Exposure.objects.values_list("site", "count")) == [("", 2), ("Wien", 2)]


@pytest.mark.parametrize("made", ["people", "companies", "counts"])
def test_forty_records_take_as_many_statements_as_two(made: str) -> None:
    def record(name: str) -> Any:
        account = Company(ids=(("hubspot", f"a{name}"),), name=name, domain=f"{name}.example", owned=(Owned("H4"),))
        person = Person(ids=(("hubspot", name),), email=f"{name}@{name}.example", account=account, owned=(Owned("H4"),))
        return {"people": person, "companies": account, "counts": Count("orders", date(2026, 3, 1), 1, name)}[made]

    take: dict[str, Callable[[list[Any]], object]] = {
        "people": lambda records: take_people(records, at=AT),
        "companies": lambda records: take_companies(records, at=AT),
        "counts": take_counts,
    }
    counts = []
    for count in (2, 40):
        with CaptureQueriesContext(connection) as queries:
            take[made]([record(f"{count}-{number}") for number in range(count)])
        counts.append(len(queries))

    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("told_by", ["address", "card"])
def test_programs_that_tell_of_one_person_at_once_make_one(told_by: str) -> None:
    """By an address, of which a constraint knows, or by a number of a third system, of which none does."""
    start = threading.Barrier(4)
    failed: list[BaseException] = []

    def tell(system: str) -> None:
        try:
            start.wait(10)
            for number in range(5):
                own = (system, f"{number}")
                if told_by == "address":
                    put(Person(ids=(own,), email=f"p{number}@firm.example", name=system))
                else:
                    put(Person(ids=(own, ("card", f"{number}")), name=system))
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=tell, args=(system,)) for system in ("hubspot", "salesforce", "shop", "zendesk")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failed == []
    assert Customer.objects.count() == 5
    assert {each.identities.count() for each in Customer.objects.all()} == {4 if told_by == "address" else 5}
