"""The public board: closed unless opened, in our own words, as the portal knows it stands, one word a browser, few voices not counted."""

import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client
from django.urls import reverse

from feedback_portal.accounts.models import Role, User
from feedback_portal.refusals import BadInput
from intake.models import FeedbackItem
from tests.makers import AT, actor, make_person, make_team
from triage import themes
from triage.improving import improvements
from triage.models import Action, BoardPost, MeToo, Theme, Ticket, Topic
from triage.themes import answering, board

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(db: None) -> User:
    return make_person("Ada", make_team("quality"), role=Role.ADMIN)


@pytest.fixture
def opened(ada: User) -> None:
    board.set_up(by=actor(ada), at=AT, is_open=True, intro="")


def make_theme(name: str = "Leaks", **fields: Any) -> Theme:
    topic, _ = Topic.objects.get_or_create(slug="leak", defaults={"name": "Leak"})
    return Theme.objects.create(name=name, topic=topic, state_at=AT, size=9, **fields)


def put(by: User, theme: Theme, title: str = "Water under the machine") -> BoardPost:
    return board.publish(theme.reference, by=actor(by), at=AT, title=title, text="The seal lets water through.")


def address(post: BoardPost) -> str:
    return reverse("triage:board_post", args=[post.pk])


def say(client: Client, post: BoardPost, **data: str) -> Any:
    return client.post(reverse("triage:board_me_too", args=[post.pk]), data)


def only(post: BoardPost) -> board.Post:
    found, _ = board.find(post.pk)
    assert found is not None
    return found


def test_a_closed_board_is_no_page_whoever_asks_and_takes_no_word(ada: User, client: Client) -> None:
    post = put(ada, make_theme())
    client.force_login(ada)
    assert client.get("/board/").status_code == client.get(address(post)).status_code == 404
    assert say(client, post).status_code == 404
    assert "/board/" not in client.get("/changes/").text
    board.set_up(by=actor(ada), at=AT, is_open=True, intro="")
    assert "Water under the machine" in client.get("/board/").text
    assert "/board/" in client.get("/changes/").text


@pytest.mark.usefixtures("opened")
def test_a_browser_counts_once_may_take_it_back_and_fewer_than_five_are_not_shown(ada: User, client: Client) -> None:
    post = put(ada, make_theme(customers=4))
    browsers = [Client(REMOTE_ADDR=f"192.0.2.{number}") for number in range(1, 6)]
    for browser in browsers[:4]:
        assert say(browser, post).status_code == 302
        say(browser, post)
    assert MeToo.objects.count() == 4
    assert (only(post).me_toos, only(post).customers) == (0, 0)
    page = say(browsers[4], post) and browsers[4].get(address(post)).text
    assert "5 readers say" in page
    assert "Take it back" in page
    assert "Take it back" not in client.get(address(post)).text
    say(browsers[4], post, back="yes")
    assert MeToo.objects.count() == 4


@pytest.mark.usefixtures("opened")
def test_a_cookie_that_we_did_not_sign_is_nobodys_word(ada: User, client: Client) -> None:
    post = put(ada, make_theme())
    client.cookies["board"] = "me:1abc:forged"
    cookie = say(client, post).cookies["board"]
    assert cookie.value != "me:1abc:forged"
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/board/"  # noqa: PT018
    assert "board" not in Client().get(address(post)).cookies, "reading sets no cookie of the board"


@pytest.mark.usefixtures("opened")
def test_one_address_cannot_vote_without_end(ada: User) -> None:
    post = put(ada, make_theme())
    answers = [say(Client(REMOTE_ADDR="192.0.2.9"), post).status_code for _ in range(12)]
    assert answers == [302] * 10 + [429] * 2
    assert say(Client(REMOTE_ADDR="192.0.2.10"), post).status_code == 302


@pytest.mark.usefixtures("opened")
def test_a_foreign_page_makes_nobody_say_it(ada: User) -> None:
    post = put(ada, make_theme())
    assert say(Client(enforce_csrf_checks=True), post).status_code == 403
    assert not MeToo.objects.exists()


@pytest.mark.usefixtures("opened")
def test_a_me_too_is_no_feedback(ada: User, client: Client) -> None:
    items, tickets = FeedbackItem.objects.count(), Ticket.objects.count()
    say(client, put(ada, make_theme()))
    assert MeToo.objects.count() == 1
    assert (FeedbackItem.objects.count(), Ticket.objects.count()) == (items, tickets)


@pytest.mark.usefixtures("opened")
def test_posts_of_joined_themes_lead_for_good_to_the_one_and_their_voices_count_once(ada: User, client: Client) -> None:
    old, new = make_theme("Leaks"), make_theme("Water")
    first, second = put(ada, old, "It drips"), put(ada, new, "It leaks")
    both = Client(REMOTE_ADDR="192.0.2.1")
    say(both, first)
    say(both, second)
    say(client, first)
    themes.decide(old.reference, "join", by=actor(ada), at=AT, into=new.reference)
    answer = client.get(address(first))
    assert (answer.status_code, answer["Location"]) == (301, address(second))
    assert [post.number for post in board.published()[0]] == [second.pk]
    assert board._me_toos([new.pk]) == {new.pk: 2}
    board.take_down(new.reference, by=actor(ada), at=AT)
    assert client.get(address(second)).status_code == 404
    assert client.get(address(first)).status_code == 200, "the other one stands for both now"


def test_how_it_stands_is_read_from_decisions_and_actions_and_never_typed(ada: User) -> None:
    theme = make_theme()
    post, by = put(ada, theme), actor(ada)
    assert only(post).standing == "considered"
    answering.decide(theme.reference, by=by, at=AT, choice="decline", reason="The part is <b>sealed</b> for safety.")
    assert (only(post).standing, only(post).detail) == ("declined", "The part is <b>sealed</b> for safety.")
    with pytest.raises(themes.NotThisTheme):
        board.say_me_too(post.pk, voter="one", at=AT)
    made = improvements.create(by=by, at=AT, title="Glue the seal", team="quality")
    themes.decide(theme.reference, "link", by=by, at=AT, action=made.reference)
    assert only(post).standing == "planned"
    improvements.ship(made, by=by, at=AT + timedelta(days=1), public_text="The seal is glued.")
    assert only(post).standing == "changed", "that it helped is said by a verdict alone"
    Action.objects.filter(pk=made.pk).update(verdict="worked")
    assert only(post).standing == "worked"
    Action.objects.filter(pk=made.pk).update(step="do", reopened_at=AT)
    assert (only(post).standing, only(post).detail) == ("planned", "It came back since. We work on it again.")
    Action.objects.filter(pk=made.pk).update(step="check", withdrawn_at=AT + timedelta(days=2))
    assert only(post).standing == "declined"


@pytest.mark.usefixtures("opened")
def test_words_are_shown_as_words_and_nothing_comes_from_elsewhere(ada: User, client: Client) -> None:
    post = put(ada, make_theme(), title="<script>alert(1)</script> a\x07b")
    for page in ("/board/", address(post)):
        text = client.get(page).text
        assert "<script>alert" not in text
        assert 'src="http' not in text
    with pytest.raises(BadInput):
        put(ada, make_theme("Other"), title="  ")


def test_who_wrote_at_once_is_told_and_a_team_puts_only_its_own_themes_there(ada: User) -> None:
    theme = make_theme()
    put(ada, theme)
    with pytest.raises(themes.StaleTheme):
        put(ada, theme, title="Written without having seen the first")
    omar = make_person("Omar", make_team("marketing"))
    client = Client()
    client.force_login(omar)
    assert client.post(reverse("triage:theme_board", args=[theme.reference]), {"title": "Mine"}).status_code == 404
    client.force_login(ada)
    page = reverse("triage:theme_board", args=[theme.reference])
    assert client.post(page, {"title": ""}).status_code == 422
    assert client.post(page, {"title": "Drips", "version": "1"}).status_code == 302
    assert BoardPost.objects.get().title == "Drips"
    assert client.post(page, {"take_down": "yes"}).status_code == 302
    assert BoardPost.objects.get().published_at is None


@pytest.mark.usefixtures("opened")
def test_the_board_asks_as_often_for_twenty_posts_as_for_two(
    ada: User, client: Client, django_assert_num_queries: Any
) -> None:
    for number in range(2):
        put(ada, make_theme(f"Theme {number}"))
    with django_assert_num_queries(7) as counted:
        client.get("/board/")
    for number in range(18):
        put(ada, make_theme(f"More {number}"))
    with django_assert_num_queries(len(counted)):
        client.get("/board/")


def test_pages_go_on_by_key_and_joined_themes_stand_once_across_them(
    ada: User, opened: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "PAGE", 3)
    posts = [put(ada, make_theme(f"Theme {number}"), f"Post {number}") for number in range(8)]
    for place, post in enumerate(posts):
        # Two of one moment: the number tells them apart.
        BoardPost.objects.filter(pk=post.pk).update(published_at=AT + timedelta(hours=place // 2))
    Theme.objects.filter(pk=posts[7].theme_id).update(joined_into=posts[2].theme_id)
    Theme.objects.filter(pk__in=[posts[1].theme_id, posts[4].theme_id]).update(joined_into=make_theme("Off the board"))

    seen, address, pages = [], "/board/", 0
    while address and pages < 9:
        page = client.get(address).text
        seen += [int(number) for number in re.findall(r'id="post-(\d+)"', page)]
        following = re.search(r'href="(\?cursor=[^"&]+)"', page)
        address, pages = f"/board/{following[1]}" if following else "", pages + 1

    assert seen == [posts[place].pk for place in (6, 5, 3, 2, 1, 0)]
    assert pages == 2
    assert client.get("/board/?cursor=nonsense").status_code == 400


def test_the_feed_tells_what_stands_there_in_our_words(ada: User, opened: None, client: Client) -> None:
    post = put(ada, make_theme("customers' words"), "Water <under> the machine")
    board.take_down(put(ada, make_theme("Gone"), "Gone again").theme.reference, by=actor(ada), at=AT)

    answer = client.get("/board/feed/")

    assert answer["Content-Type"].startswith("application/atom+xml")
    (entry,) = ElementTree.fromstring(answer.content).findall("{*}entry")  # noqa: S314 (our own answer)
    told = {child.tag.partition("}")[2]: child.text for child in entry}
    assert told["title"] == "Water <under> the machine"
    assert told["id"].endswith(address(post))
    assert told["summary"] == "The seal lets water through.\n\nWe consider it"
    assert "customers' words" not in answer.text
    board.set_up(by=actor(ada), at=AT, is_open=False, intro="")
    assert client.get("/board/feed/").status_code == 404
