"""The workbench as people use it: with and without the script, within their teams, at constant cost."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from feedback_portal.accounts.models import Role, Team, User
from tests.makers import actor, make_customer, make_person, make_team, make_ticket
from triage.finding import counts_by_tab, in_tab
from triage.models import Event, Tagging, Ticket, Topic
from triage.views.item import segments

pytestmark = pytest.mark.django_db


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality)


@pytest.fixture
def desk(tariq: User) -> Client:
    client = Client()
    client.force_login(tariq)
    return client


def fresh(team: Team, text: str = "The lid cracked", **fields: object) -> Ticket:
    return make_ticket(text, team=team, at=timezone.now() - timedelta(hours=1), **fields)


def test_strangers_are_asked_to_sign_in(client: Client) -> None:
    response = client.get("/triage/")

    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in/?next=/triage/")


def test_an_empty_portal_says_what_to_do_next(desk: Client) -> None:
    page = desk.get("/triage/").content.decode()

    assert "No feedback has come in yet" in page


def test_the_queue_shows_what_waits_and_the_first_item(desk: Client, quality: Team) -> None:
    fresh(quality, "Second in line")
    first = fresh(quality, "It smells of smoke", rank=0, severity=1)

    page = desk.get("/triage/").content.decode()

    assert page.index("It smells of smoke") < page.index("Second in line")
    assert f'data-reference="{first.reference}"' in page
    assert "2 to decide" in page


def test_other_teams_tickets_do_not_exist(desk: Client, quality: Team) -> None:
    other = fresh(make_team("marketing"), "A secret campaign")

    assert "A secret campaign" not in desk.get("/triage/").content.decode()
    for path in (
        f"/triage/?item={other.reference}",
        f"/triage/{other.reference}/",
        f"/triage/{other.reference}/route/",
    ):
        assert desk.get(path).status_code == 404
    assert desk.post(f"/triage/{other.reference}/decide/", {"verb": "accept"}).status_code == 404
    assert desk.post(f"/triage/{other.reference}/undo/").status_code == 404


def test_a_decision_works_without_the_script(desk: Client, quality: Team) -> None:
    make_team("logistics")
    ticket = fresh(quality)

    response = desk.post(
        f"/triage/{ticket.reference}/decide/", {"verb": "route", "version": 1, "team": "logistics"}, follow=True
    )

    assert "Routed" in response.content.decode()
    assert Ticket.objects.get().team.slug == "logistics"


def test_a_decision_with_the_script_answers_fragments_and_an_undo(desk: Client, quality: Team) -> None:
    first, second = fresh(quality), fresh(quality)

    response = desk.post(
        f"/triage/{first.reference}/decide/",
        {"verb": "accept", "version": 1, "next": second.reference},
        headers={"HX-Request": "true"},
    )

    page = response.content.decode()
    assert "<html" not in page
    assert f'id="row-{first.reference}" hx-swap-oob="delete"' in page
    assert f'data-reference="{second.reference}"' in page
    assert f"/triage/{first.reference}/undo/" in page

    desk.post(f"/triage/{first.reference}/undo/", headers={"HX-Request": "true"})
    assert Ticket.objects.get(pk=first.pk).status == "new"


def test_a_stale_click_is_409_and_says_who(desk: Client, quality: Team) -> None:
    ticket = fresh(quality)
    mina = Client()
    mina.force_login(make_person("Mina", quality))
    mina.post(f"/triage/{ticket.reference}/decide/", {"verb": "accept", "version": 1})

    response = desk.post(
        f"/triage/{ticket.reference}/decide/", {"verb": "resolve", "version": 1, "resolution": "answered"}
    )

    assert response.status_code == 409
    assert "Mina decided that it is for Quality" in response.content.decode()


def test_a_form_with_a_mistake_comes_back_with_what_was_typed(desk: Client, quality: Team) -> None:
    ticket = fresh(quality)

    response = desk.post(
        f"/triage/{ticket.reference}/decide/", {"verb": "resolve", "version": 1, "resolution": "declined"}
    )

    assert response.status_code == 422
    assert "Write a reason that the customer can read." in response.content.decode()


@pytest.mark.parametrize("verb", ["route", "resolve", "snooze", "tag", "merge", "note", "reply", "ask"])
def test_every_verb_has_a_form_of_its_own(desk: Client, quality: Team, verb: str) -> None:
    Topic.objects.create(slug="leak", name="Leak")
    ticket = fresh(quality, item_customer=make_customer())

    assert desk.get(f"/triage/{ticket.reference}/{verb}/").status_code == 200
    sheet = desk.get(f"/triage/{ticket.reference}/{verb}/", headers={"HX-Request": "true"})
    assert "<html" not in sheet.content.decode()


def test_tags_are_set_as_one_decision(desk: Client, quality: Team) -> None:
    leak, lid = (Topic.objects.create(slug=slug, name=slug) for slug in ("leak", "lid"))
    ticket = fresh(quality)
    Tagging.objects.create(item=ticket.item, topic=leak, source="model", confidence=0.6)

    desk.post(f"/triage/{ticket.reference}/decide/", {"verb": "tag", "version": 1, "topic": ["lid"]})

    assert list(Tagging.objects.standing().values_list("topic", flat=True)) == [lid.pk]
    assert Ticket.objects.get().version == 2


def test_a_local_time_of_the_browser_is_the_organisations(desk: Client, quality: Team) -> None:
    ticket = fresh(quality)
    until = (timezone.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")

    desk.post(f"/triage/{ticket.reference}/decide/", {"verb": "snooze", "version": 1, "until": until})

    assert Ticket.objects.get().status == "snoozed"


def test_bulk_decides_each_by_itself_and_counts_the_skipped(desk: Client, quality: Team) -> None:
    make_team("logistics")
    mine, other = fresh(quality), fresh(make_team("marketing"))

    page = desk.post(
        "/triage/bulk/",
        {"reference": [mine.reference, other.reference], "verb": "route", "team": "logistics"},
        follow=True,
    )

    assert "1 routed, 1 not with your teams any more" in page.content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("leaks", {"leak"}),
        ('"under the machine"', {"leak"}),
        ("leaks machine", {"leak"}),
        ("leaks elsewhere", set()),
        ('leaks "the machine" team:quality', {"leak"}),
        ('leaks "machine the" team:quality', set()),
        ("team:elsewhere", set()),
        ("stage:elsewhere", set()),
        ("team:quality", {"leak", "late"}),
        ("product:H4", {"leak"}),
        ("-product:H4", {"late"}),
        ("from:Ana", {"leak"}),
        ("from:none", {"late"}),
        ("tag:seal", {"leak"}),
        ("tag:none", {"late"}),
        ("mood:neg lang:en", {"leak", "late"}),
        ("rating:<3", {"late"}),
        ("is:overdue", {"late"}),
        ("received:today", {"leak"}),
        ("received:<1d", {"leak"}),
        ("context.batch:H4-2231", {"leak"}),
        ("assigned:me", set()),
        ("channel:support-api (product:H4 or rating:1)", {"leak", "late"}),
        ("is:done", {"done"}),
        ("has:photo", set()),
    ],
)
def test_a_search_finds_what_it_says(desk: Client, quality: Team, query: str, found: set[str]) -> None:
    from triage.pipeline import _fill_search_text

    now = timezone.now()
    topic = Topic.objects.create(slug="seal", name="Seal")
    leak = make_ticket(
        "It leaks under the machine",
        team=quality,
        at=now,
        item_product="H4",
        item_customer=make_customer(),
        item_context={"batch": "H4-2231"},
    )
    Tagging.objects.create(item=leak.item, topic=topic, source="model")
    make_ticket(
        "Arrived late", team=quality, at=now - timedelta(days=3), item_rating_scale="csat5", item_rating_value=1
    )
    make_ticket("Nothing to do, done", team=quality, at=now, status="resolved", resolution="answered", resolved_at=now)
    _fill_search_text(Ticket.objects.values_list("item", flat=True))

    page = desk.get("/triage/", {"q": query}, headers={"HX-Request": "true", "HX-Target": "queue"}).content.decode()

    words = {"leak": "It leaks under", "late": "Arrived late", "done": "Nothing to do, done"}
    assert {name for name, text in words.items() if text in page} == found


@pytest.mark.parametrize("most", [100, 2])
def test_tabs_are_counted_as_they_are_listed(quality: Team, most: int) -> None:
    lena = make_person("Lena", quality, role=Role.MANAGER)
    logistics = make_team("logistics")
    for team, owner in [(quality, None), (quality, lena), (quality, lena), *[(logistics, None)] * 4]:
        make_ticket("It leaks", team=team, assignee=owner)
    found = Ticket.objects.all()

    counted = counts_by_tab(found, actor(lena), most=most)

    assert counted == {"all": min(7, most), "mine": min(3, most), "unclaimed": min(5, most)}
    for tab, count in counted.items():
        assert in_tab(found, tab, actor(lena))[:most].count() == count


@pytest.mark.parametrize(
    "query", ["colour:red", 'an "open quote', "value:>much", "' OR 1=1 --", "%%%%%", "a" * 300, "received:<9999w"]
)
def test_a_search_that_cannot_be_read_is_a_sentence_not_an_error(desk: Client, quality: Team, query: str) -> None:
    fresh(quality)

    assert desk.get("/triage/", {"q": query}).status_code == 200


def test_customers_words_are_text_wherever_they_appear(desk: Client, quality: Team) -> None:
    hostile = '<script>alert(1)</script><b hx-get="/evil/">x</b> {{ 7|add:7 }}'
    ticket = fresh(quality, hostile, item_title=hostile[:300], item_customer=make_customer(hostile[:50]))
    Event.objects.create(
        item=ticket.item,
        ticket=ticket,
        type="customer_replied",
        source="customer",
        data={"text": hostile},
        occurred_at=timezone.now(),
    )

    page = desk.get(f"/triage/?item={ticket.reference}").content.decode()

    assert "<script>alert" not in page
    assert '<b hx-get="/evil/"' not in page
    assert "{{ 7|add:7 }}" in page


def test_the_page_costs_as_many_statements_for_two_rows_as_for_forty(desk: Client, quality: Team) -> None:
    topic = Topic.objects.create(slug="seal", name="Seal")
    ana = make_customer()

    def cost(rows: int) -> int:
        while Ticket.objects.count() < rows:
            ticket = fresh(quality, item_customer=ana)
            Tagging.objects.create(item=ticket.item, topic=topic, source="model")
        with CaptureQueriesContext(connection) as captured:
            assert desk.get("/triage/").status_code == 200
        return len(captured)

    cost(2)
    assert cost(2) == cost(40)


def test_pages_follow_each_other_without_gap(desk: Client, quality: Team) -> None:
    tickets = {fresh(quality).reference for _ in range(120)}
    url, seen = "/triage/", set()

    for _ in range(3):
        context = desk.get(url).context["queue"]
        seen |= {row["reference"] for group in context["groups"] for row in group["rows"]}
        url = context["next_url"]

    assert seen == tickets
    assert url == ""


def test_what_came_in_since_waits_in_the_bar(desk: Client, quality: Team) -> None:
    fresh(quality)
    poll = desk.get("/triage/").context["queue"]["poll_url"]
    fresh(quality)

    bar = desk.get(poll, headers={"HX-Request": "true", "HX-Target": "live"}).content.decode()

    assert "1 new since you started" in bar


def test_managers_see_every_team(quality: Team) -> None:
    fresh(quality, "One of quality")
    lena = Client()
    lena.force_login(make_person("Lena", role=Role.MANAGER))

    assert "One of quality" in lena.get("/triage/").content.decode()


def test_a_file_is_a_download_for_its_team_alone(desk: Client, quality: Team, settings, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    from intake.models import Attachment

    settings.MEDIA_ROOT = tmp_path
    ticket = fresh(quality)
    stored = default_storage.save("attachments/x", ContentFile(b"<script>alert(1)</script>"))
    file = Attachment.objects.create(
        submission=ticket.item.submission,
        name="photo.html",
        content_type="text/html",
        size=1,
        sha256=b"",
        stored_as=stored,
    )

    response = desk.get(f"/triage/files/{file.public_id}/")
    stranger = Client()
    stranger.force_login(make_person("Omar", make_team("marketing")))

    assert response["Content-Disposition"].startswith("attachment")
    assert response["Content-Type"] == "application/octet-stream"
    assert stranger.get(f"/triage/files/{file.public_id}/").status_code == 404


@pytest.mark.parametrize(
    ("marks", "marked"),
    [([], []), ([(3, 5)], ["lo"]), ([(0, 2), (1, 4)], ["hell"]), ([(-5, 99)], ["hello world"]), ([(4, 3)], [])],
)
def test_evidence_is_marked_and_the_text_stays_whole(marks: list[tuple[int, int]], marked: list[str]) -> None:
    cut = segments("hello world", marks)

    assert "".join(part["text"] for part in cut) == "hello world"
    assert [part["text"] for part in cut if part["marked"]] == marked


def test_a_verbs_page_of_its_own_leads_back_to_the_item(client: Client, tariq: User) -> None:
    """In the workbench's sheet the script swaps what changed; a page that was opened by itself has nothing to swap."""
    ticket = make_ticket(team=make_team("quality"))
    client.force_login(tariq)
    address = reverse("triage:verb", args=[ticket.reference, "tag"])

    assert "hx-post" not in client.get(address).content.decode().partition("<form")[2]
    assert "hx-post" in client.get(address, headers={"HX-Request": "true"}).content.decode()
    Topic.objects.create(slug="leak", name="Leak")
    sent = {"verb": "tag", "version": ticket.version, "topic": "leak"}
    answer = client.post(reverse("triage:decide", args=[ticket.reference]), sent)
    assert answer.status_code == 302
    assert ticket.reference in answer["Location"]
