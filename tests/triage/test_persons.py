"""One person's data: given out whole, corrected everywhere, and erased from every table and file, while no number moves."""

import io
import json
import uuid
import zipfile
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import RememberedAnswer, Role
from feedback_portal.refusals import BadInput, NotFound
from intake import erasure_ledger, importing, normalizing, receiving
from intake.connectors.base import File, RawItem
from intake.models import (
    Customer,
    DataRequest,
    Delivery,
    FeedbackItem,
    Identity,
    Import,
    ImportNotice,
    Ownership,
    Participant,
    RelationFile,
    RelationNotice,
    Revision,
    Session,
    Submission,
)
from kpis import recording
from kpis.models import Measurement
from kpis.periods import local_day
from tests.makers import actor, make_channel, make_customer, make_person, make_team
from triage import decisions, persons, pipeline
from triage.models import Event, Notification, Ticket
from triage.persons import person_export

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now().replace(microsecond=0)
PDF = b"%PDF-1.4 canary-ana\n%%EOF"


class World:
    """Ana and Bo, each with a canary in every place that can hold a word of theirs; both answered twice in one week."""

    def __init__(self) -> None:
        self.channel = make_channel("calls")
        self.team = make_team("quality", is_catch_all=False)
        self.lead = make_person("Mina", self.team, role=Role.LEAD)
        self.ana = self.person("ana")
        self.bo = self.person("bo")
        for back in range(4):
            recording.recount(local_day(NOW - timedelta(days=back), recording.reporting_zone()), at=NOW)

    def person(self, name: str) -> Customer:
        word = f"canary-{name}"
        said = {
            "text": f"{word} says the lid is broken",
            "title": f"Title {word}",
            "url": f"https://shop.example/{word}",
            "context": {"shop": word},
            "rating": {"scale": "nps", "value": 3},
            "customer": {"email": f"{name}.{word}@mail.example", "name": f"N {word}", "external_id": f"id-{word}",
                         "may_contact": True},
        }  # fmt: skip
        keys = []
        for number, score in enumerate((3, 9)):
            at = NOW - timedelta(hours=3 - number)
            raw = RawItem(
                f"{name[0]}{number}-{uuid.uuid4()}",
                json.dumps(said | {"rating": {"scale": "nps", "value": score}}).encode(),
                headers={"x": word},
                updated_at=at,
            )
            files = [File(f"{word}.pdf", "application/pdf", PDF.replace(b"canary-ana", word.encode()))]
            keys.append(receiving.receive(self.channel, raw, at=at, files=files if number == 0 else ()).submission.pk)
        normalizing.normalize_pending(at=NOW)
        pipeline.understand_pending(at=NOW)
        customer = Customer.objects.get(external_id=f"id-{word}")
        Customer.objects.filter(pk=customer.pk).update(language=word[-12:])
        first = Submission.objects.get(pk=keys[0])
        email = customer.email
        Submission.objects.filter(pk=first.pk).update(conflicting_payload=word.encode(), last_error=word)
        FeedbackItem.objects.filter(pk=first.pk).update(thread=word, author=word)
        Revision.objects.create(submission=first, payload=f"was {word}".encode(), content_type="x")
        ticket = Ticket.objects.filter(item=first.pk).get()
        Ticket.objects.filter(pk=ticket.pk).update(team=self.team)
        decisions.decide(ticket.reference, "reply", by=actor(self.lead), at=NOW, text=f"Dear {word}")
        decisions.decide(ticket.reference, "note", by=actor(self.lead), at=NOW, text=f"INTERNAL about {word}")
        decisions.decide(
            ticket.reference, "resolve", by=actor(self.lead), at=NOW, resolution="declined", reason=f"No, {word}"
        )
        Notification.objects.filter(item=first.pk, kind="reply").update(completed_at=NOW, last_error=word)
        Notification.objects.create(kind="staff", once_key=f"loose:{word}", recipient=email, subject=word, body=word)
        call = {"channel": self.channel, "url": f"https://x/?{word}", "sha256": b"x" * 32, "headers": {"a": word}}
        Delivery.objects.create(
            **call, delivery_id=str(uuid.uuid4()), body=word.encode(), told_of=[first.pk], completed_at=NOW
        )
        Delivery.objects.create(
            **call, delivery_id=str(uuid.uuid4()), body=f'{{"to":"{email.upper()}"}}'.encode(), parked_at=NOW,
            last_error=word,
        )  # fmt: skip
        parked = receiving.receive(self.channel, RawItem(str(uuid.uuid4()), f"{email} {word}".encode()), at=NOW)
        Submission.objects.filter(pk=parked.submission.pk).update(parked_at=NOW, last_error=word)
        run = importing.upload(
            self.channel_for_files(), io.BytesIO(f"email,text\n{email},{word}\n".encode()), name="a.csv"
        )
        Import.objects.filter(pk=run.pk).update(state=Import.State.DONE)
        ImportNotice.objects.create(run=run, row=2, kind="failed", reason=f"{email} is odd", cells=[["text", word]])
        ImportNotice.objects.create(
            run=run, row=3, kind="failed", reason="Odd.", cells=[["who", f"id-{word}"], ["t", word]]
        )
        report = Path(settings.STATE_DIR) / "imports" / f"report-{uuid.uuid4()}.csv"
        report.write_text(f"1,{word},{email}\n")
        mail = Path(settings.MAIL_DIR) / f"{uuid.uuid4()}.eml"
        mail.parent.mkdir(parents=True, exist_ok=True)
        mail.write_text(f"To: {email}\n\n{word}")
        Identity.objects.create(system="hubspot", external_id=f"h-{word}", customer=customer)
        Identity.objects.create(system="email", external_id=f"second.{email}", customer=customer)
        Ownership.objects.create(customer=customer, product=f"{word} H4")
        crm = RelationFile.objects.create(kind="customers", file_name="crm.csv", stored_as="", size=1, state="done")
        RelationNotice.objects.create(run=crm, row=2, is_failure=True, reason=f"second.{email} {word} is odd.")
        RememberedAnswer.objects.create(
            caller="key:1",
            key=word[::-1],
            request_hash="x",
            status=201,
            body={"id": str(first.public_id), "said": word},
        )
        session = Session.objects.create(
            channel=self.channel,
            kind="call",
            title="A call",
            held_at=NOW,
            transcript=word.encode(),
            transcript_name=word,
        )
        Participant.objects.create(session=session, label=word, customer=customer, consented_at=NOW)
        return Customer.objects.get(pk=customer.pk)

    @staticmethod
    def channel_for_files() -> Any:
        return make_channel("files", "csv_file")


@pytest.fixture
def world() -> Any:
    for folder in (Path(settings.STATE_DIR) / "imports", Path(settings.MAIL_DIR), Path(settings.MEDIA_ROOT)):
        for path in folder.rglob("*") if folder.is_dir() else ():
            if path.is_file():
                path.unlink()
    return World()


def hits(word: str) -> list[str]:
    """Every column of every table, and every file, that holds the word."""
    found = []
    with connection.cursor() as cursor:
        tables = [
            model._meta.db_table
            for model in apps.get_models(include_auto_created=True)
            if model._meta.app_label in {"accounts", "intake", "triage", "kpis", "admin", "sessions"}
        ]
        for table in tables:
            # A whole row as text: bytes stand in it as hexadecimal digits, and a search vector as its words.
            cursor.execute(
                f'SELECT count(*) FROM "{table}" AS whole WHERE whole::text ILIKE %s OR whole::text ILIKE %s',  # noqa: S608
                [f"%{word}%", f"%{word.encode().hex()}%"],
            )
            if count := cursor.fetchone()[0]:
                found.append(f"{table}: {count}")
    for folder in {Path(settings.STATE_DIR), Path(settings.MEDIA_ROOT), Path(settings.MAIL_DIR)}:
        for path in folder.rglob("*"):
            if path.is_file() and "static" not in path.parts and word.encode() in path.read_bytes():
                found.append(path.parent.name)
    return sorted(found)


def measured() -> list[tuple[Any, ...]]:
    columns = ("kpi", "day", "days", "team", "channel", "stage", "parts")
    return sorted(map(repr, Measurement.objects.values_list(*columns)))  # type: ignore[arg-type]


def test_erased_is_erased_everywhere_and_only_that_person(world: World) -> None:
    places = {place.split(":")[0] for place in hits("canary-ana")}
    assert places >= {
        "intake_customer", "intake_submission", "intake_feedbackitem", "intake_revision", "intake_delivery",
        "intake_attachment", "intake_importnotice", "intake_session", "intake_identity", "intake_ownership", "intake_relationnotice", "intake_participant", "triage_event",
        "triage_ticket", "triage_notification", "triage_searchtext", "accounts_rememberedanswer", "imports", "mail",
    }, "the canary has to be there to be missed afterwards"  # fmt: skip
    bo = hits("canary-bo")

    erased = persons.erase([world.ana], by=world.lead, at=NOW)

    assert hits("canary-ana") == []
    assert hits("canary-bo") == bo
    assert erased.items == 2
    assert FeedbackItem.objects.filter(customer=world.ana).count() == 2, "its items stay counted as one person's"
    request = DataRequest.objects.get()
    assert (request.kind, request.person, request.items) == ("erased", world.lead, 2)
    with pytest.raises(persons.AlreadyErased):
        persons.erase([Customer.objects.get(pk=world.ana.pk)], by=None, at=NOW)


def test_no_number_moves_not_even_when_counted_again(world: World) -> None:
    before = measured()
    nps = [row for row in before if "nps" in row]
    assert nps, "each of them answered twice, and the later answer counts"
    assert any("e" in row for row in before)

    persons.erase([world.ana], by=None, at=NOW)

    assert measured() == before
    for back in range(4):
        recording.recount(local_day(NOW - timedelta(days=back), recording.reporting_zone()), at=NOW)
    assert measured() == before


def test_nothing_is_erased_when_something_fails_on_the_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = hits("canary-ana")
    monkeypatch.setattr("intake.traces.erase_rows", lambda person, at: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        persons.erase([world.ana], by=None, at=NOW)
    assert hits("canary-ana") == before


def test_an_address_that_is_part_of_anothers_is_not_that_person(world: World) -> None:
    email = world.ana.email
    run = Import.objects.latest("pk")
    other = ImportNotice.objects.create(
        run=run, row=9, kind="failed", reason=f"x{email} is odd", cells=[["a", f"{email}.org"]]
    )
    kept = receiving.receive(world.channel, RawItem("other", f"<{email}.org>".encode()), at=NOW).submission
    Submission.objects.filter(pk=kept.pk).update(parked_at=NOW)

    persons.erase([world.ana], by=None, at=NOW)

    other.refresh_from_db()
    kept.refresh_from_db()
    assert other.cells == [["a", f"{email}.org"]]
    assert bytes(kept.payload) == f"<{email}.org>".encode()


def test_a_file_of_customers_that_is_still_taken_in_is_told_of_and_stays(world: World) -> None:
    path = Path(settings.STATE_DIR) / "imports" / "crm"
    path.write_text(f"email\n{world.ana.email}\n")
    RelationFile.objects.create(kind="customers", file_name="crm.csv", stored_as="imports/crm", size=1, state="running")
    erased = persons.erase([world.ana], by=None, at=NOW)
    assert any("crm.csv holds them" in sentence for sentence in erased.kept)
    assert path.exists()


def test_an_answer_is_remembered_still_and_says_that_it_is_erased(world: World) -> None:
    persons.erase([world.ana], by=None, at=NOW)
    told = dict(RememberedAnswer.objects.values_list("key", "status"))
    assert told == {"canary-ana"[::-1]: 410, "canary-bo"[::-1]: 201}


def test_a_file_that_is_still_taken_in_is_told_of(world: World) -> None:
    Import.objects.filter(notices__reason__contains="canary-ana").update(state=Import.State.PAUSED)
    erased = persons.erase([world.ana], by=None, at=NOW)
    assert any("Cancel that import" in sentence for sentence in erased.kept)
    assert hits("canary-ana") == ["imports"]


def export(*customers: Customer) -> tuple[zipfile.ZipFile, str]:
    target = io.BytesIO()
    person_export.export(customers, target, by=None, at=NOW)
    archive = zipfile.ZipFile(target)
    names = archive.namelist()
    return archive, "\n".join([*names, *(archive.read(name).decode("utf-8", "replace") for name in names)])


def test_the_export_holds_all_of_one_and_none_of_the_other(world: World) -> None:
    archive, text = export(world.ana)
    names = archive.namelist()
    assert len([name for name in names if name.endswith("item.json")]) == 2
    assert any(name.endswith("files/1-canary-ana.pdf") for name in names)
    assert PDF in [archive.read(name) for name in names]
    for said in (
        "Dear canary-ana",
        "No, canary-ana",
        "was canary-ana",
        "N canary-ana",
        "https://shop.example/canary-ana",
    ):
        assert said in text
    assert "canary-bo" not in text
    assert "INTERNAL" not in text
    assert DataRequest.objects.get().kind == "exported"


def test_what_is_sealed_is_given_out_open_since_it_is_theirs(world: World) -> None:
    said = {"text": "My number is +49 171 2345678", "customer": {"external_id": world.ana.external_id}}
    receiving.receive(world.channel, RawItem("sealed", json.dumps(said).encode()), at=NOW)
    normalizing.normalize_pending(at=NOW)
    assert Submission.objects.get(external_id="sealed").is_sealed
    assert "2345678" in export(world.ana)[1]


def test_corrections_reach_waiting_mails_and_say_who_made_them(world: World) -> None:
    waiting = Notification.objects.filter(item__customer=world.ana, completed_at=None)
    assert waiting.exists()
    changed = persons.rectify(world.ana, {"name": "Ana  López", "email": "New@Mail.example"}, by=world.lead, at=NOW)

    assert changed == ["name", "email"]
    assert (world.ana.name, world.ana.email) == ("Ana López", "new@mail.example")
    assert set(waiting.values_list("recipient", flat=True)) == {"new@mail.example"}
    sent = Notification.objects.filter(item__customer=world.ana, completed_at__isnull=False)
    assert sent.exclude(recipient="new@mail.example").exists(), "what was sent went where it went"
    request = DataRequest.objects.get()
    assert (request.kind, request.person, request.fields) == ("rectified", world.lead, ["name", "email"])
    assert persons.rectify(world.ana, {"name": "Ana López"}, by=None, at=NOW) == []


@pytest.mark.parametrize("given", [{"email": "nobody"}, {"external_id": "1"}, {"email": "taken@mail.example"}])
def test_a_correction_that_cannot_be_is_refused_and_changes_nothing(given: dict[str, str]) -> None:
    Customer.objects.create(email="taken@mail.example")
    ana = Customer.objects.create(email="ana@mail.example")
    with pytest.raises(BadInput) as refused:
        persons.rectify(ana, given, by=None, at=NOW)
    assert refused.value.errors[0].path == next(iter(given))
    ana.refresh_from_db()
    assert ana.email == "ana@mail.example"
    assert not DataRequest.objects.exists()


def test_a_restored_backup_is_erased_again_and_who_came_back_is_told(world: World) -> None:
    row = Customer.objects.filter(pk=world.ana.pk).values().get()
    items = list(FeedbackItem.objects.filter(customer=world.ana).values("pk", "text", "title"))
    at = timezone.now()
    persons.erase([world.ana], by=world.lead, at=at)
    # As the database was before: the person is there, the ledger is not.
    DataRequest.objects.all().delete()
    Identity.objects.create(system="email", external_id="second@mail.example", customer=world.ana)
    Customer.objects.filter(pk=world.ana.pk).update(**row)
    for item in items:
        FeedbackItem.objects.filter(pk=item.pop("pk")).update(**item)
    assert hits("canary-ana") != []
    Customer.objects.create(email=world.ana.email.upper(), external_id="new", created_at=at + timedelta(days=1))

    out, err = StringIO(), StringIO()
    call_command("erase_again", stdout=out, stderr=err)

    assert json.loads(out.getvalue()) == {"erased_again": 1, "came_back": 1}
    assert FeedbackItem.objects.filter(text__contains="canary-ana").count() == 0
    assert Customer.objects.get(pk=world.ana.pk).erased_at is not None
    assert "--erase" in err.getvalue()
    call_command("erase_again", stdout=(out := StringIO()), stderr=StringIO())
    assert json.loads(out.getvalue())["erased_again"] == 0


def test_the_ledger_tells_nobody_who_it_was(world: World) -> None:
    persons.erase([world.ana], by=None, at=NOW)
    names = default_storage.listdir("erasures")[1]
    with default_storage.open(f"erasures/{names[0]}") as file:
        entry = json.loads(file.read())
    assert set(entry) == {"at", "known_by"}
    assert len(entry["known_by"]) == 4, "two addresses and two ids"
    one = erasure_ledger.known_by([world.ana.email], [])
    assert set(one) < set(entry["known_by"])
    assert one != erasure_ledger.known_by([world.ana.email], [], secret="x")


def test_the_command_gives_out_corrects_and_erases(world: World, tmp_path: Path) -> None:
    def run(*arguments: str) -> dict[str, Any]:
        out = StringIO()
        call_command("person", *arguments, stdout=out)
        return dict(json.loads(out.getvalue()))

    file = tmp_path / "ana.zip"
    email = world.ana.email.upper()
    assert run(email, "--export", str(file)) == {"items": 2}
    assert file.stat().st_mode & 0o077 == 0
    assert zipfile.is_zipfile(file)
    with pytest.raises(CommandError, match="is there already"):
        run(email, "--export", str(file))
    assert run(str(world.ana.pk), "--rectify", "name=Ana=A") == {"changed": ["name"]}
    with pytest.raises(CommandError, match="is no correction"):
        run(email, "--rectify", "name")
    assert run(email, "--erase")["items"] == 2
    assert hits("canary-ana") == []
    for nobody in ("nobody@mail.example", "999999999", ""):
        with pytest.raises(CommandError, match="Nobody is known"):
            run(nobody, "--erase")
    with pytest.raises(CommandError, match="erased already"):
        run(str(world.ana.pk), "--erase")


def test_the_pages_find_correct_give_out_and_erase(world: World, client: Client) -> None:
    client.force_login(make_person("Ada", role=Role.ADMIN))
    page = f"/settings/customers/{world.ana.pk}/"
    assert client.post("/settings/data-requests/", {"word": world.ana.email})["Location"] == page
    assert client.post("/settings/data-requests/", {"word": "nobody"}).status_code == 404
    assert "N canary-ana" in client.get(page).content.decode()
    assert client.post(page, {"email": "odd", "name": "", "language": ""}).status_code == 422
    assert client.post(page, {"email": world.ana.email, "name": "<b>Ana", "language": "de"}).status_code == 302
    assert "&lt;b&gt;Ana" in client.get(page).content.decode()
    answer = client.post(f"{page}export/")
    assert zipfile.is_zipfile(io.BytesIO(b"".join(answer.streaming_content)))  # type: ignore[arg-type]
    assert client.post(f"{page}erase/").status_code == 403
    assert hits("canary-ana") != []
    done = client.post(f"{page}erase/", {"is_sure": "on"})
    assert "2 items lost their words" in done.content.decode()
    assert hits("canary-ana") == []
    assert "Somebody who was erased" in client.get(page).content.decode()
    assert "Ada" in client.get("/settings/data-requests/").content.decode()
    assert client.post(f"{page}erase/", {"is_sure": "on"}).status_code == 409


class TestOriginal:
    @pytest.fixture
    def ticket(self) -> Ticket:
        team = make_team("quality")
        raw = RawItem("1", json.dumps({"text": "Call <b>+49 171 2345678</b>"}).encode())
        receiving.receive(make_channel(), raw, at=NOW)
        normalizing.normalize_pending(at=NOW)
        pipeline.understand_pending(at=NOW)
        Ticket.objects.update(team=team)
        return Ticket.objects.get()

    def test_a_lead_of_the_team_opens_it_and_that_is_written_down(self, ticket: Ticket, client: Client) -> None:
        lead = make_person("Mina", ticket.team, role=Role.LEAD)
        client.force_login(lead)
        address = f"/triage/{ticket.reference}/original/"
        assert address in client.get("/triage/", {"item": ticket.reference}).content.decode()

        answer = client.post(address)

        assert "Call &lt;b&gt;+49 171 2345678" in answer.content.decode()
        assert answer["Cache-Control"] == "no-store"
        event = Event.objects.latest("pk")
        assert (event.type, event.person, event.data["text"]) == (
            "noted",
            lead,
            "Opened the original with the personal data in it.",
        )
        Submission.objects.update(payload=b"", is_sealed=False, raw_gone_at=NOW)
        assert client.post(address).status_code == 409
        assert address not in client.get("/triage/", {"item": ticket.reference}).content.decode()

    @pytest.mark.parametrize(("role", "team", "status"), [("agent", "quality", 403), ("lead", "marketing", 404)])
    def test_nobody_else_does(self, ticket: Ticket, client: Client, role: str, team: str, status: int) -> None:
        client.force_login(make_person("Omar", make_team(team), role=role))
        assert client.post(f"/triage/{ticket.reference}/original/").status_code == status
        assert not Event.objects.filter(type="noted").exists()


def test_nobody_is_found_by_nothing() -> None:
    make_customer("Ana", email="")
    with pytest.raises(NotFound):
        persons.find(" ")


def test_a_file_of_theirs_that_is_lost_does_not_stop_the_export(world: World) -> None:
    for file in world.ana.items.get(submission__attachments__isnull=False).submission.attachments.all():
        default_storage.delete(file.stored_as)
    assert "canary-ana says" in export(world.ana)[1]
