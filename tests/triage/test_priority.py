"""Themes end in a decision, in an order whose sums are shown; and a team sees its week on one page."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import Team, User
from feedback_portal.refusals import BadInput, NotAllowed
from intake.models import Account
from tests.makers import AT, actor, make_customer, make_person, make_team, make_ticket
from triage.improving import improvements
from triage.models import Theme, ThemeDecision, ThemeMember, Topic, WeeklyNote
from triage.themes import answering, ranking, week
from triage.themes.priority import PARTS, Standing, ranked

EVEN = dict.fromkeys(PARTS, 1.0)


def standing(key: int, **known: Any) -> Standing:
    usual = {"voices": 10, "severity": 2.0, "log_value": None, "recent": 5, "earlier": 5, "fit": 3, "effort": 3}
    return Standing(key=key, **(usual | known))


class TestOrder:
    def test_the_parts_multiply_to_the_score(self) -> None:
        (one,) = ranked([standing(1, fit=5, effort=2)], EVEN | {"severity": 2.0})

        product = 1.0
        for name in PARTS:
            product *= one.parts[name]
        assert one.score == pytest.approx(product) == pytest.approx(10 * 4 * (5 / 3) / (2 / 3))

    @pytest.mark.parametrize(
        ("better", "worse"),
        [
            ({"voices": 11}, {}),
            ({"severity": 3.0}, {}),
            ({"log_value": 8.0}, {"log_value": 2.0}),
            ({"recent": 9}, {}),
            ({"fit": 5}, {}),
            ({"effort": 1}, {}),
        ],
    )
    def test_each_part_moves_the_rank_its_own_way(self, better: dict[str, Any], worse: dict[str, Any]) -> None:
        first, _ = ranked([standing(1, **worse), standing(2, **better)], EVEN)
        assert first.standing.key == 2

    def test_a_rank_that_hangs_on_the_weights_says_so(self) -> None:
        clear = ranked([standing(1, voices=900), standing(2)], EVEN)[0]
        close = ranked([standing(1, voices=20), standing(2, severity=4.0)], EVEN)[0]

        assert clear.stays == 1.0
        assert 0.3 < close.stays < 0.8
        assert ranked([], EVEN) == []


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality)


@pytest.fixture
def leaks(quality: Team) -> Theme:
    topic = Topic.objects.create(slug="leak", name="Leak", team=quality)
    return theme(quality, topic, "Leaks", "Ana", "Ana", "Bo")


def theme(team: Team, topic: Topic, name: str, *customers: str) -> Theme:
    made = Theme.objects.create(name=name, topic=topic, state_at=AT, size=len(customers), customers=len(set(customers)))
    for customer in customers:
        ThemeMember.objects.create(
            item=make_ticket(team=team, at=AT - timedelta(days=3), item_customer=make_customer(customer)).item,
            theme=made,
        )
    return made


def test_customers_are_counted_and_not_messages_and_what_they_are_worth(quality: Team, leaks: Theme) -> None:
    firm = Account.objects.create(external_id="a", value=999)
    dents = theme(quality, Topic.objects.create(slug="dent", name="Dent"), "Dents", "Cy")
    type(firm).objects.get(pk=firm.pk).customers.add(make_customer("Cy"))

    by_key = {each.standing.key: each.standing for each in ranking.rank([leaks, dents], at=AT)}

    assert (by_key[leaks.pk].voices, by_key[leaks.pk].recent, by_key[leaks.pk].log_value) == (2, 3, None)
    assert by_key[dents.pk].log_value == pytest.approx(6.9078, abs=1e-3)


def test_only_who_steers_changes_the_weights_and_everybody_of_the_team_the_estimate(
    quality: Team, tariq: User, leaks: Theme
) -> None:
    with pytest.raises(NotAllowed):
        ranking.weigh(by=actor(tariq), at=AT, **dict.fromkeys(PARTS, 10))
    lena = make_person("Lena", role="manager")
    with pytest.raises(BadInput):
        ranking.weigh(by=actor(lena), at=AT, severity=31)
    ranking.weigh(by=actor(lena), at=AT, severity=20)
    ranking.estimate(leaks.reference, by=actor(tariq), at=AT, fit="5", effort="1")

    (told,) = ranking.rank([leaks], at=AT)
    assert ranking.weights()["severity"] == 2.0
    assert (told.standing.fit, told.standing.effort) == (5, 1)


class TestDecisions:
    def test_declining_needs_a_reason(self, tariq: User, leaks: Theme) -> None:
        with pytest.raises(BadInput, match="reason"):
            answering.decide(leaks.reference, by=actor(tariq), at=AT, choice="decline")

        made = answering.decide(leaks.reference, by=actor(tariq), at=AT, choice="decline", reason="It is by design.")

        assert made.numbers["customers"] == 2
        with pytest.raises(IntegrityError), transaction.atomic():
            ThemeDecision.objects.update(reason="")

    def test_acting_needs_an_action(self, tariq: User, leaks: Theme) -> None:
        with pytest.raises(BadInput, match="plan a new one"):
            answering.decide(leaks.reference, by=actor(tariq), at=AT, choice="act")
        answering.decide(leaks.reference, by=actor(tariq), at=AT, choice="act", title="Glue it", team="quality")

        assert leaks.action_links.get().action.title == "Glue it"
        assert leaks.events.get(type="decided").data == {"choice": "act on it"}

    def test_what_waits_is_due_again_when_the_voices_come_or_it_grows(self, tariq: User, leaks: Theme) -> None:
        def is_due(days: int = 0) -> bool:
            return answering.awaiting(Theme.objects.all(), at=AT + timedelta(days=days)).exists()

        assert is_due()
        answering.decide(leaks.reference, by=actor(tariq), at=AT, choice="wait", until_customers="3")
        assert not is_due()
        Theme.objects.update(customers=3)
        assert is_due()
        answering.decide(leaks.reference, by=actor(tariq), at=AT, choice="wait", until_day="2026-03-10")
        assert not is_due()
        assert is_due(days=7)
        answering.decide(leaks.reference, by=actor(tariq), at=AT, choice="decline", reason="No.")
        assert not is_due()
        Theme.objects.update(grew_at=AT + timedelta(hours=1))
        assert is_due()


class TestPages:
    @pytest.fixture
    def signed_in(self, client: Client, tariq: User) -> Client:
        client.force_login(tariq)
        return client

    def test_the_ranking_shows_its_sums_at_the_same_cost_for_20(
        self, signed_in: Client, quality: Team, leaks: Theme
    ) -> None:
        def cost(number: int) -> int:
            while Theme.objects.count() < number:
                theme(quality, leaks.topic, f"Theme {Theme.objects.count()}", "Ana")  # type: ignore[arg-type]
            with CaptureQueriesContext(connection) as queries:
                page = signed_in.get("/themes/priority/")
            assert page.status_code == 200
            return len(queries)

        assert cost(2) == cost(20)
        answer = signed_in.post(f"/themes/{leaks.reference}/estimate/", {"fit": "5", "effort": "2"})
        assert answer.status_code == 302

    def test_a_decision_is_taken_on_its_page(self, signed_in: Client, leaks: Theme) -> None:
        address = f"/themes/{leaks.reference}/decision/"
        assert signed_in.post(address, {"choice": "decline"}).status_code == 422
        said = {"choice": "decline", "reason": "It is <b>meant</b> so.", "decline_open": "on"}
        assert signed_in.post(address, said).status_code == 302
        told = {member.item.tickets.get().resolution_reason for member in leaks.members.all()}
        assert told == {"It is <b>meant</b> so."}
        assert "It is &lt;b&gt;meant" in signed_in.get(address).content.decode()
        assert "Decline it" in signed_in.get(f"/themes/{leaks.reference}/").content.decode()

    def test_the_week_shows_what_is_due_and_keeps_its_notes(
        self, signed_in: Client, quality: Team, tariq: User, leaks: Theme
    ) -> None:
        improvements.create(by=actor(tariq), at=AT, title="Glue the seal", team="quality", due_at="2026-03-01")
        page = signed_in.get("/weeks/quality/?week=2026-03-04").content.decode()
        for part in ("Leaks", "Glue the seal", "planned it", "2 March to 8 March 2026"):
            assert part in page
        assert (
            signed_in.post("/weeks/quality/?week=2026-03-04", {"text": "We glue.", "version": "0"}).status_code == 302
        )
        assert signed_in.post("/weeks/quality/?week=2026-03-04", {"text": "Else.", "version": "0"}).status_code == 409
        note = WeeklyNote.objects.get()
        assert (note.text, note.week.isoformat(), note.person) == ("We glue.", "2026-03-02", tariq)
        week.write(quality, note.week, by=actor(tariq), at=AT, text="More.", version=1)
        assert WeeklyNote.objects.get().version == 2
        assert signed_in.get("/weeks/quality/?week=soon").status_code == 400
