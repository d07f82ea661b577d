"""What became of feedback: each definition in the case that tells it from its neighbours."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.statistics import lifecycle
from kpis.statistics.lifecycle import Lifecycle

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def at(hours: float) -> str:
    return (START + timedelta(hours=hours)).isoformat()


def item(name: str, hours: float = 0, **more: Any) -> dict[str, Any]:
    return {"id": name, "received_at": at(hours), "customer": f"c-{name}", "customer_value": 10, **more}


def event(name: str, kind: str, hours: float, **more: Any) -> dict[str, Any]:
    return {"item": name, "type": kind, "at": at(hours), **more}


def measured(
    items: list[dict[str, Any]],
    events: list[dict[str, Any]],
    *,
    actions: tuple[dict[str, Any], ...] = (),
    after_days: float = 60,
) -> Lifecycle:
    log = {"as_of": at(24 * after_days), "items": items, "events": events, "actions": list(actions)}
    return lifecycle(log, sla_triage_hours=24, reopen_days=30, told_grace_days=7)


def actionable(name: str, hours: float = 1) -> dict[str, Any]:
    return event(name, "triaged", hours, team="quality", actionable=True)


def test_nothing_received_has_counts_of_0_and_no_rates() -> None:
    found = measured([], [])
    assert found["items"] == 0
    assert found["sla_triage"]["rate"] is None
    assert found["acknowledged"]["median_hours"] is None
    assert found["backlog"] == {"open": 0, "oldest_days": None, "value": 0, "unknown_value": 0}


def test_spam_and_test_data_are_not_counted() -> None:
    assert measured([item("a"), item("b", spam=True), item("c", test=True)], [])["items"] == 1


def test_an_automatic_receipt_is_no_acknowledgement() -> None:
    found = measured([item("a")], [event("a", "receipt", 0.1), event("a", "reply", 5)])
    assert found["acknowledged"] == {"events": 1, "censored": 0, "median_hours": 5, "p90_hours": 5}


def test_closing_early_does_not_help_once_it_is_reopened() -> None:
    events = [event("a", "resolved", 2), event("a", "reopened", 50)]
    assert measured([item("a")], events)["resolved"]["events"] == 0
    again = measured([item("a")], [*events, event("a", "resolved", 90)])
    assert again["resolved"]["median_hours"] == 90


def test_what_is_resolved_without_action_stops_waiting_for_one() -> None:
    # `b` waits from 10 h on alone: had `a` been watched to the end, half would never be reached at 20 h.
    events = [actionable("a"), event("a", "resolved", 10), actionable("b"), event("b", "work_started", 20)]
    assert measured([item("a"), item("b")], events)["first_action"] == {
        "events": 1, "censored": 1, "median_hours": 20, "p90_hours": 20,
    }  # fmt: skip


def test_the_latest_triage_says_whether_there_is_something_to_do() -> None:
    events = [actionable("a"), event("a", "triaged", 3, team="service", actionable=False)]
    assert measured([item("a")], events)["acted_on"]["actionable"] == 0


@pytest.mark.parametrize(
    ("action", "more", "acted"),
    [
        ({"shipped_at": at(100)}, [], 1),
        ({"shipped_at": at(24 * 61)}, [], 0),
        ({}, [], 0),
        ({"shipped_at": at(100), "withdrawn_at": at(200)}, [], 0),
        ({"shipped_at": at(100)}, [event("a", "action_unlinked", 6, action="A")], 0),
        (
            {"shipped_at": at(100)},
            [event("a", "action_unlinked", 6, action="A"), event("a", "action_linked", 7, action="A")],
            1,
        ),
    ],
    ids=["shipped", "shipped later", "not shipped", "withdrawn", "unlinked", "linked again"],
)
def test_only_a_shipped_action_that_is_still_linked_counts(
    action: dict[str, Any], more: list[dict[str, Any]], acted: int
) -> None:
    events = [actionable("a"), event("a", "action_linked", 5, action="A"), *more]
    assert measured([item("a")], events, actions=({"id": "A", **action},))["acted_on"]["acted"] == acted


def test_a_merged_voice_inherits_work_from_its_merge_on_and_keeps_its_own_clocks() -> None:
    events = [
        actionable("a"),
        event("a", "reply", 1),
        event("a", "action_linked", 2, action="A"),
        event("a", "resolved", 30),
        event("a", "customer_told", 31),
        event("b", "merged", 40, into="a"),
    ]
    found = measured([item("a"), item("b", 10)], events, actions=({"id": "A", "shipped_at": at(20)},))
    assert found["acknowledged"]["events"] == 1  # the reply to `a` is not a reply to `b`
    assert found["loop_closed"] == {"told": 1, "decided": 2, "pending": 0, "rate": 0.5}
    assert found["acted_on"] == {"acted": 2, "actionable": 2, "rate": 1.0}
    # `b` was received at 10 and inherits everything at 40, after 30 h; `a` waited 2 h and 30 h.
    assert (found["first_action"]["median_hours"], found["first_action"]["p90_hours"]) == (2, 30)
    assert (found["triaged"]["median_hours"], found["triaged"]["p90_hours"]) == (1, 30)
    assert found["resolved"] == {"events": 2, "censored": 0, "median_hours": 30, "p90_hours": 30}


def test_a_chain_of_merges_leads_to_its_last_item_and_a_circle_ends() -> None:
    chain = [event("c", "merged", 3, into="b"), event("b", "merged", 5, into="a"), event("a", "resolved", 4)]
    assert measured([item("a"), item("b"), item("c")], chain)["resolved"] == {
        "events": 3, "censored": 0, "median_hours": 5, "p90_hours": 5,
    }  # fmt: skip
    circle = [event("a", "merged", 1, into="b"), event("b", "merged", 2, into="a")]
    assert measured([item("a"), item("b")], circle)["items"] == 2


def test_reopening_and_rerouting_are_about_canonical_items_only() -> None:
    events = [
        event("a", "triaged", 1, team="quality"),
        event("a", "resolved", 2),
        event("b", "triaged", 1, team="quality"),
        event("b", "routed", 2, team="service"),
        event("b", "resolved", 3),
        event("b", "reopened", 4),
        event("b", "merged", 5, into="a"),
    ]
    found = measured([item("a"), item("b")], events)
    assert found["rerouted"] == {"rerouted": 0, "routed": 1, "rate": 0.0}
    assert found["reopened"] == {"reopened": 0, "resolved": 1, "rate": 0.0}


def test_a_reopening_counts_within_its_window_and_once_the_window_has_passed() -> None:
    events = [event("a", "resolved", 0), event("a", "reopened", 24 * 30)]
    assert measured([item("a")], events)["reopened"] == {"reopened": 1, "resolved": 1, "rate": 1.0}
    assert measured([item("a")], events, after_days=29)["reopened"]["resolved"] == 0
    late = [event("a", "resolved", 0), event("a", "reopened", 24 * 30 + 1)]
    assert measured([item("a")], late)["reopened"] == {"reopened": 0, "resolved": 1, "rate": 0.0}


def test_in_time_is_up_to_the_very_moment_it_is_due() -> None:
    items = [item("in time"), item("late"), item("overdue"), item("young", 24 * 59.5)]
    events = [event("in time", "triaged", 24), event("late", "triaged", 24.1)]
    assert measured(items, events)["sla_triage"] == {"met": 1, "missed": 2, "pending": 1, "rate": 1 / 3}


def test_telling_the_customer_before_the_end_does_not_close_the_loop() -> None:
    events = [event("a", "customer_told", 5), event("a", "resolved", 10)]
    assert measured([item("a")], events)["loop_closed"] == {"told": 0, "decided": 1, "pending": 0, "rate": 0.0}
    assert measured([item("a")], events, after_days=6)["loop_closed"]["pending"] == 1
    assert measured([item("a", contactable=False)], events)["loop_closed"]["decided"] == 0


def test_the_backlog_counts_each_customer_once_and_says_whose_value_is_unknown() -> None:
    items = [
        item("a", customer="c", customer_value=100),
        item("b", 24, customer="c", customer_value=120),
        item("c", 48, customer=None, customer_value=None),
        item("d", 72, customer=None, customer_value=None),
        item("e", 96, customer="m", customer_value=5),
    ]
    found = measured(items, [event("e", "merged", 97, into="a")])["backlog"]
    assert found == {"open": 4, "oldest_days": 60, "value": 125, "unknown_value": 2}


def test_what_became_known_later_changes_no_earlier_report() -> None:
    backdated = event("a", "resolved", 5, recorded_at=at(24 * 40))
    assert measured([item("a")], [backdated], after_days=30)["resolved"]["events"] == 0
    assert measured([item("a")], [backdated], after_days=50)["resolved"]["median_hours"] == 5


kinds = st.sampled_from(
    [
        "reply",
        "triaged",
        "routed",
        "merged",
        "action_linked",
        "action_unlinked",
        "resolved",
        "reopened",
        "customer_told",
    ]
)
names = st.sampled_from("abcde")
logs = st.lists(
    st.builds(
        lambda name, kind, hours, other, team, is_actionable: event(
            name, kind, hours, into=other, action=other, team=team, actionable=is_actionable
        ),
        names,
        kinds,
        st.integers(0, 2000),
        names,
        st.sampled_from(["quality", "service"]),
        st.booleans(),
    ),
    max_size=25,
)


@given(logs, st.integers(1, 80))
def test_adding_later_events_changes_nothing_earlier(events: list[dict[str, Any]], days: int) -> None:
    items = [item(name, hours) for hours, name in enumerate("abcde")]
    actions = tuple({"id": name, "shipped_at": at(300)} for name in "abc")
    known = [one for one in events if one["at"] <= at(24 * days)]
    assert measured(items, events, actions=actions, after_days=days) == measured(
        items, known, actions=actions, after_days=days
    )


@given(logs)
def test_every_voice_is_in_each_clock_once_and_rates_stay_between_0_and_1(events: list[dict[str, Any]]) -> None:
    found = measured([item(name) for name in "abcde"], events, actions=({"id": "a", "shipped_at": at(1)},))
    for clock in (found["acknowledged"], found["triaged"], found["resolved"]):
        assert clock["events"] + clock["censored"] == found["items"] == 5
    assert found["first_action"]["events"] + found["first_action"]["censored"] == found["acted_on"]["actionable"]
    sla = found["sla_triage"]
    assert sla["met"] + sla["missed"] + sla["pending"] == 5
    for part in (sla, found["loop_closed"], found["acted_on"], found["reopened"], found["rerouted"]):
        rate = part["rate"]
        assert rate is None or 0 <= rate <= 1
