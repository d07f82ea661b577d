"""Something on every page of intake, for tests that look at all of them: each way in, and each state it can be in."""

import csv
import io
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from feedback_portal.accounts.models import Role, User
from intake import channels, importing, normalizing, publishing, receiving, relation_runs, sessions, surveys
from intake.connectors.base import RawItem
from intake.models import Channel, Delivery, Form, Import, Place, Poll, RelationFile, RelationNotice, Submission
from intake.questions import Definition, Option, Question
from intake.relations import Company, Person, take_people
from intake.show_if import Condition, ShowIf
from tests.makers import make_customer, make_person, make_team

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

HOSTILE = '<img src=x onerror="document.title=1"> and_a_word_without_any_break_in_it_at_all_that_goes_on_and_on_and_on'
TALK = "Mina: What happened to the lid?\n\nAna: It came off on day two.\n\nUwe: Mine leaked.\n\nMina: And then?\n"

REPAIR = Definition(
    title="After your repair",
    intro="Two questions, and a third if something went wrong.",
    time_label="About a minute",
    privacy_url="https://example.com/privacy",
    questions=(
        Question("rating", "scale", "How was it?", scale="csat5", faces=True, required=True),
        Question("what", "text", "What went wrong?", place="text", long=True, show_if=ShowIf((Condition("rating", "at_most", "2"),))),
        Question("about", "choice", "What is it about?", multiple=True, options=(Option("time", "How long it took"), Option("work", "The work itself"))),
        Question("photo", "file", "A photo or a document"),
        Question("order", "context"),
        Question("contact", "contact", "How can we reach you?", asks=("name", "email")),
        Question("agree", "consent", "You may write to me about this."),
    ),
    translations={"de": {"title": "Nach Ihrer Reparatur", "questions": {"rating": {"label": "Wie war es?"}}}},
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """Whom to sign in, and the addresses of what is there."""

    ada: User
    pages: tuple[str, ...]
    public: tuple[str, ...]


def enter(context: "BrowserContext", person: User, url: str) -> None:
    client = Client()
    client.force_login(person)
    context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": url}])


def build(*, at: datetime) -> World:
    ada = make_person("Ada", make_team("quality"), role=Role.ADMIN)
    called = _called(at)
    _asked(at)
    imports = _imports(ada, at)
    form, thanks = _forms(at)
    held = _sessions(ada, at)
    Place.objects.create(slug="lobby", name="Lobby, south door", form=form, languages=["en", "de"], exit_code="2468")
    Place.objects.create(
        slug="cellar", name=HOSTILE[:120], form=form, languages=["fr"], exit_code="1357", is_enabled=False
    )
    _held_back(form, at)
    relations = _relations(at)
    return World(
        ada,
        pages=(
            "/settings/channels/",
            "/settings/channel-kinds/tally/",
            "/settings/channel-kinds/csv_file/",
            f"/settings/channels/{called}/",
            "/settings/channels/stopped/",
            f"/settings/channels/{called}/replay/",
            "/settings/polls/",
            "/settings/parked/",
            "/settings/held/",
            "/imports/",
            *imports,
            "/settings/customers/?q=dana",
            *relations,
            "/settings/forms/",
            "/settings/forms/new/",
            *(
                f"/settings/forms/after-repair/{tab}"
                for tab in ("", "?beside=de", "sharing/", "versions/", "versions/1/")
            ),
            "/settings/forms/fair/sharing/",
            "/settings/forms/draft/",
            "/settings/retention/",
            "/settings/places/",
            "/settings/places/lobby/",
            "/settings/places/lobby/poster/",
            "/sessions/",
            f"/sessions/{held}/",
            f"/sessions/{held}/notes/",
        ),
        public=("/f/after-repair/", "/f/after-repair/?lang=de", thanks, "/k/lobby/", "/k/lobby/?lang=de"),
    )


def _relations(at: datetime) -> list[str]:
    """A customer of several systems, and files of customers: one to be checked, one on its way, one refused."""
    firm = Company(ids=(("hubspot", "9001"),), name="Ortiz Bikes", segment="Gold")
    take_people(
        [Person(ids=(("hubspot", "1"), ("shop", "77")), email="dana@ortiz.example", name="Dana", account=firm)], at=at
    )
    content = b"Record ID,First Name,Last Name,Email\n1,Dana,Ortiz,dana@ortiz.example\n2,Kim,,no address\n"
    runs = {
        state: relation_runs.upload(io.BytesIO(content), name=f"{state}.csv", by=None, told={})
        for state in ("uploaded", "running", "refused")
    }
    for state, run in runs.items():
        RelationFile.objects.filter(pk=run.pk).update(state=state, read=1200, created=1100, failed=100, read_bytes=40)
    RelationFile.objects.filter(state="refused").update(refused_reason="The file is empty.", finished_at=at)
    RelationNotice.objects.create(
        run=runs["running"], row=3, is_failure=True, column="Email", reason='"no address" is not an e-mail address.'
    )
    return [f"/settings/customers/files/{run.pk}/" for run in runs.values()]


def _called(at: datetime) -> str:
    """A channel whose sender calls us: one call taken in, one repeated otherwise, one ignored, one parked, one that waits."""
    tally = channels.create("tally", slug="shop-survey", name="Shop survey", secrets={"signing_secret": "one"})
    channels.change(tally, secrets={"signing_secret": "two"})
    made = {
        name: Delivery.objects.create(
            channel=tally, delivery_id=f"evt_{name}_6f2d", url="/hooks/", body=b"{}", sha256=b"0" * 32, received_at=at
        )
        for name in ("waiting", "parked", "ignored", "conflict", "taken")
    }
    rows = Delivery.objects
    rows.filter(pk=made["taken"].pk).update(completed_at=at, held=3, brought=2)
    rows.filter(pk=made["conflict"].pk).update(completed_at=at, held=1, brought=1, conflicting_body=b"{1}")
    rows.filter(pk=made["ignored"].pk).update(
        completed_at=at, held=0, ignored_reason="It is a test, which holds no response."
    )
    rows.filter(pk=made["parked"].pk).update(
        parked_at=at, attempts=8, last_error=f"It is no event of Tally: {HOSTILE}. Send what its webhook sends."
    )
    passed = receiving.receive(tally, RawItem("resp-1", b"{}"), at=at).submission
    Submission.objects.filter(pk=passed.pk).update(completed_at=at, ignored_reason="Only half of it was answered.")
    channels.switch(channels.create("rest_api", slug="old-shop", name=HOSTILE[:100]), is_enabled=False)
    return tally.slug


def _asked(at: datetime) -> None:
    """Sources that are asked: one that goes well, one that is late, one that stopped, one that is closed."""
    names = {
        "well": "App Store reviews",
        "late": "Bluesky mentions",
        "stopped": "YouTube comments",
        "shut": "Old mailbox",
    }
    for slug, name in names.items():
        channels.create("youtube", slug=slug, name=name, settings={"channel_id": "UC1"}, secrets={"key": "k"})
    hour = timedelta(hours=1)
    _poll(
        "well",
        last_started_at=at,
        last_success_at=at,
        newest_at=at - hour,
        taken=1240,
        brought=31,
        next_attempt_at=at + hour,
    )
    _poll("late", last_started_at=at, last_success_at=at - 30 * hour, newest_at=at - 31 * hour, taken=18, failures=4,
          last_error="The source answered with 503, so it is asked again later.", next_attempt_at=at + hour)  # fmt: skip
    _poll("stopped", last_started_at=at, parked_at=at, failures=1,
          last_error="The source refuses our key (403). Make another one there and save it under Settings of this channel.")  # fmt: skip
    channels.switch(Channel.objects.get(slug="shut"), is_enabled=False)


def _poll(slug: str, **state: object) -> None:
    Poll.objects.filter(channel__slug=slug).update(**state)


def _imports(ada: User, at: datetime) -> list[str]:
    """One file in each state, and the addresses of those with a page of their own kind."""
    channel = channels.create("csv_file", slug="after-repair-table", name="After repair")
    rows = io.StringIO()
    writer = csv.writer(rows)
    writer.writerow(["id", "What happened?", "stars", HOSTILE, "received"])
    for number in range(1, 31):
        stars = "11" if number % 7 == 0 else str(number % 5 + 1)
        writer.writerow([number, f"The lid came off on day {number}.", stars, HOSTILE, f"2026-03-{number:02d}"])
    runs = {}
    for state in Import.State.values:
        file = SimpleUploadedFile(f"{state}.csv", rows.getvalue().encode())
        runs[state] = importing.upload(channel, file, name=f"{state} since spring.csv", by=ada)
    importing.begin(runs["done"], columns={"columns": {"What happened?": "text"}, "scale": "stars5"})
    importing.import_pending(at=at)
    for state in ("waiting", "running", "paused", "cancelled", "refused", "undoing", "undone"):
        Import.objects.filter(pk=runs[state].pk).update(
            state=state,
            read=12,
            read_bytes=900,
            created=9,
            skipped=1,
            failed=2,
            finished_at=at if state == "undone" else None,
        )
    Import.objects.filter(state="refused").update(
        refused_reason="It is not written in UTF-8 or any other encoding we know. Save it as CSV UTF-8 and send it again."
    )
    return [
        f"/imports/{runs[state].public_id}/" for state in ("uploaded", "running", "paused", "done", "refused", "undone")
    ]


def _forms(at: datetime) -> tuple[Form, str]:
    """Forms in each state; the published one has changes that are not published, and an answer that was thanked for."""
    form = surveys.create_form(
        "after-repair", name="After a repair", definition=REPAIR, channel_slug="repairs",
        allowed_origins=["https://shop.example.com"],
    )  # fmt: skip
    drafted = replace(REPAIR, title="After your repair, in a word")
    publishing.save_draft(form, drafted, at=at, seen=None)
    surveys.close(
        surveys.create_form("fair", name="At the fair", definition=REPAIR),
        note="The fair is over. Thank you for coming.",
    )
    publishing.start("draft", name="After a call", kind="nps")
    sheet = surveys.hand_out(form, at=at - timedelta(minutes=5))
    sent = surveys.submit(sheet, {"rating": 2, "what": "It leaks."}, at=at).submission
    return form, f"/f/after-repair/thanks/{receiving.tracking_token(sent)}/"


def _sessions(ada: User, at: datetime) -> int:
    """One with a transcript, people, turns and a note; one with a hostile title and nothing yet."""
    held = sessions.begin(kind="focus_group", title="Lids, second round", held_at=at, place="Room 4", product="H4", moderators="Mina", by=ada)  # fmt: skip
    sessions.lay_transcript(held, name="lids.txt", content=TALK.encode())
    make_customer("Ana")
    sessions.name_people(held, {"Ana": "ana", "Uwe": ""}, moderators=["Mina"], at=at)
    sessions.take_in(held, at=at)
    sessions.note(held, text=f"It drips. {HOSTILE}", client_id="0" * 32, speaker="Uwe", by=ada, at=at)
    normalizing.normalize_pending(at=at)
    sessions.begin(kind="visit", title=HOSTILE, held_at=at, by=ada)
    return held.pk


def _held_back(form: Form, at: datetime) -> None:
    sheet = surveys.hand_out(form, at=at)
    surveys.submit(sheet, {"rating": 1, "what": HOSTILE}, at=at)
