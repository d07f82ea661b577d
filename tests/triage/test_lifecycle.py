import pytest

from triage.lifecycle import DONE, MOVES, NEEDS_REASON, OPEN, Resolution, Status, Verb, can_move, verbs_from

ALLOWED = {
    Status.NEW: {"route", "claim", "ask", "snooze", "resolve"},
    Status.OPEN: {"route", "claim", "ask", "snooze", "resolve"},
    Status.WAITING: {"route", "hear", "snooze", "resolve"},
    Status.SNOOZED: {"route", "ask", "hear", "wake", "resolve"},
    Status.RESOLVED: {"hear", "close", "reopen"},
    Status.CLOSED: {"reopen"},
}


@pytest.mark.parametrize("status", list(Status))
def test_each_status_allows_exactly_these_verbs(status: Status) -> None:
    assert {verb for verb in Verb.values if can_move(status, verb)} == ALLOWED[status]
    assert set(verbs_from(status)) == ALLOWED[status]


def test_every_verb_has_a_move() -> None:
    assert set(MOVES) == set(Verb)


def test_open_and_done_part_all_statuses_between_them() -> None:
    assert set(Status) == OPEN | DONE
    assert not OPEN & DONE


def test_every_status_but_new_can_be_reached_and_every_status_can_be_left() -> None:
    assert {move.target for move in MOVES.values()} == set(Status) - {Status.NEW}
    assert all(verbs_from(status) for status in Status)


def test_a_resolved_ticket_opens_again_when_the_customer_answers() -> None:
    assert can_move(Status.RESOLVED, Verb.HEAR)
    assert MOVES[Verb.HEAR].target == Status.OPEN


@pytest.mark.parametrize(("status", "verb"), [("new", "explode"), ("lost", "route"), ("", ""), ("closed", "close")])
def test_strings_that_are_no_status_or_no_verb_are_simply_not_allowed(status: str, verb: str) -> None:
    assert not can_move(status, verb)


def test_the_table_cannot_be_changed_at_run_time() -> None:
    with pytest.raises(TypeError):
        MOVES[Verb.WAKE] = MOVES[Verb.CLOSE]  # type: ignore[index]


def test_only_a_declined_request_needs_a_reason() -> None:
    assert {Resolution.DECLINED} == NEEDS_REASON
