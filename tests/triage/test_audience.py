"""Who hears what in an event process, and that nobody who is slow holds up or fills it."""

import asyncio

from triage.live.audience import BEAT, LONGEST, MOST_EACH, MOST_WAITING, Audience, Reader
from triage.live.bulletins import MOST_TICKETS, Bulletin, Sight

QUALITY = Sight(False, frozenset({1}))
LOGISTICS = Sight(False, frozenset({2}))
EVERYTHING = Sight(True, frozenset())


def enter(audience: Audience, sight: Sight = QUALITY, *, person: int = 1, session: str = "s") -> Reader:
    async def arrive() -> Reader:
        return audience.enter(person, session, sight, now=0.0)

    return asyncio.run(arrive())


def heard(reader: Reader) -> list[bytes | None]:
    found = []
    while not reader.waiting.empty():
        found.append(reader.waiting.get_nowait())
    return found


def test_each_hears_of_the_tickets_of_their_teams_alone() -> None:
    audience = Audience()
    quality, logistics, everything = (
        enter(audience, sight, person=number) for number, sight in enumerate((QUALITY, LOGISTICS, EVERYTHING))
    )
    audience.tell(Bulletin(changed={5: (1,), 6: (1, 2), 7: (3,)}, arrived={3: 4}, much=(3,)))

    assert heard(quality) == [b'event: news\ndata: {"changed":["F-20005","F-20006"]}\n\n']
    assert heard(logistics) == [b'event: news\ndata: {"changed":["F-20006"]}\n\n']
    assert b'"F-20007"],"arrived":4,"much":true' in (heard(everything)[0] or b"")


def test_one_who_does_not_read_is_let_go_and_the_others_hear_on() -> None:
    audience = Audience()
    slow, quick = enter(audience, person=1), enter(audience, person=2)
    for _ in range(MOST_WAITING + 1):
        audience.tell(Bulletin(arrived={1: 1}))
        heard(quick)

    assert list(audience.readers) == [quick]
    assert slow.waiting.qsize() == MOST_WAITING


def test_a_person_has_so_many_streams_and_the_oldest_makes_room() -> None:
    audience = Audience()
    readers = [enter(audience, person=1) for _ in range(MOST_EACH + 1)]

    assert list(audience.readers) == readers[1:]
    assert heard(readers[0]) == [None]


def test_whoever_lost_their_rights_hears_nothing_more() -> None:
    audience = Audience()
    moved, shut_out, signed_out, came_meanwhile = (enter(audience, person=n, session=f"s{n}") for n in range(4))
    asked = [moved, shut_out, signed_out]
    audience.review(asked, {0: LOGISTICS, 2: QUALITY}, {"s0", "s1"})

    assert list(audience.readers) == [moved, came_meanwhile]
    audience.tell(Bulletin(arrived={1: 1}))
    assert (heard(moved), heard(shut_out), heard(signed_out)) == ([], [None], [None])


def test_a_sign_of_life_comes_until_it_is_time_to_sign_in_again() -> None:
    audience = Audience()
    reader = enter(audience)
    audience.beat(now=LONGEST / 2)
    audience.beat(now=LONGEST)

    assert heard(reader) == [BEAT, None]
    assert not audience.readers


def test_a_large_batch_names_its_teams_and_fits_into_a_notice() -> None:
    small = Bulletin(changed=dict.fromkeys(range(MOST_TICKETS), (1,)))
    large = Bulletin(changed={number: (number % 3,) for number in range(MOST_TICKETS + 1)}, arrived={9: 1})

    assert small.bounded() is small
    assert Bulletin.read(large.bounded().written()) == Bulletin(much=(0, 1, 2, 9))
    wide = Bulletin(changed={10**15 + number: tuple(range(10**9, 10**9 + 8)) for number in range(150)})
    assert len(wide.bounded().written()) < 8000


def test_several_bulletins_are_told_as_one() -> None:
    together = Bulletin.together(
        [Bulletin(changed={5: (1,)}, arrived={1: 2}), Bulletin(changed={5: (2,)}, arrived={1: 1})]
    )

    assert set(together.changed[5]) == {1, 2}
    assert together.arrived == {1: 3}
