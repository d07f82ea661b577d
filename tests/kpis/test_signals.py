"""What rises beyond chance is raised once, grows in place, ends in a verdict, and the watch is judged by its verdicts."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from feedback_portal.accounts.models import Role, Scope, Team
from feedback_portal.refusals import BadInput
from intake.models import Account, Channel, Customer, Exposure, FeedbackItem, Submission
from kpis import recording
from kpis.models import Signal, SignalEvent
from kpis.signals import deciding, detecting, names, series
from kpis.signals.precision import precision
from kpis.signals.series import Key
from kpis.statistics.run_rules import run_rules
from kpis.statistics.surveillance import excess, tail
from tests.makers import actor, make_channel, make_customer, make_person, make_team
from triage.models import Theme, ThemeMember, Ticket

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
NOW = MONDAY + timedelta(days=9, hours=6)
WEEK = timedelta(weeks=1)


class Past:
    """Half a year in which everything is as ever, but for what a test adds."""

    def __init__(self) -> None:
        self.team, self.channel = make_team("quality"), make_channel("form", kind="web_form")
        self.leaks = Theme.objects.create(name="Seal leaks", state_at=NOW, size=1)
        self.account = Account.objects.create(external_id="A", value=5000)
        self.customers = [make_customer(f"Customer {number}", account=self.account) for number in range(4)]
        self.numbers = itertools.count(1)

    def fill(self, *, weeks: int = 27) -> None:
        for back in range(weeks):
            self.said(3 if back % 2 else 2, back, theme=self.leaks, product="H4")
            self.said(12 + back % 3, back, product="K2")

    def said(self, times: int, weeks_ago: int, *, theme: Theme | None = None, product: str = "") -> None:
        at = MONDAY - weeks_ago * WEEK + timedelta(days=2)
        submissions = Submission.objects.bulk_create(
            Submission(
                channel=self.channel, external_id=str(number), payload=b"", sha256=b"", tracking_hash=str(number)
            )
            for number in itertools.islice(self.numbers, times)
        )
        items = FeedbackItem.objects.bulk_create(
            FeedbackItem(
                submission=submission,
                channel=self.channel,
                customer=self.customers[place % 4] if theme else None,
                text="It leaks",
                excerpt="It leaks",
                product=product,
                submitted_at=at,
                received_at=at,
            )
            for place, submission in enumerate(submissions)
        )
        Ticket.objects.bulk_create(Ticket(item=item, team=self.team, due_at=at, received_at=at) for item in items)
        if theme:
            ThemeMember.objects.bulk_create(ThemeMember(item=item, theme=theme) for item in items)


@pytest.fixture
def past(db: None) -> Past:
    made = Past()
    made.fill()
    return made


def test_a_rise_is_one_signal_with_the_items_that_made_it(past: Past) -> None:
    past.said(14, 0, theme=past.leaks, product="H4")

    told = detecting.watch(at=NOW)

    signal = Signal.objects.get()
    assert (told.week, told.raised) == (MONDAY.date(), 1)
    assert "Seal leaks" in signal.name
    assert (signal.count, signal.team, signal.customers, signal.value) == (16, past.team, 4, 5000)
    assert signal.p < 1e-4
    # The theme, its product and both together rose with the same items, so they are one.
    assert len({signal.key, *signal.also}) >= 2
    assert signal.history[-1]["value"] == 16


def test_where_nothing_changed_nothing_is_raised(past: Past) -> None:
    assert detecting.watch(at=NOW).raised == 0


def test_looking_again_changes_nothing_and_the_next_week_is_written_into_it(past: Past) -> None:
    past.said(14, 0, theme=past.leaks, product="H4")
    detecting.watch(at=NOW)
    first = Signal.objects.values().get()

    again = detecting.watch(at=NOW + timedelta(hours=5))

    assert (again.raised, again.updated) == (0, 0)
    assert Signal.objects.values().get() == first
    past.said(18, -1, theme=past.leaks, product="H4")
    past.said(13, -1, product="K2")

    later = detecting.watch(at=NOW + WEEK)

    signal = Signal.objects.get()
    assert (later.raised, later.updated) == (0, 1)
    assert [each["week"] for each in signal.weeks] == ["2026-03-02", "2026-03-09"]
    assert list(signal.events.order_by("pk").values_list("type", flat=True)) == ["raised", "again"]


def test_copies_of_one_customer_are_no_surge(past: Past) -> None:
    FeedbackItem.objects.update(customer=past.customers[0])
    past.said(14, 0, theme=past.leaks, product="H4")
    FeedbackItem.objects.update(customer=past.customers[0])

    assert detecting.watch(at=NOW).raised == 0


def test_more_units_explain_more_complaints(past: Past) -> None:
    past.said(5, 0, theme=past.leaks, product="H4")
    for back in range(30):
        for product in ("H4", "K2", ""):
            Exposure.objects.create(
                kind="orders", product=product, day=(MONDAY - back * WEEK).date(), count=300 if back == 0 else 100
            )
    weekly = series.weekly(series.weeks_until(MONDAY.date(), number=30), zone=recording.reporting_zone(), at=NOW)

    judged = {each.key: each for each in detecting.judge(weekly, zone=recording.reporting_zone(), at=NOW)}

    told = judged[Key(theme=past.leaks.pk, product="H4")]
    assert told.basis == "orders of H4"
    assert told.excess.p > 0.2


def test_a_week_is_looked_at_when_what_is_said_has_arrived(past: Past) -> None:
    zone = recording.reporting_zone()
    assert detecting.last_complete_week(at=MONDAY + WEEK + timedelta(hours=30), zone=zone) == (MONDAY - WEEK).date()
    assert detecting.last_complete_week(at=MONDAY + WEEK + timedelta(hours=50), zone=zone) == MONDAY.date()


def test_a_verdict_needs_its_reason_and_quiets_the_series(past: Past) -> None:
    past.said(14, 0, theme=past.leaks, product="H4")
    detecting.watch(at=NOW)
    signal, mina = Signal.objects.get(), actor(make_person("Mina", past.team, role=Role.LEAD))

    with pytest.raises(BadInput):
        deciding.decide(signal.reference, "end", by=mina, at=NOW, verdict="real")
    with pytest.raises(deciding.StaleSignal):
        deciding.decide(signal.reference, "end", by=mina, at=NOW, version=7, verdict="real", reason="A bad batch.")
    ended = deciding.decide(signal.reference, "end", by=mina, at=NOW, version=1, verdict="real", reason="A bad batch.")

    assert (ended.verdict, ended.version) == ("real", 2)
    assert SignalEvent.objects.filter(type="ended", person=mina.user).count() == 1
    past.said(18, -1, theme=past.leaks, product="H4")
    past.said(13, -1, product="K2")
    assert detecting.watch(at=NOW + WEEK).raised == 0


def test_the_watch_is_judged_by_its_verdicts(db: None) -> None:
    lena = actor(make_person("Lena", role=Role.MANAGER))
    assert "No signal has its verdict yet" in precision(by=lena).sentence
    for number, verdict in enumerate(["real"] * 12 + ["known"] * 5 + ["noise"] * 8):
        Signal.objects.create(
            key=f"theme:{number}", kind="rise", name="A", first_week=MONDAY.date(), last_week=MONDAY.date(),
            verdict=verdict, verdict_reason="So it was.", verdict_at=NOW + timedelta(hours=number), raised_at=NOW, seen_at=NOW,
        )  # fmt: skip

    told = precision(by=lena)

    assert (told.n, told.real, told.known, told.noise) == (20, 7, 5, 8)
    assert told.share == pytest.approx(0.6)


def test_a_new_voice_is_told_once(past: Past) -> None:
    voice = Theme.objects.create(
        name="Whistles when hot", state_at=NOW, size=6, customers=4, first_at=NOW - timedelta(days=8)
    )
    past.said(6, 0, theme=voice, product="K2")

    detecting.watch(at=NOW)

    signal = Signal.objects.get(kind="voice")
    assert (signal.count, signal.name, signal.team) == (6, "Whistles when hot", past.team)
    deciding.decide(
        signal.reference, "end", by=actor(make_person("Lena", role="manager")), at=NOW, verdict="known", reason="New."
    )
    detecting.watch(at=NOW)
    assert Signal.objects.filter(kind="voice").count() == 1


def test_other_channels_than_usual_are_a_signal(past: Past) -> None:
    shop = Channel.objects.create(slug="shop", name="Shop", kind="web_form")
    past.said(60, 0)
    FeedbackItem.objects.filter(product="").update(channel=shop)

    detecting.watch(at=NOW)

    signal = Signal.objects.get(kind="mix")
    assert "more of Shop" in signal.name
    assert signal.weeks[-1]["shares"]["Shop"][0] == 0


def test_the_pages_show_it_and_take_the_verdict(past: Past, signed_in: Callable[..., Client]) -> None:
    past.said(14, 0, theme=past.leaks, product="H4")
    detecting.watch(at=NOW)
    signal = Signal.objects.get()
    browser = signed_in(Role.AGENT, past.team)

    listed = browser.get("/signals/").content.decode()
    page = browser.get(f"/signals/{signal.reference}/").content.decode()
    items = browser.get(f"/signals/{signal.reference}/items/").content.decode()

    assert signal.reference in listed
    assert "16 items in a week where" in listed
    assert "/actions/new/?title=Seal+leaks" in page
    assert "<b>16 items</b>" in items
    refused = browser.post(f"/signals/{signal.reference}/end/", {"verdict": "real", "version": "1"})
    assert refused.status_code == 422
    browser.post(f"/signals/{signal.reference}/end/", {"verdict": "real", "reason": "A bad batch.", "version": "1"})
    signal.refresh_from_db()
    assert signal.verdict == "real"
    assert "A bad batch." in browser.get("/signals/").content.decode()


def test_a_program_reads_and_decides(past: Past, bearing: Callable[..., Client]) -> None:
    past.said(14, 0, theme=past.leaks, product="H4")
    detecting.watch(at=NOW)
    program = bearing(Scope.KPIS_READ, Scope.TICKETS_WRITE)
    [told] = program.get("/api/v1/signals/?state=open").json()["results"]

    done = program.post(
        f"/api/v1/signals/{told['reference']}/decisions/",
        {"verb": "end", "verdict": "noise", "reason": "A stand at a fair.", "version": told["version"]},
        content_type="application/json",
    )
    stale = program.post(
        f"/api/v1/signals/{told['reference']}/decisions/",
        {"verb": "reopen", "version": told["version"]},
        content_type="application/json",
    )

    assert (done.status_code, done.json()["verdict"], stale.status_code) == (200, "noise", 409)
    other = bearing(Scope.KPIS_READ, team=Team.objects.create(slug="other", name="Other"))
    assert other.get("/api/v1/signals/").json()["results"] == []


@pytest.mark.parametrize("text", ["everything", "theme:3", "theme:3|product:a|b:c", "stage:2|product:product: x"])
def test_a_key_reads_what_it_wrote(text: str) -> None:
    assert str(Key.read(text)) == text


@given(
    counts=st.lists(st.integers(0, 40), min_size=20, max_size=30),
    more=st.integers(1, 50),
    size=st.floats(1, 1000),
)
def test_more_said_is_never_less_surprising(counts: list[int], more: int, size: float) -> None:
    exposure = [size] * len(counts)
    usual, rise = excess(counts, exposure), excess([*counts[:-1], counts[-1] + more], exposure)

    assert usual is not None
    assert rise is not None
    assert 0 <= rise.p <= usual.p + 1e-9 <= 1 + 1e-9


def test_a_short_past_says_nothing() -> None:
    assert excess([3] * 12, [1.0] * 12) is None
    assert excess([3] * 13, [1.0] * 12 + [0.0]) is None


def test_a_trend_that_goes_on_is_no_surge() -> None:
    rising = [round(10 * 1.05**week) for week in range(27)]

    told = excess(rising, [1.0] * 27)

    assert told is not None
    assert told.p > 0.3


def test_a_past_outbreak_does_not_hide_the_next() -> None:
    usual = [10, 12, 9, 11, 10, 8, 12] * 4
    outbreak = [*usual[:10], 60, 70, *usual[12:]]

    hidden, plain = excess([*outbreak, 30], [1.0] * 29), excess([*usual, 30], [1.0] * 29)

    assert hidden is not None
    assert plain is not None
    assert plain.p < hidden.p < 0.01


@pytest.mark.parametrize(
    ("count", "mean", "variance", "expected"),
    # 1 - ppois(9, 5); 1 - pnbinom(9, size = 5, mu = 5); both by R.
    [(10, 5.0, 5.0, 0.03182806), (10, 5.0, 10.0, 0.08978271), (0, 5.0, 5.0, 1.0)],
)
def test_tails_are_those_of_the_tables(count: int, mean: float, variance: float, expected: float) -> None:
    assert tail(count, mean, variance) == pytest.approx(expected, abs=1e-7)


def test_each_run_rule_sees_its_pattern_and_no_other_points() -> None:
    rising = [-1.0, -0.6, -0.2, 0.2, 0.6, 1.0]

    assert run_rules(rising, ["six-drifting"])["six-drifting"] == [6]
    assert run_rules([0.1, 2.2, 0.0, 2.1], ["two-of-three"])["two-of-three"] == [4]
    assert run_rules([0.5] * 8, ["eight-aside", "nine-aside"]) == {"eight-aside": [8], "nine-aside": []}
    assert run_rules([0.5] * 4 + [None] + [0.5] * 7, ["eight-aside"]) == {"eight-aside": []}
    assert run_rules([0.5, -0.5] * 8, ["fourteen-alternating", "fifteen-inside"]) == {
        "fourteen-alternating": [14, 15, 16],
        "fifteen-inside": [15, 16],
    }
    assert run_rules([1.5, -1.5] * 4, ["eight-outside", "four-of-five"]) == {"eight-outside": [8], "four-of-five": []}
    assert run_rules([0, 3.0, 3.1])["outside"] == [3]


def test_customers_are_not_named_in_a_signal(past: Past) -> None:
    past.said(14, 0, theme=past.leaks, product="H4")
    detecting.watch(at=NOW)

    assert not any(customer.name in str(Signal.objects.values().get()) for customer in Customer.objects.all())


@pytest.mark.parametrize(
    ("stored", "called", "against"),
    [
        (
            {"key": "theme:12", "kind": "rise", "name": "Seal leaks", "basis": "units shipped of H4"},
            "Seal leaks",
            "ausgelieferte Stück von H4",
        ),
        ({"key": "all", "kind": "rise", "name": "Everything", "basis": "its own weeks before"}, "Alles", "die eigenen Wochen davor"),
        ({"key": "kpi:items-received|team:1", "kind": "number", "name": "Items received"}, "Angekommene Einträge", ""),
        ({"key": "kpi:gone", "kind": "number", "name": "Gone"}, "Gone", ""),
        (
            {"key": "mix:language", "kind": "mix", "name": "Languages", "weeks": [{"shares": {"de": [20, 35], "fr": [9, 5]}}]},
            "Sprachen: mehr de (20\xa0% auf 35\xa0%)",
            "",
        ),
    ],
)  # fmt: skip
def test_a_signal_is_called_in_the_language_of_its_reader(stored: dict[str, Any], called: str, against: str) -> None:
    with translation.override("de"):
        told = names.name_of(Signal(**stored)), names.basis_of(Signal(**stored))

    assert told == (called, against)


def test_a_number_of_one_team_names_the_team(db: None) -> None:
    signal = Signal(key="kpi:items-received|team:1", kind="number", name="x", team=make_team("quality"))

    assert names.name_of(signal) == "Items received, Quality"
