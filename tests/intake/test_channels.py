"""Setting the ways in up: forms drawn from what each kind asks, secrets that never come back, addresses that can be changed."""

import re

import pytest
from django.conf import LazySettings
from django.test import Client

from feedback_portal.accounts.models import Role, User
from feedback_portal.refusals import BadInput
from intake import channels, hooks, normalizing
from intake.connectors import connectors
from intake.connectors.base import RawItem
from intake.models import Channel, Delivery, FeedbackItem, Submission
from intake.receiving import receive
from tests.intake.test_hooks import body_of, call, drained
from tests.makers import AT, make_channel, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> User:
    person = make_person("Ada", role=Role.ADMIN)
    client.force_login(person)
    return person


def made(slug: str = "survey", **secrets: str) -> Channel:
    return channels.create("typeform", slug=slug, name="Survey", secrets=secrets or {"signing_secret": "s3cret"})


def page(client: Client, channel: Channel) -> str:
    return client.get(f"/settings/channels/{channel.slug}/").content.decode()


def test_a_channel_that_is_called_has_its_address_at_once_and_takes_calls_there() -> None:
    channel = made(signing_secret="a secret of the test's own")

    assert channels.address(channel).endswith(f"/hooks/{channel.hook_key}/")
    assert call(channel, body_of()).status_code == 200


def test_a_channel_that_is_not_called_has_none() -> None:
    assert channels.address(channels.create("rest_api", slug="api-2", name="API")) == ""


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(BadInput) as refused:
        channels.create("typeform", slug="not good", name=" ", settings={"scale": "furlongs"})

    assert {error.path for error in refused.value.errors} == {"slug", "name", "scale", "signing_secret"}
    assert not Channel.objects.filter(kind="typeform").exists()


INSIDE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "localhost",
    "[::1]",
    "169.254.169.254",
    "10.0.0.1",
    "http://ok@127.0.0.1",
    "db:6379",
]


@pytest.mark.parametrize("host", INSIDE)
def test_an_address_inside_our_network_is_refused_where_it_is_entered(host: str) -> None:
    told = {"host": host, "user": "ana"}
    with pytest.raises(BadInput) as refused:
        channels.create("imap_mailbox", slug="mails", name="Mails", settings=told)
    (error,) = refused.value.errors
    assert error.path == "host"
    assert error.message.endswith(".")

    channel = channels.create("imap_mailbox", slug="mails", name="Mails", settings={**told, "host": "imap.example.com"})
    with pytest.raises(BadInput):
        channels.change(channel, settings={"host": host})
    assert channel.settings["host"] == "imap.example.com"


def test_a_system_inside_that_an_administrator_listed_may_be_entered(settings: LazySettings) -> None:
    settings.OUTGOING_ALLOW = ["10.0.0.1:993"]

    channels.create("imap_mailbox", slug="mails", name="Mails", settings={"host": "10.0.0.1", "user": "ana"})
    with pytest.raises(BadInput):
        channels.create("imap_mailbox", slug="others", name="Mails", settings={"host": "10.0.0.2", "user": "ana"})


@pytest.mark.parametrize(("kind", "slug"), [("unheard_of", "x"), ("typeform", "survey")], ids=["kind", "taken"])
def test_what_cannot_be_made_says_why(kind: str, slug: str) -> None:
    made()

    with pytest.raises(BadInput):
        channels.create(kind, slug=slug, name="x", secrets={"signing_secret": "x"})
    assert Channel.objects.filter(kind__in=("typeform", "unheard_of")).count() == 1


def test_a_change_leaves_what_is_not_asked_for() -> None:
    channel = channels.create(
        "typeform",
        slug="s",
        name="S",
        settings={"limits": {"hour": 5}, "scale": "nps"},
        secrets={"signing_secret": "a"},
    )

    channels.change(channel, settings={"scale": "", "consent": "yes"}, secrets={"signing_secret": ""})

    assert channel.settings == {"limits": {"hour": 5}, "consent": "yes"}
    assert channel.secrets == {"signing_secret": "a"}


def test_another_secret_keeps_the_one_before_until_it_is_let_go() -> None:
    channel = made(signing_secret="one")

    channels.rotate_secret(channel, "signing_secret", "two")
    assert channel.secrets == {"signing_secret": "two", "signing_secret_old": "one"}
    channels.drop_old_secrets(channel)

    assert channel.secrets == {"signing_secret": "two"}


def test_a_new_address_closes_the_one_before() -> None:
    channel = made(signing_secret="a secret of the test's own")
    before = channel.hook_key

    channels.new_address(channel)

    assert call(channel, body_of(), key=before).status_code == 404
    assert call(channel, body_of()).status_code == 200


def test_an_address_made_under_another_key_of_the_portal_is_not_guessed(settings: object) -> None:
    channel = made(signing_secret="x")
    settings.SECRET_KEY = "another"  # type: ignore[attr-defined]

    assert channels.address(channel) == ""


@pytest.mark.parametrize("connector", channels.offered(), ids=lambda each: each.slug)
def test_every_kind_is_added_by_a_form_drawn_from_what_it_asks(client: Client, ada: User, connector: object) -> None:
    slug = connector.slug  # type: ignore[attr-defined]
    shown = client.get(f"/settings/channel-kinds/{slug}/").content.decode()
    given = {"name": "New", "slug": "new-one"}
    for asked in connectors.get(slug).asks:
        assert asked.label in shown.replace("&#x27;", "'").replace("&quot;", '"')
        given[f"asked-{asked.name}"] = (
            asked.choices[-1][0] if asked.choices else "a.example" if asked.is_called else "x"
        )

    answer = client.post(f"/settings/channel-kinds/{slug}/", given)

    channel = Channel.objects.get(slug="new-one")
    assert (answer.status_code, answer["Location"]) == (302, "/settings/channels/new-one/")
    assert set(channel.settings) | set(channel.secrets) == {asked.name for asked in connectors.get(slug).asks}
    assert "New" in page(client, channel)


def test_a_form_is_shown_again_with_what_was_typed_but_never_a_secret(client: Client, ada: User) -> None:
    given = {"name": "", "slug": "s", "asked-signing_secret": "very secret", "asked-rated_question": "<script>"}

    answer = client.post("/settings/channel-kinds/typeform/", given)

    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "Give it a name." in shown
    assert "&lt;script&gt;" in shown
    assert "very secret" not in shown


def test_a_forms_own_kind_and_an_unknown_one_are_not_offered(client: Client, ada: User) -> None:
    assert client.get("/settings/channel-kinds/web_form/").status_code == 404
    assert client.get("/settings/channel-kinds/unheard-of/").status_code == 404
    assert "channel-kinds/web_form" not in client.get("/settings/channels/").content.decode()


def test_the_page_of_a_channel_shows_its_address_and_never_its_secrets(client: Client, ada: User) -> None:
    channel = made(signing_secret="unspoken")

    shown = page(client, channel)

    assert channels.address(channel) in shown
    assert "unspoken" not in shown


def test_a_secret_is_rotated_and_let_go_on_the_page(client: Client, ada: User) -> None:
    channel = made(signing_secret="one")
    fields = {"name": "Renamed", "asked-signing_secret": "two"}

    client.post("/settings/channels/survey/", fields)
    channel.refresh_from_db()
    assert (channel.name, channel.secrets) == ("Renamed", {"signing_secret": "two", "signing_secret_old": "one"})
    assert "Let the old one go" in page(client, channel)
    client.post("/settings/channels/survey/old-secrets/")

    channel.refresh_from_db()
    assert channel.secrets == {"signing_secret": "two"}
    assert "Let the old one go" not in page(client, channel)


def test_a_channel_is_closed_and_opened(client: Client, ada: User) -> None:
    channel = make_channel("shop")

    client.post("/settings/channels/shop/switch/", {"is_enabled": "no"})
    channel.refresh_from_db()
    assert not channel.is_enabled
    client.post("/settings/channels/shop/switch/", {"is_enabled": "yes"})
    channel.refresh_from_db()
    assert channel.is_enabled


def test_calls_are_listed_with_what_came_of_them_and_taken_apart_again(client: Client, ada: User) -> None:
    channel = made(signing_secret="a secret of the test's own")
    call(channel, body_of())
    call(channel, body_of(text="other"))
    call(channel, b"<script>")
    assert page(client, channel).count("It waits to be taken apart.") == 2
    drained()

    shown = page(client, channel)
    assert "1 item, 1 new or changed" in shown
    assert "It is not JSON" in shown
    assert shown.count("another body came under the same id") == 1
    parked = Delivery.objects.parked().get()
    assert client.post(f"/settings/channels/survey/calls/{parked.pk}/").status_code == 302
    parked.refresh_from_db()
    assert (parked.parked_at, parked.attempts) == (None, 0)
    assert client.post(f"/settings/channels/other/calls/{parked.pk}/").status_code == 404


def test_what_was_passed_over_is_listed_and_read_again(client: Client, ada: User) -> None:
    channel = make_channel("survey", kind="typeform")
    passed = receive(channel, RawItem("<b>1</b>", b'{"event_id": "e", "event_type": "form_closed"}'), at=AT).submission
    normalizing.normalize_pending(at=AT)
    assert "&lt;b&gt;1&lt;/b&gt;" in page(client, channel)
    Submission.objects.update(payload=body_of())

    client.post(f"/settings/channels/survey/passed-over/{passed.pk}/")
    normalizing.normalize_pending(at=AT)

    assert FeedbackItem.objects.get().text == "It leaks"
    assert "Passed over" not in page(client, channel)


def test_a_channel_of_a_kind_that_is_gone_can_still_be_looked_at_and_closed(client: Client, ada: User) -> None:
    channel = make_channel("old", kind="a_kind_that_was")

    assert "knows no channel of the kind a_kind_that_was" in page(client, channel)
    assert client.post("/settings/channels/old/", {"name": "x"}).status_code == 422
    assert client.post("/settings/channels/old/switch/", {"is_enabled": "no"}).status_code == 302


def test_no_more_calls_are_listed_than_fit_a_page(client: Client, ada: User) -> None:
    channel = made()
    rows = [Delivery(channel=channel, delivery_id=str(n), body=b"", sha256=b"") for n in range(60)]
    Delivery.objects.bulk_create(rows)

    assert len(re.findall("/calls/", page(client, channel))) == 50
    assert hooks.BATCH < 60
