"""What files of customers, companies and counts are read as, and how they come in through the command, the page and the workers."""

import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.test import Client

from feedback_portal.accounts.models import Role
from intake import relation_files, relation_runs
from intake.exposures import Count
from intake.models import Account, Customer, Exposure, Identity, RelationFile, RelationNotice
from intake.money import NoSum, sum_of
from intake.relation_files import Row
from intake.relations import Company, Person
from tests.makers import make_person

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"

HUBSPOT_COMPANIES = """\
Record ID,Company name,Company Domain Name,Annual Revenue,Number of Employees,Industry,Lifecycle Stage,Customer tier,Company owner
71,Nordlicht AG,www.nordlicht.example,"1.250.000,00 EUR",40,RETAIL,Customer,Gold,Mina
72,Spezerei & Co,spezerei.example,much,,FOOD,Lead,,
"""
HUBSPOT_IN_GERMAN = """\
\ufeffDatensatz-ID;Unternehmensname;Domainname des Unternehmens;Jahresumsatz;Branche;Lifecycle-Phase
71;Nordlicht AG;nordlicht.example;1.250.000,00 €;Handel;Kunde
"""
HUBSPOT_CONTACTS = """\
Record ID,First Name,Last Name,Email,Contact owner,Primary Associated Company ID,Merged Record IDs
11,Ida,Sommer,IDA@Nordlicht.example,Mina,71,9;10
12,,,not an address,,,
"""
SALESFORCE_ACCOUNTS = """\
"ID","NAME","TYPE","ANNUALREVENUE","CURRENCYISOCODE","WEBSITE","ISDELETED","MASTERRECORDID","LASTMODIFIEDDATE"
"001dM00003jU9GxQAK","Nordlicht","Key account","1250000.0","EUR","https://nordlicht.example","false","","2026-02-01T10:11:12.000Z"
"001dM00003jU9H2QAK","Nordlicht old","","","","","true","001dM00003jU9GxQAK","2026-02-01T10:11:12.000Z"
"""
SALESFORCE_REPORT = """\
Contact ID,First Name,Last Name,Email,Account ID
003dM00003jU9Gx,Ida,Sommer,ida@nordlicht.example,001dM00003jU9Gx
Contact ID,First Name,Last Name,Email,Account ID
,,,,
"Grand Totals (1 records)",,,,
"Confidential Information - Do Not Distribute",,,,
"""
COUNTS = """\
Datum;Produkt;Filiale;Ausgelieferte Einheiten;Bestellungen
01.03.2026;H4;Wien;1.250;30
02.03.2026;H4;Wien;;31
gestern;H4;Wien;5;6
03.03.2026;H4;Wien;viele;7
"""


def read(text: str | bytes, **settings: Any) -> tuple[str, list[Row]]:
    file = io.BytesIO(text.encode() if isinstance(text, str) else text)
    with relation_files.opened(file, settings=settings) as sheet:
        return sheet.preset.slug, list(sheet.rows())


def test_companies_of_hubspot() -> None:
    preset, [first, second] = read(HUBSPOT_COMPANIES)

    assert preset == "hubspot_companies"
    assert first.said == Company(
        ids=(("hubspot", "71"),),
        name="Nordlicht AG",
        domain="www.nordlicht.example",
        segment="Gold",
        value=Decimal("1250000.00"),
        currency="EUR",
        lifecycle="Customer",
        owner="Mina",
    )
    assert isinstance(second.said, Company)
    assert (second.said.segment, second.said.value) == ("FOOD", None)
    assert second.remarks == (
        ("Annual Revenue", '"much" is not a sum of money. Write it like 1250000.00 EUR. It was left out.'),
    )


def test_headings_in_another_language() -> None:
    preset, [row] = read(HUBSPOT_IN_GERMAN)

    assert preset == "hubspot_companies"
    assert row.said == Company(
        ids=(("hubspot", "71"),),
        name="Nordlicht AG",
        domain="nordlicht.example",
        segment="Handel",
        value=Decimal("1250000.00"),
        currency="EUR",
        lifecycle="Kunde",
    )


def test_contacts_of_hubspot() -> None:
    preset, [first, second] = read(HUBSPOT_CONTACTS)

    assert preset == "hubspot_contacts"
    assert first.said == Person(
        ids=(("hubspot", "11"),),
        name="Ida Sommer",
        email="IDA@Nordlicht.example",
        account=Company(ids=(("hubspot", "71"),), is_mention=True),
        merged=(("hubspot", "9"), ("hubspot", "10")),
    )
    assert second.said == Person(ids=(("hubspot", "12"),))
    assert [column for column, _ in second.remarks] == ["Email"] * 3


def test_accounts_of_salesforce() -> None:
    preset, [first, second] = read(SALESFORCE_ACCOUNTS)

    assert preset == "salesforce_accounts"
    assert isinstance(first.said, Company)
    assert (first.said.segment, first.said.value, first.said.currency) == ("Key account", Decimal("1250000.00"), "EUR")
    assert first.said.changed_at == datetime(2026, 2, 1, 10, 11, 12, tzinfo=UTC)
    assert isinstance(second.said, Company)
    assert (second.said.is_gone, second.said.merged_into) == (True, ("salesforce", "001dM00003jU9GxQAK"))


def test_a_report_of_salesforce_has_short_ids_and_a_foot() -> None:
    preset, [first, *others] = read(SALESFORCE_REPORT)

    assert preset == "salesforce_contacts"
    assert isinstance(first.said, Person)
    assert first.said.ids == (("salesforce", "003dM00003jU9GxQAK"),)
    assert first.said.account is not None
    assert first.said.account.ids == (("salesforce", "001dM00003jU9GxQAK"),)
    assert [each.reason for each in others] == [
        "It repeats the header.",
        "It is empty.",
        "It is the foot of the report, not a row of it.",
        "It is the foot of the report, not a row of it.",
    ]


def test_counts_of_several_kinds_in_a_row() -> None:
    preset, rows = read(COUNTS)

    assert preset == "exposures"
    assert [row.said for row in rows] == [
        (
            Count("units_shipped", date(2026, 3, 1), 1250, "H4", "Wien"),
            Count("orders", date(2026, 3, 1), 30, "H4", "Wien"),
        ),
        (Count("orders", date(2026, 3, 2), 31, "H4", "Wien"),),
        None,
        (Count("orders", date(2026, 3, 3), 7, "H4", "Wien"),),
    ]
    assert (rows[2].column, rows[2].is_failure) == ("Datum", True)
    assert rows[3].remarks == (("Ausgelieferte Einheiten", '"viele" is not a count. It was left out.'),)


def test_a_workbook_is_a_table_too() -> None:
    book = openpyxl.Workbook()
    book.active.append(["Customer number", "E-mail", "Full name", "Products"])
    book.active.append([4711, "ida@nordlicht.example", "Ida", "H4; H5"])
    written = io.BytesIO()
    book.save(written)
    _, [row] = read(written.getvalue(), system="shop")

    assert isinstance(row.said, Person)
    assert row.said.ids == (("shop", "4711"),)
    assert [each.product for each in row.said.owned] == ["H4", "H5"]


def test_what_a_person_says_of_the_columns_stands_before_all() -> None:
    text = "Id,Mail,Whatever\n1,a@x.example,b@x.example\n"
    _, [row] = read(text, columns={"Mail": "ignore", "Whatever": "email"})

    assert isinstance(row.said, Person)
    assert row.said.email == "b@x.example"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1.250.000,00 EUR", ("1250000.00", "EUR")),
        ("$1,250,000", ("1250000.00", "USD")),
        ("€ 1\u00a0250\u202f000,5", ("1250000.50", "EUR")),
        ("1'250'000 CHF", ("1250000.00", "CHF")),
        ("1250000.0", ("1250000.00", "")),
        ("1,250", ("1250.00", "")),
        ("0.125", ("0.12", "")),
        ("12500.125", ("12500.12", "")),
        ("-5", None),
        ("5 kr", None),
        ("1.2.3", None),
        ("1,23,456", None),
        ("9" * 15, None),
        ("", None),
    ],
)
def test_sums_of_money(written: str, expected: tuple[str, str] | None) -> None:
    if expected is None:
        with pytest.raises(NoSum, match=r"\.\Z"):
            sum_of(written)
    else:
        amount, currency = sum_of(written)
        assert (str(amount), currency) == expected


@pytest.fixture
def state(settings: Any, tmp_path: Path) -> Path:
    settings.STATE_DIR = tmp_path / "state"
    return tmp_path


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., dict[str, int]]:
    def run(text: str, **options: Any) -> dict[str, int]:
        path = tmp_path / "file.csv"
        path.write_text(text, encoding="utf-8")
        call_command("import_customers", str(path), **options)
        counts: dict[str, int] = json.loads(capsys.readouterr().out)
        assert counts["read"] == sum(counts.values()) - counts["read"], "every row is accounted for"
        return {name: count for name, count in counts.items() if count}

    return run


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", [HUBSPOT_COMPANIES, HUBSPOT_CONTACTS, SALESFORCE_ACCOUNTS, SALESFORCE_REPORT, COUNTS], ids=range(5)
)
def test_a_dry_run_tells_what_the_command_does_and_the_same_file_again_changes_nothing(
    command: Callable[..., dict[str, int]], text: str
) -> None:
    rehearsed = command(text, dry_run=True)
    assert [model.__name__ for model in (Customer, Account, Exposure, Identity) if model.objects.exists()] == []

    assert command(text) == rehearsed
    again = command(text)
    assert again.get("created", 0) == again.get("updated", 0) == again.get("deleted", 0) == 0


@pytest.mark.django_db
def test_a_dry_run_of_many_chunks_makes_nobody_twice(
    command: Callable[..., dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relation_runs, "CHUNK", 2)
    text = "customer_id,name\n" + "".join(f"{number % 3},N{number}\n" for number in range(7))

    assert command(text, dry_run=True) == command(text) == {"read": 7, "created": 3, "updated": 4}


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "day,name\n2026-01-01,x\n"])
def test_a_file_that_says_nothing_is_refused_in_words(state: Path, text: str) -> None:
    path = state / "file.csv"
    path.write_text(text)
    options = {"kind": "exposures"} if text.startswith("day") else {}
    with pytest.raises(CommandError) as refused:
        call_command("import_customers", str(path), **options)

    assert str(refused.value).endswith(".")


def begun(text: str = HUBSPOT_CONTACTS, **told: Any) -> RelationFile:
    run = relation_runs.upload(io.BytesIO(text.encode()), name="people.csv", by=None, told=told)
    relation_runs.begin(run, told=told)
    return run


def counts(run: RelationFile) -> tuple[str, dict[str, int]]:
    run = RelationFile.objects.get(pk=run.pk)
    found = {name: getattr(run, name) for name in relation_runs.COUNTED}
    return run.state, {name: count for name, count in found.items() if count}


class Killed(BaseException):
    """What a process meets that is killed."""


@pytest.mark.django_db(transaction=True)
def test_workers_go_on_where_a_killed_one_stopped(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relation_runs, "CHUNK", 3)
    text = "customer_id,email\n" + "".join(f"{n},{'x' if n == 4 else f'{n}@x.example'}\n" for n in range(10))
    run = begun(text)
    whole, calls = relation_runs._taken, []

    def dies(*args: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise Killed
        return whole(*args, **named)

    monkeypatch.setattr(relation_runs, "_taken", dies)
    with pytest.raises(Killed):
        relation_runs.take_in_pending(at=AT)
    assert counts(run) == ("running", {"read": 6, "created": 6})

    RelationFile.objects.update(next_attempt_at=Now())
    relation_runs.take_in_pending(at=AT)
    assert counts(run) == ("done", {"read": 10, "created": 10})
    assert Customer.objects.count() == 10
    assert [(each.row, each.column) for each in RelationNotice.objects.all()] == [(6, "email")]
    assert not list((state / "state" / "imports").iterdir()), "the file goes once its rows are in"


@pytest.mark.django_db(transaction=True)
def test_nothing_of_a_cancelled_file_is_taken_in(state: Path) -> None:
    run = begun()
    relation_runs.cancel(run)
    relation_runs.take_in_pending(at=AT)

    assert counts(run) == ("cancelled", {})
    assert not list((state / "state" / "imports").iterdir())
    with pytest.raises(relation_runs.NotNow):
        relation_runs.cancel(run)


@pytest.mark.django_db(transaction=True)
class TestPage:
    @pytest.fixture
    def admin(self, state: Path) -> Client:
        client = Client()
        client.force_login(make_person("Ada", role=Role.ADMIN))
        return client

    def test_a_file_is_looked_at_mapped_and_taken_in(self, admin: Client) -> None:
        text = "Nr,Adresse,Notiz\n7,ida@nordlicht.example,<b>hostile</b>\n8,nobody,=1+1\n"
        sent = admin.post("/settings/customers/", {"file": io.BytesIO(text.encode()), "system": "shop"})
        page = admin.get(sent["Location"])
        assert "&lt;b&gt;hostile" in page.content.decode()

        answer = {"system": "shop", "column-0": "external_id", "column-1": "email", "column-2": "ignore"}
        looked = admin.post(sent["Location"], answer | {"look": "yes"})
        assert "Row 3, Adresse: &quot;nobody&quot; is not an e-mail address." in looked.content.decode()
        assert not Customer.objects.exists()

        admin.post(sent["Location"], answer | {"begin": "yes"})
        relation_runs.take_in_pending(at=AT)
        assert set(map(str, Identity.objects.all())) == {"shop:7", "shop:8"}
        assert "Adresse" in admin.get(sent["Location"]).content.decode()
        report = b"".join(admin.get(f"{sent['Location']}rows/")).decode()  # type: ignore[call-overload]
        assert report.splitlines()[1] == '3,Adresse,"""nobody"" is not an e-mail address. It was left out."'
        again = admin.post(sent["Location"], answer | {"begin": "yes"})
        assert again.status_code == 409

    def test_a_file_without_what_is_needed_is_not_begun(self, admin: Client) -> None:
        sent = admin.post("/settings/customers/", {"file": io.BytesIO(b"a,b\n1,2\n")})
        answer = admin.post(sent["Location"], {"begin": "yes"})

        assert answer.status_code == 422
        assert "No column is known to hold" in answer.content.decode()

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no workbook", bytes(range(256)) * 40])
    def test_what_is_no_table_is_refused_in_words(self, admin: Client, content: bytes) -> None:
        answer = admin.post("/settings/customers/", {"file": io.BytesIO(content)})

        assert answer.status_code in {302, 422}
        if answer.status_code == 302:
            assert admin.get(answer["Location"]).status_code == 200

    def test_nothing_sent_is_told(self, admin: Client) -> None:
        assert "Choose a file" in admin.post("/settings/customers/").content.decode()

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("hubspot:11", True), ("11", True), ("IDA@nordlicht.example", True), ("somm", True), ("C-9", False),
            ("zendesk:11", False), ("", False), ("x\x00", False),
        ],
    )  # fmt: skip
    def test_customers_are_found_by_number_address_or_name(self, admin: Client, asked: str, found: bool) -> None:
        begun()
        relation_runs.take_in_pending(at=AT)

        page = admin.get("/settings/customers/", {"q": asked}).content.decode()
        assert ('<th scope="row">' in page and "Ida Sommer" in page) is found


@pytest.mark.django_db
def test_every_row_of_the_sample_exports_is_accounted_for(command: Callable[..., dict[str, int]]) -> None:
    paths = [
        path
        for path in [*SAMPLES.glob("hubspot/*.csv"), *SAMPLES.glob("salesforce/*.csv")]
        if "ticket" not in path.name
    ]
    if not paths:
        pytest.skip("There are no sample exports beside the project.")
    for path in sorted(paths):
        text = path.read_text(encoding="utf-8-sig")
        counts = command(text)
        assert counts["read"] >= 2
        assert "failed" not in counts, path.name
        assert command(text).get("created", 0) == 0, path.name
