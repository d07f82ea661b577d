"""Administrators write, try, watch and order rules on pages that work with a script and without one."""

from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import Role, Team, User
from tests.makers import AT, actor, make_person, make_team, make_ticket
from triage import rulebook
from triage.models import BackTest, Rule, RuleProposal, ShadowMatch, Topic
from triage.rulebook import back_testing

pytestmark = pytest.mark.django_db

HOSTILE = "<img src=x onerror=alert(1)>"


def typed(**more: str) -> dict[str, str]:
    """The form of a rule with one condition and one act."""
    return {
        "name": "Leaks",
        "mode": "live",
        "kind-0": "all",
        "kind-0.0": "condition",
        "field-0.0": "text",
        "op-0.0": "mentions",
        "value-0.0": "leak\ndrips",
        "verb-0": "route",
        "argument-0": "quality",
    } | more


LEAKS = {
    "version": 1,
    "when": {"all": [{"field": "text", "op": "mentions", "value": ["leak", "drips"]}]},
    "then": [{"verb": "route", "team": "quality"}],
}


@pytest.fixture
def quality() -> Team:
    return make_team("quality")


@pytest.fixture
def ines(client: Client, quality: Team) -> User:
    person = make_person("Ines", role=Role.ADMIN)
    client.force_login(person)
    return person


def page(client: Client, address: str, fields: dict[str, str] | None = None, status: int = 200, **headers: str) -> str:
    answer = client.get(address, headers=headers) if fields is None else client.post(address, fields, headers=headers)
    assert answer.status_code == status, answer.content.decode()[:500]
    return unescape(answer.content.decode())


class TestTheEditor:
    def test_a_rule_is_looked_at_saved_changed_and_not_changed_over_somebodys_head(
        self, client: Client, ines: User
    ) -> None:
        ticket = make_ticket("Since Monday it leaks again")
        make_ticket("It burns")

        looked = page(client, "/settings/rules/new/", typed(do="look"))
        assert 'When the text mentions "leak" or "drips": route to "quality".' in looked
        assert "It would hold for 1 of them" in looked
        assert ticket.item.reference in looked
        assert "<mark>leaks</mark>" in looked
        assert not Rule.objects.exists()

        page(client, "/settings/rules/new/", typed(do="save"), status=302)
        rule = Rule.objects.get()
        assert (rule.definition, rule.changed_by, rule.is_shadow) == (LEAKS, ines, False)
        page(
            client,
            f"/settings/rules/{rule.pk}/",
            typed(do="save", version="1", mode="shadow", name="Leaking"),
            status=302,
        )
        rule.refresh_from_db()
        assert (rule.name, rule.version, rule.is_shadow) == ("Leaking", 2, True)
        page(client, f"/settings/rules/{rule.pk}/", typed(do="save", version="1"), status=409)

    @pytest.mark.parametrize(
        ("wrong", "said", "where"),
        [
            ({"name": ""}, "Give it a name", "name-errors"),
            ({"argument-0": ""}, "not empty", "act-0-errors"),
            ({"argument-0": "nowhere"}, 'There is no team "nowhere"', "act-0-errors"),
            ({"value-0.0": ""}, "1 to 200 words", 'id="node-0.0"'),
            ({"op-0.0": "matches", "value-0.0": "(a+)+$("}, "pattern cannot be used", 'id="node-0.0"'),
            ({"field-0.0": "rating", "op-0.0": "lte", "value-0.0": "two"}, "Give a number", 'id="node-0.0"'),
        ],
    )
    def test_what_is_wrong_is_told_where_it_stands_and_nothing_is_saved(
        self, client: Client, ines: User, wrong: dict[str, str], said: str, where: str
    ) -> None:
        shown = page(client, "/settings/rules/new/", typed(do="save") | wrong, status=422)

        assert said in shown
        assert where in shown
        assert said in shown[shown.index(where) :]
        assert not Rule.objects.exists()
        assert said in page(client, "/settings/rules/new/", typed(do="look") | wrong) or "name" in wrong

    def test_buttons_keep_what_was_typed(self, client: Client, ines: User) -> None:
        shown = page(client, "/settings/rules/new/", typed(do="group 0"))
        assert 'name="kind-0.1"' in shown
        assert 'name="field-0.1.1"' in shown
        assert "leak\ndrips</textarea>" in shown
        shown = page(client, "/settings/rules/new/", typed(do="settle") | {"field-0.0": "channel"})
        assert 'value="in"' in shown
        assert "matches the pattern" in shown
        assert '<textarea name="value-0.0"' not in shown

    def test_every_field_is_offered(self, client: Client, ines: User) -> None:
        from triage.rules.facts import FIELDS

        shown = page(client, "/settings/rules/new/")
        assert [name for name in (*FIELDS, "context.", "entity.") if f'<option value="{name}"' not in shown] == []

    def test_hostile_words_are_shown_and_never_run(self, client: Client, ines: User) -> None:
        make_ticket(f"leak {HOSTILE}")
        make_ticket("leak", item_title=HOSTILE)
        answer = client.post("/settings/rules/new/", typed(do="look", name=HOSTILE) | {"value-0.0": f"leak\n{HOSTILE}"})
        assert HOSTILE not in answer.content.decode()
        assert "&lt;img" in answer.content.decode()

    def test_a_rule_that_cannot_be_read_any_more_is_shown_with_an_empty_form(self, client: Client, ines: User) -> None:
        broken = Rule.objects.create(name="Old", definition={"broken": 1})
        assert "cannot be read" in page(client, "/settings/rules/")
        page(client, f"/settings/rules/{broken.pk}/")


class TestTheList:
    def test_rules_are_moved_and_switched_by_buttons(self, client: Client, ines: User) -> None:
        first, second = (Rule.objects.create(name=name, definition=LEAKS) for name in ("One", "Two"))

        page(client, f"/settings/rules/{second.pk}/up/", {}, status=302)
        page(client, f"/settings/rules/{first.pk}/shadow/", {"version": "1"}, status=302)
        page(client, f"/settings/rules/{second.pk}/off/", {"version": "2"}, status=302)
        page(client, f"/settings/rules/{second.pk}/live/", {"version": "2"}, status=409)
        page(client, f"/settings/rules/{second.pk}/burn/", {}, status=404)

        assert [one.name for one in Rule.objects.order_by("position", "pk")] == ["Two", "One"]
        assert list(Rule.objects.in_shadow()) == [first]
        assert not Rule.objects.in_order()
        shown = page(client, "/settings/rules/")
        assert "in shadow" in shown
        assert "switched off" in shown

    def test_a_version_is_compared_and_brought_back(self, client: Client, ines: User) -> None:
        by = actor(ines)
        rule = rulebook.create_rule({"name": "R", "definition": LEAKS}, by=by, at=AT)
        other = LEAKS | {"when": {"field": "rating", "op": "lte", "value": 2}}
        rulebook.change_rule(rule, {"definition": other}, by=by, at=AT)

        assert "says something else" in page(client, f"/settings/rules/{rule.pk}/versions/")
        compared = page(client, f"/settings/rules/{rule.pk}/versions/2/")
        assert '<del>    "all": [</del>' in compared
        assert '<ins>    "field": "rating",</ins>' in compared
        page(client, f"/settings/rules/{rule.pk}/versions/1/restore/", {}, status=302)
        rule.refresh_from_db()
        assert (rule.definition, rule.version) == (LEAKS, 3)
        page(client, f"/settings/rules/{rule.pk}/versions/9/", status=404)

    def test_proposals_are_taken_or_turned_down_with_a_reason(self, client: Client, ines: User) -> None:
        effect = {"right": 9, "decided": 10, "low": 60, "high": 98, "fixes": 8, "breaks": 0, "moves": []}
        leaks = Topic.objects.create(slug="leaks", name="Leaks", keywords=["wet"])
        made = {"effect": effect, "found_at": AT}
        new = RuleProposal.objects.create(kind="rule", key="a", says="Drips go to Quality", definition=LEAKS, **made)
        word = RuleProposal.objects.create(kind="keyword", key="b", says="A word", topic=leaks, word="drips", **made)
        bad = RuleProposal.objects.create(kind="not_keyword", key="c", says="Not wet", topic=leaks, word="wet", **made)
        Rule.objects.create(name="There", position=0, definition=LEAKS)

        assert "9 times in 10" in page(client, "/settings/rules/")
        page(client, f"/settings/rules/proposals/{new.pk}/accept/", {}, status=302)
        page(client, f"/settings/rules/proposals/{word.pk}/accept/", {}, status=302)
        page(client, f"/settings/rules/proposals/{bad.pk}/dismiss/", {}, status=400)
        page(client, f"/settings/rules/proposals/{bad.pk}/dismiss/", {"reason": "It is right"}, status=302)
        page(client, f"/settings/rules/proposals/{bad.pk}/accept/", {}, status=409)

        first = Rule.objects.order_by("position", "pk")[0]
        assert (first.name, first.changed_by) == ("Drips go to Quality", ines)
        leaks.refresh_from_db()
        assert leaks.keywords == ["wet", "drips"]
        bad.refresh_from_db()
        assert (bad.status, bad.reason, bad.decided_by) == ("dismissed", "It is right", ines)
        assert "Nothing at the moment" in page(client, "/settings/rules/")


class TestBackTests:
    def test_one_is_asked_for_watched_and_read(self, client: Client, ines: User) -> None:
        service = make_team("service")
        ticket = make_ticket("It leaks", team=service, triaged_at=AT)
        shown = page(client, "/settings/rules/new/", typed(do="try", items="100"))
        asked = BackTest.objects.get()
        assert f'hx-get="/settings/rules/back-tests/{asked.pk}/"' in shown
        assert "It <mark>leaks</mark>" in shown  # the preview stays

        waiting = page(client, f"/settings/rules/back-tests/{asked.pk}/", **{"HX-Request": "true"})
        assert waiting.lstrip().startswith('<section id="back-test"')
        back_testing.work_pending()
        found = page(client, f"/settings/rules/back-tests/{asked.pk}/")
        assert "hx-get" not in found[found.index("back-test") : found.index("</section>")]
        assert ticket.reference in found
        assert "Quality" in found
        again = page(client, "/settings/rules/new/", typed(do="look", back_test=str(asked.pk)))
        assert "Would go elsewhere" in again

    def test_one_is_cancelled(self, client: Client, ines: User) -> None:
        page(client, "/settings/rules/new/", typed(do="try", items="100"))
        asked = BackTest.objects.get()
        cancelled = page(client, f"/settings/rules/back-tests/{asked.pk}/cancel/", {}, **{"HX-Request": "true"})
        assert "It was cancelled" in cancelled
        back_testing.work_pending()
        asked.refresh_from_db()
        assert asked.result is None

    @pytest.mark.parametrize("items", ["0", "", "many", "99999999"])
    def test_a_wrong_number_is_refused(self, client: Client, ines: User, items: str) -> None:
        assert "Try it on 1 to" in page(client, "/settings/rules/new/", typed(do="try", items=items), status=422)
        assert not BackTest.objects.exists()


class TestShadow:
    def test_a_rule_in_shadow_decides_nothing_and_tells_what_it_would_have_done(
        self, client: Client, ines: User
    ) -> None:
        from tests.triage.test_shadow import arrive

        rule = rulebook.create_rule({"name": "S", "definition": LEAKS, "is_shadow": True}, by=actor(ines), at=AT)
        arrive("It leaks", "It burns")

        assert ShadowMatch.objects.count() == 1
        shown = page(client, f"/settings/rules/{rule.pk}/")
        assert "Would have decided" in shown
        assert "It leaks" in shown

    def test_the_page_asks_as_much_for_20_matches_as_for_2(self, client: Client, ines: User, quality: Team) -> None:
        rule = Rule.objects.create(name="S", definition=LEAKS, is_shadow=True)

        def more(count: int) -> int:
            for _ in range(count):
                ticket = make_ticket("It leaks", team=quality)
                ShadowMatch.objects.create(rule=rule, version=1, item=ticket.item, would=quality, placed=quality)
            with CaptureQueriesContext(connection) as asked:
                page(client, f"/settings/rules/{rule.pk}/")
            return len(asked)

        few = more(2)
        assert more(18) == few


def test_saving_a_rule_that_would_move_open_tickets_leads_to_where_that_is_decided(client: Client, ines: User) -> None:
    ticket = make_ticket("It drips", team=make_team("logistics"))

    answer = client.post("/settings/rules/new/", typed(do="save"))
    assert answer["Location"] == "/settings/reevaluation/"

    shown = page(client, "/settings/reevaluation/")
    assert "1 open ticket would change by it" in shown
    ticket.refresh_from_db()
    assert (ticket.team.slug, ticket.version) == ("logistics", 1)
