"""Sources that are asked: nothing is lost or doubled however a run ends, and a source in trouble is neither hurried nor forgotten."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from feedback_portal import health, pending
from feedback_portal.accounts.models import Role
from intake import polling
from intake.connectors import connectors
from intake.connectors.base import Ask, Draft, Page, PullConnector, RawItem, Request
from intake.connectors.documents import at as found_at
from intake.connectors.documents import document, packed, text_at
from intake.connectors.moments import exact_moment
from intake.models import Channel, Poll, Submission
from tests.makers import AT, make_channel, make_person
from tests.outside import Outside, Said, outside

pytestmark = pytest.mark.django_db


class Pages(PullConnector):
    """Pages of numbered things, as many sources have them."""

    slug = "pages"
    name = "Numbered pages"

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        return Draft(text=text_at(document(raw.payload), "text"))

    def pages(
        self,
        cursor: Mapping[str, Any],
        *,
        ask: Ask,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        at: datetime,
    ) -> Iterator[Page]:
        number = int(cursor.get("page", 1))
        while True:
            answer = ask(Request(f"{settings['url']}/page/{number}", headers={"X-Key": secrets.get("key", "")}))
            found = document(answer.body) if answer.status == 200 else {}
            items = found_at(found, "items", default=[])
            if not items:
                return
            number += 1
            raws = [RawItem(text_at(each, "id"), packed(each), updated_at=exact_moment(each["at"])) for each in items]
            yield Page(raws, {"page": number})


@pytest.fixture(autouse=True)
def a_kind_of_the_test() -> Iterator[None]:
    connectors.add(Pages())
    yield
    del connectors._plugins["pages"]


@pytest.fixture
def server(settings: LazySettings) -> Iterator[Outside]:
    with outside() as found:
        settings.OUTGOING_ALLOW = [found.host]
        yield found


@pytest.fixture
def channel(server: Outside) -> Channel:
    found = make_channel("numbered", "pages")
    found.settings, found.secrets = {"url": server.url}, {"key": "k-1"}
    found.save()
    polling.begin(found)
    return found


def page(*numbers: int) -> Said:
    return Said.json(
        {"items": [{"id": str(n), "text": f"Thing {n}", "at": f"2026-03-01T00:00:{n:02}Z"} for n in numbers]}
    )


EMPTY = Said.json({"items": []})


def three_pages(server: Outside) -> None:
    server.answers |= {"/page/1": page(1, 2), "/page/2": page(3, 4), "/page/3": page(5), "/page/4": EMPTY}


def stored() -> list[str]:
    return list(Submission.objects.order_by("pk").values_list("external_id", flat=True))


def make_due() -> None:
    Poll.objects.waiting().update(next_attempt_at=Now())


def run() -> dict[str, int]:
    make_due()
    return polling.ask_pending(at=AT).as_dict()


def waits(poll: Poll) -> float:
    return (poll.next_attempt_at - timezone.now()).total_seconds()


def test_what_is_new_comes_in_and_the_place_is_kept(server: Outside, channel: Channel) -> None:
    three_pages(server)

    assert run() == {"done": 1, "retried": 0, "parked": 0}

    poll = Poll.objects.get()
    assert stored() == ["1", "2", "3", "4", "5"]
    assert (poll.cursor, poll.taken, poll.brought, poll.failures) == ({"page": 4}, 5, 5, 0)
    assert (poll.last_started_at, poll.last_success_at, poll.last_error) == (AT, AT, "")
    assert poll.newest_at == datetime(2026, 3, 1, 0, 0, 5, tzinfo=UTC)
    assert {each.headers["x-key"] for each in server.heard} == {"k-1"}


def test_the_next_time_lies_about_its_rhythm_ahead_and_differs(server: Outside, channel: Channel) -> None:
    server.other = EMPTY
    pauses = []
    for _ in range(12):
        run()
        pauses.append(waits(Poll.objects.get()))

    assert all(235 < pause < 361 for pause in pauses)
    assert max(pauses) - min(pauses) > 1


def test_nothing_new_asks_for_nothing_old(server: Outside, channel: Channel) -> None:
    three_pages(server)
    run()
    server.heard.clear()
    run()

    assert server.paths() == ["/page/4"]


@pytest.mark.parametrize("asked", [1, 2, 3])
def test_killed_between_pages_nothing_is_lost_or_doubled(asked: int, server: Outside, channel: Channel) -> None:
    three_pages(server)

    class Killed(BaseException): ...

    real = polling.outgoing.ask
    calls = 0

    def dies(request: Request, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > asked:
            raise Killed
        # So long did it take that the lease is nearly over; storing the page renews it.
        Poll.objects.update(next_attempt_at=Now())
        return real(request, **named)

    with pytest.raises(Killed):
        polling.ask_pending(at=AT, ask=dies)
    poll = Poll.objects.get()
    assert poll.cursor == {"page": asked + 1}
    assert poll.lease_token is not None
    assert waits(poll) > 60, "the lease holds until somebody else may go on"

    run()

    assert stored() == ["1", "2", "3", "4", "5"]
    assert (Poll.objects.get().taken, Poll.objects.get().attempts) == (5, 0)


def test_a_page_and_its_place_are_stored_together_or_not_at_all(server: Outside, channel: Channel) -> None:
    """Another worker has taken over while the page was on its way: what the first brings is not stored."""

    real = polling.outgoing.ask

    def overtaken(request: Request, **named: Any) -> Any:
        answer = real(request, **named)
        Poll.objects.update(lease_token=uuid.uuid4())
        return answer

    server.answers["/page/1"] = page(1, 2)
    polling.ask_pending(at=AT, ask=overtaken)

    assert stored() == []
    assert (Poll.objects.get().cursor, Poll.objects.get().taken) == ({}, 0)


def test_a_source_whose_clock_is_ahead_does_not_hide_how_far_behind_we_are(server: Outside, channel: Channel) -> None:
    ahead = {"id": "1", "text": "Tomorrow", "at": "2026-03-09T00:00:00Z"}
    server.answers |= {"/page/1": Said.json({"items": [ahead]}), "/page/2": page(5), "/page/3": EMPTY}
    run()

    assert Poll.objects.get().newest_at == AT


def test_a_page_that_comes_twice_is_known(server: Outside, channel: Channel) -> None:
    server.answers |= {"/page/1": page(1, 2), "/page/2": page(2, 3), "/page/3": EMPTY}
    run()

    assert stored() == ["1", "2", "3"]
    assert (Poll.objects.get().taken, Poll.objects.get().brought) == (4, 3)


def test_a_run_is_bounded_and_goes_on_at_once(
    server: Outside, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_pages(server)
    monkeypatch.setattr(polling, "PAGES_A_RUN", 1)

    assert run()["done"] == 4, "a run for each page and one that finds the end"
    assert stored() == ["1", "2", "3", "4", "5"]
    assert waits(Poll.objects.get()) > 200


def test_a_run_that_ends_at_its_bound_is_known_to_be_at_its_end(
    server: Outside, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were it asked again at once, a source that is walked from its start each time would be walked without end."""

    def whole(*args: Any, ask: Ask, **named: Any) -> Iterator[Page]:
        ask(Request(f"{server.url}/page/1"))
        yield Page([RawItem("1", b"{}")], {})

    monkeypatch.setattr(Pages, "pages", whole)
    monkeypatch.setattr(polling, "PAGES_A_RUN", 1)
    server.other = EMPTY

    assert run()["done"] == 1
    assert waits(Poll.objects.get()) > 200


def test_a_source_asked_in_a_way_of_its_own_is_bounded_too(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    def mails(self: Pages, cursor: Mapping[str, Any], **named: Any) -> Iterator[Page]:
        for number in range(int(cursor.get("next", 0)), 9):
            yield Page([RawItem(str(number), b"{}")], {"next": number + 1})

    monkeypatch.setattr(Pages, "pages", mails)
    monkeypatch.setattr(polling, "PAGES_A_RUN", 2)

    assert run()["done"] == 3
    assert stored() == [str(number) for number in range(9)]


@pytest.mark.parametrize(
    ("headers", "between"),
    [
        ({"Retry-After": "600"}, (600, 720)),
        ({"Retry-After": "Wed, 04 Mar 2026 13:00:00 GMT"}, (3600, 4320)),
        ({"Retry-After": "99999999"}, (86_400, 103_680)),
        ({"Retry-After": "Tue, 03 Mar 2026 13:00:00 GMT"}, (0, 2)),
        ({"X-Rate-Limit-Reset": str(int(AT.timestamp()) + 900)}, (900, 1080)),
        ({"Retry-After": "soon"}, (48, 72)),
        ({}, (48, 72)),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_source_that_names_a_time_is_not_asked_before(
    status: int, headers: dict[str, str], between: tuple[int, int], server: Outside, channel: Channel
) -> None:
    server.other = Said(status, headers=headers)
    assert run() == {"done": 1, "retried": 0, "parked": 0}

    poll = Poll.objects.get()
    assert between[0] - 5 < waits(poll) <= between[1]
    assert (poll.failures, poll.attempts, poll.last_success_at, poll.completed_at) == (1, 0, None, None)
    assert poll.last_error.startswith(server.host)
    assert poll.last_error.endswith(".")


FAULTS = {
    "breakdown": Said(500),
    "bad gateway": Said(502),
    "cut": Said(200, b'{"items": [', is_cut=True),
    "a page for people": Said(200, b"<html>Maintenance</html>"),
    "sent on": Said(302, headers={"Location": "http://169.254.169.254/"}),
    "not understood": Said(400, b"{}"),
    "too long": Said(200, b" " * 21_000_000),
    "used up": Said(403, b'{"error": {"errors": [{"reason": "quotaExceeded"}]}}'),
}


@pytest.mark.parametrize("said", FAULTS.values(), ids=FAULTS)
def test_troubles_that_may_pass_grow_the_pause_and_pass(said: Said, server: Outside, channel: Channel) -> None:
    three_pages(server)
    server.answers["/page/2"] = said
    pauses = []
    for _ in range(4):
        run()
        pauses.append(waits(Poll.objects.get()))

    poll = Poll.objects.get()
    assert (stored(), poll.cursor, poll.failures) == (["1", "2"], {"page": 2}, 4)
    assert all(60 * 2**n * 0.75 < pause < 60 * 2**n * 1.25 for n, pause in enumerate(pauses))
    assert poll.last_error.endswith(".")

    three_pages(server)
    run()

    poll = Poll.objects.get()
    assert stored() == ["1", "2", "3", "4", "5"]
    assert (poll.failures, poll.last_error, poll.last_success_at) == (0, "", AT)


def test_an_outage_of_days_parks_nothing(server: Outside, channel: Channel) -> None:
    server.other = Said(503)
    for _ in range(30):
        run()

    poll = Poll.objects.get()
    assert (poll.parked_at, poll.failures) == (None, 30)
    assert waits(poll) < 1.3 * 86_400


@pytest.mark.parametrize(
    "said", [Said(401), Said(403), Said(400, b'{"error": "invalid_grant"}')], ids=["401", "403", "token"]
)
def test_a_refused_key_stops_the_channel_until_somebody_acts(said: Said, server: Outside, channel: Channel) -> None:
    server.other = said
    assert run() == {"done": 0, "retried": 0, "parked": 1}

    poll = Poll.objects.get()
    assert poll.parked_at is not None
    assert poll.last_error.startswith(f"{server.host} refuses our key")
    assert run() == {"done": 0, "retried": 0, "parked": 0}

    three_pages(server)
    polling.ask_now(channel)
    polling.ask_pending(at=AT)

    assert stored() == ["1", "2", "3", "4", "5"]
    assert Poll.objects.get().parked_at is None


@pytest.mark.parametrize(
    ("reason", "names"), [("commentsDisabled", ["1", "2"]), ("forbidden", []), ("notcommentsDisabledatall", [])]
)
def test_a_refusal_that_a_connector_knows_is_an_answer_to_it_and_no_other(
    reason: str, names: list[str], server: Outside, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers |= {
        "/silent": Said(403, f'{{"error": {{"errors": [{{"reason": "{reason}"}}]}}}}'.encode()),
        "/page/1": page(1, 2),
        "/page/2": EMPTY,
    }
    whole = Pages.pages

    def pages(self: Pages, cursor: Any, *, ask: Any, settings: Any, **more: Any) -> Any:
        ask(Request(f"{settings['url']}/silent", may_refuse=("commentsDisabled",)))
        yield from whole(self, cursor, ask=ask, settings=settings, **more)

    monkeypatch.setattr(Pages, "pages", pages)
    run()

    assert stored() == names
    assert (Poll.objects.get().parked_at is None) is bool(names)


def test_an_address_inside_stops_the_channel(server: Outside, channel: Channel, settings: LazySettings) -> None:
    settings.OUTGOING_ALLOW = []
    assert run()["parked"] == 1
    assert "PORTAL_OUTGOING_ALLOW" in Poll.objects.get().last_error
    assert server.heard == []


def test_a_fault_of_ours_is_tried_again_and_then_shown(channel: Channel) -> None:
    Channel.objects.update(settings={})
    for _ in range(pending.MAX_ATTEMPTS):
        run()

    poll = Poll.objects.get()
    assert poll.parked_at is not None
    assert poll.last_error.startswith("KeyError")


def test_secrets_that_cannot_be_read_are_named(channel: Channel, settings: LazySettings) -> None:
    settings.SECRET_KEY = "another-" + "y" * 40
    assert run()["parked"] == 1
    assert "PORTAL_OLD_SECRET_KEYS" in Poll.objects.get().last_error


def test_a_closed_channel_is_asked_no_more_and_goes_on_where_it_was(server: Outside, channel: Channel) -> None:
    server.answers |= {"/page/1": page(1), "/page/2": EMPTY}
    run()
    polling.stop(channel)
    server.answers |= {"/page/2": page(2), "/page/3": EMPTY}
    server.heard.clear()
    assert run() == {"done": 0, "retried": 0, "parked": 0}
    with pytest.raises(polling.NotAsked):
        polling.ask_now(channel)

    polling.begin(channel)
    polling.ask_pending(at=AT)

    assert (stored(), server.paths()) == (["1", "2"], ["/page/2", "/page/3"])


def test_a_channel_closed_under_a_run_gets_nothing_more(server: Outside, channel: Channel) -> None:
    three_pages(server)
    real = polling.outgoing.ask

    def closes(request: Request, **named: Any) -> Any:
        if request.url.endswith("/2"):
            polling.stop(channel)
        return real(request, **named)

    polling.ask_pending(at=AT, ask=closes)

    assert stored() == ["1", "2"]
    assert Poll.objects.get().completed_at is not None


def test_a_channel_switched_off_elsewhere_is_not_asked(server: Outside, channel: Channel) -> None:
    Channel.objects.update(is_enabled=False)
    run()

    assert server.heard == []
    assert polling.standing(channel, at=AT).state == "closed"  # type: ignore[union-attr]


def test_only_sources_are_asked_and_each_once(channel: Channel) -> None:
    assert polling.begin(make_channel()) is None
    polling.begin(channel)

    assert Poll.objects.count() == 1
    assert Poll.objects.get().every_seconds == 300


def test_one_that_is_being_asked_is_not_asked_twice(channel: Channel) -> None:
    later = timezone.now() + timedelta(minutes=3)
    token = uuid.uuid4()
    Poll.objects.update(lease_token=token, next_attempt_at=later)

    polling.ask_now(channel)

    assert Poll.objects.values_list("lease_token", "next_attempt_at").get() == (token, later)


def test_waiting_for_the_next_time_is_not_overdue(server: Outside, channel: Channel, client: Client) -> None:
    server.other = EMPTY
    run()

    (check,) = (each for each in health.checks() if each.name == "ask")
    assert (check.ok, check.found) == (True, "1 waiting, oldest due 0 s, 0 parked")
    assert client.get("/readyz").json()["oldest_due_seconds"]["ask"] == 0

    server.other = Said(401)
    run()
    (check,) = (each for each in health.checks() if each.name == "ask")
    assert not check.ok
    assert "/settings/parked/" in check.advice


def test_the_page_shows_how_each_source_is_doing(server: Outside, channel: Channel, client: Client) -> None:
    client.force_login(make_person("Ada", role=Role.ADMIN))
    assert "Never" in client.get("/settings/polls/").content.decode()
    three_pages(server)
    run()
    shown = client.get("/settings/polls/").content.decode()
    assert "numbered" in shown
    assert "4 Mar 2026, 12:00" in shown
    assert "Ask now" in shown

    server.other = Said(401)
    server.answers.clear()
    run()
    shown = client.get("/settings/polls/").content.decode()
    assert "refuses our key" in shown
    assert "Start again" in shown
    assert client.get("/settings/parked/?stage=ask").content.decode().count("numbered") >= 1

    assert client.post("/settings/polls/numbered/").status_code == 302
    assert Poll.objects.due().count() == 1


def test_a_closed_channel_cannot_be_asked_from_the_page(channel: Channel, client: Client) -> None:
    client.force_login(make_person("Ada", role=Role.ADMIN))
    polling.stop(channel)
    assert "Ask now" not in client.get("/settings/polls/").content.decode()
    answer = client.post("/settings/polls/numbered/")
    assert (answer.status_code, b"is closed" in answer.content) == (409, True)


def test_words_of_a_source_are_shown_as_text(channel: Channel, client: Client) -> None:
    client.force_login(make_person("Ada", role=Role.ADMIN))
    Poll.objects.update(last_error="<script>alert(1)</script>", failures=2)
    shown = client.get("/settings/polls/").content.decode()
    assert "<script>alert" not in shown
    assert "&lt;script&gt;" in shown
