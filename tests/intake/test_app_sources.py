"""The app stores as sources: page after page over a real server, with their oddities, and tokens that verify."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import LazySettings
from django.db.models.functions import Now

from feedback_portal import outgoing
from intake import normalizing, polling
from intake.connectors import base
from intake.models import Channel, FeedbackItem, Poll, Submission
from tests.makers import AT
from tests.outside import Heard, Outside, Said, outside

pytestmark = pytest.mark.django_db

APPLE, CONNECT, GOOGLE, TOKENS = (
    "/itunes.apple.com",
    "/api.appstoreconnect.apple.com/v1/apps/42/customerReviews",
    "/androidpublisher.googleapis.com/androidpublisher/v3/applications/com.example.garden/reviews",
    "/oauth2.googleapis.com/token",
)


@pytest.fixture
def server(settings: LazySettings) -> Iterator[Outside]:
    with outside() as found:
        settings.OUTGOING_ALLOW = [found.host]
        yield found


def begun(kind: str, settings: dict[str, str], secrets: dict[str, str] | None = None) -> Channel:
    channel = Channel(slug=kind.replace("_", "-"), name=kind, kind=kind, settings=settings)
    channel.secrets = secrets or {}
    channel.save()
    polling.begin(channel)
    return channel


def run(server: Outside, *, at: datetime = AT) -> Poll:
    """Every address is asked of the server, with its host in front of the path."""

    def ask(request: base.Request, **named: Any) -> outgoing.Answer:
        parts = urlsplit(request.url)
        assert parts.scheme == "https"
        local = f"{server.url}/{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        return outgoing.ask(base.Request(local, request.method, request.headers, request.body), **named)

    server.heard.clear()
    Poll.objects.waiting().update(next_attempt_at=Now())
    polling.ask_pending(at=at, ask=ask)
    return Poll.objects.get()


def ids() -> set[str]:
    return set(Submission.objects.values_list("external_id", flat=True))


# App Store, the public feed


def entry(number: int, *, hours: int = 0, text: str = "") -> dict[str, Any]:
    written = (AT - timedelta(hours=hours)).isoformat()
    found = {
        "id": number, "im:rating": 2, "im:version": "1.0", "title": f"Review {number}", "content": text or "Words",
        "updated": written,
    }  # fmt: skip
    return {name: {"label": str(value)} for name, value in found.items()}


def feed(*entries: dict[str, Any]) -> Said:
    """As Apple writes it: no member when there is none, an object when there is one."""
    held: dict[str, Any] = {"entry": entries[0] if len(entries) == 1 else list(entries)} if entries else {}
    return Said.json({"feed": {"author": {"name": {"label": "iTunes Store"}}} | held})


def place(country: str, page: int) -> str:
    return f"{APPLE}/{country}/rss/customerreviews/page={page}/id=42/sortby=mostrecent/json"


@pytest.fixture
def feeds(server: Outside) -> Outside:
    server.other = feed()
    server.answers |= {
        place("de", 1): feed(*(entry(n, hours=2 * n) for n in range(1, 51))),
        place("de", 2): feed(*(entry(n, hours=2 * n) for n in range(51, 54))),
        place("gb", 1): feed(entry(900)),
    }
    return server


def test_every_country_is_walked_to_its_end(feeds: Outside) -> None:
    begun("app_store", {"app_id": "id42", "countries": "DE, gb, de"})

    poll = run(feeds)

    assert ids() == {str(n) for n in [*range(1, 54), 900]}
    assert feeds.paths() == [place("de", 1), place("de", 2), place("de", 3), place("gb", 1), place("gb", 2)]
    assert (poll.taken, poll.brought, poll.newest_at) == (54, 54, AT)


def test_later_only_what_may_be_new_is_asked_for(feeds: Outside) -> None:
    begun("app_store", {"app_id": "42", "countries": "de"})
    run(feeds)
    feeds.answers[place("de", 1)] = feed(
        entry(60, hours=-3), entry(7, hours=-1, text="Edited"), *(entry(n, hours=2 * n) for n in range(1, 49) if n != 7)
    )

    poll = run(feeds, at=AT + timedelta(hours=3))

    assert feeds.paths() == [place("de", 1), place("de", 2)], "the second page lies before all that is known"
    assert "60" in ids()
    assert poll.brought == 53 + 2
    normalizing.normalize_pending(at=AT)
    assert FeedbackItem.objects.get(submission__external_id="7").text == "Edited"


def test_an_empty_page_after_a_full_one_proves_nothing(feeds: Outside) -> None:
    begun("app_store", {"app_id": "42", "countries": "de"})
    whole = feeds.answers[place("de", 2)]
    feeds.answers[place("de", 2)] = feed()
    run(feeds)
    assert "51" not in ids()
    feeds.answers[place("de", 2)] = whole
    run(feeds)

    assert {"51", "52", "53"} <= ids()


def test_the_feed_is_never_asked_for_an_eleventh_page(server: Outside) -> None:
    server.answers |= {place("de", page): feed(entry(page, hours=page), entry(page + 100)) for page in range(1, 12)}
    begun("app_store", {"app_id": "42", "countries": "de"})
    run(server)

    assert server.paths() == [place("de", page) for page in range(1, 11)]


def test_reviews_without_a_time_are_walked_each_time(server: Outside) -> None:
    old = entry(1)
    del old["updated"]
    server.other = feed()
    server.answers[place("de", 1)] = feed(old)
    begun("app_store", {"app_id": "42", "countries": "de"})
    for _ in range(2):
        assert run(server).cursor == {"known": {}}
        assert server.paths() == [place("de", 1), place("de", 2)]
    assert Submission.objects.get().conflicting_payload is None


def test_a_walk_goes_on_in_the_middle_of_a_country(feeds: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "PAGES_A_RUN", 1)
    begun("app_store", {"app_id": "42", "countries": "de, gb"})
    run(feeds)

    assert feeds.paths() == [place("de", 1), place("de", 2), place("de", 3), place("gb", 1), place("gb", 2)]
    assert len(ids()) == 54


@pytest.mark.parametrize(
    ("set_up", "said"),
    [
        ({"app_id": "garden", "countries": "de"}, "number of the app"),
        ({"app_id": "42", "countries": "Germany"}, "country"),
    ],
)
def test_what_is_set_up_wrong_is_said_and_nothing_is_asked(set_up: dict[str, str], said: str, server: Outside) -> None:
    begun("app_store", set_up)

    assert said in run(server).last_error
    assert server.heard == []


def test_the_page_beyond_the_last_is_told_in_words(server: Outside) -> None:
    server.other = Said(200, b"CustomerReviews RSS page depth is limited to 10")
    begun("app_store", {"app_id": "42", "countries": "de"})
    assert "not JSON" in run(server).last_error


# App Store Connect


@pytest.fixture(scope="module")
def elliptic() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    return str(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
    )


def reviews(*numbers: int, following: str = "", hours: int = 0) -> Said:
    data = [
        {
            "type": "customerReviews",
            "id": f"r{n}",
            "attributes": {
                "rating": 3,
                "body": f"Words {n}",
                "createdDate": (AT - timedelta(hours=hours + n)).isoformat(),
            },
        }
        for n in numbers
    ]
    return Said.json({"data": data, "links": {"next": following} if following else {}})


def connect(key: Any, **changed: str) -> Channel:
    settings = {"app_id": "42", "issuer_id": "issuer-1", "key_id": "KEY1"}
    return begun("app_store_connect", settings, {"private_key": pem(key)} | changed)


@pytest.mark.parametrize(
    "pasted", [lambda key: key, lambda key: key.replace("\n", " "), lambda key: key.replace("\n", "")]
)
def test_apple_gets_a_token_it_can_verify_however_the_key_was_pasted(
    pasted: Callable[[str], str], server: Outside, elliptic: ec.EllipticCurvePrivateKey
) -> None:
    server.answers[CONNECT] = reviews(1, 2)
    connect(elliptic, private_key=pasted(pem(elliptic)))
    run(server)

    token = server.heard[0].headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(
        token,
        elliptic.public_key(),
        algorithms=["ES256"],
        audience="appstoreconnect-v1",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert jwt.get_unverified_header(token)["kid"] == "KEY1"
    assert (claims["iss"], claims["iat"]) == ("issuer-1", int(AT.timestamp()))
    assert 0 < claims["exp"] - claims["iat"] <= 20 * 60
    assert ids() == {"r1", "r2"}


def test_connect_is_walked_by_its_links_and_later_only_so_far(server: Outside, elliptic: Any) -> None:
    pages = {"": reviews(1, 2, following=f"https:/{CONNECT}?cursor=b"), "b": reviews(100, 101, following=f"https:/{CONNECT}?cursor=c"), "c": reviews(200)}  # fmt: skip

    def paged(heard: Heard) -> Said:
        return pages[parse_qs(urlsplit(heard.path).query).get("cursor", [""])[0]]

    server.answers[CONNECT] = paged
    connect(elliptic)
    run(server)
    assert ids() == {"r1", "r2", "r100", "r101", "r200"}
    assert [parse_qs(urlsplit(path).query).get("cursor") for path in server.paths()] == [None, ["b"], ["c"]]

    poll = run(server)
    assert [parse_qs(urlsplit(path).query).get("cursor") for path in server.paths()] == [None, ["b"]]
    assert (poll.brought, set(poll.cursor["reviews"])) == (5, {"known"})


def test_our_key_follows_no_link_to_somewhere_else(server: Outside, elliptic: Any) -> None:
    server.answers[CONNECT] = reviews(1, following="https://evil.example/v1/apps/42/customerReviews?cursor=b")
    connect(elliptic)

    assert "somewhere else" in run(server).last_error
    assert len(server.heard) == 1


def test_a_walk_of_yesterday_begins_anew(server: Outside, elliptic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers[CONNECT] = [reviews(1, following=f"https:/{CONNECT}?cursor=b"), Said(500), reviews(1)]
    connect(elliptic)
    assert run(server).cursor["reviews"]["next"].endswith("?cursor=b")
    run(server, at=AT + timedelta(days=1))

    assert [urlsplit(path).query for path in server.paths()] == ["sort=-createdDate&limit=200"]


def test_a_long_history_is_walked_over_many_runs(server: Outside, elliptic: Any) -> None:
    """Each run moves the place on; were a walk's age counted from its first page, one of hours would never end."""
    pages = 150

    def paged(heard: Heard) -> Said:
        number = int(parse_qs(urlsplit(heard.path).query).get("cursor", ["0"])[0])
        following = f"https:/{CONNECT}?cursor={number + 1}" if number + 1 < pages else ""
        return reviews(number, following=following, hours=50 * number)

    server.answers[CONNECT] = paged
    connect(elliptic)
    for quarter in range(8):
        poll = run(server, at=AT + quarter * timedelta(minutes=15))

    assert len(ids()) == pages
    assert set(poll.cursor["reviews"]) == {"known"}


def test_a_key_that_is_none_is_said_and_nothing_is_asked(server: Outside, elliptic: Any) -> None:
    connect(elliptic, private_key="-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----")

    assert "private key" in run(server).last_error
    assert server.heard == []


# Google Play


@pytest.fixture(scope="module")
def account() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_file(key: rsa.RSAPrivateKey) -> str:
    return json.dumps(
        {
            "type": "service_account",
            "client_email": "portal@garden.iam.example",
            "private_key": pem(key),
            "private_key_id": "k9",
            "token_uri": "https://evil.example/token",
        },
        indent=2,
    )


def play(*numbers: int, following: str = "") -> Said:
    found = [
        {
            "reviewId": f"gp:{n}",
            "comments": [
                {
                    "userComment": {
                        "text": f"\tWords {n}",
                        "starRating": 3,
                        "lastModified": {"seconds": str(1772600000 + n)},
                    }
                }
            ],
        }
        for n in numbers
    ]
    page: dict[str, Any] = {"reviews": found} if found else {}
    return Said.json(page | ({"tokenPagination": {"nextPageToken": following}} if following else {}))


@pytest.fixture
def store(server: Outside) -> Outside:
    pages = {"": play(1, 2, following="t2"), "t2": play(3)}
    server.answers |= {
        TOKENS: Said.json({"access_token": "a-1", "expires_in": 3599}),
        GOOGLE: lambda heard: pages[parse_qs(urlsplit(heard.path).query).get("token", [""])[0]],
    }
    return server


def test_google_is_asked_with_a_token_it_gave_for_a_signed_one(store: Outside, account: rsa.RSAPrivateKey) -> None:
    begun("google_play_api", {"package": "com.example.garden"}, {"service_account": key_file(account)})
    poll = run(store)

    form = parse_qs(store.heard[0].body.decode())
    claims = jwt.decode(
        form["assertion"][0],
        account.public_key(),
        algorithms=["RS256"],
        audience="https://oauth2.googleapis.com/token",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert (store.heard[0].path, store.heard[0].method) == (TOKENS, "POST")
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert claims["iss"] == "portal@garden.iam.example"
    assert claims["scope"].endswith("/auth/androidpublisher")
    assert {each.headers["authorization"] for each in store.heard[1:]} == {"Bearer a-1"}
    assert (ids(), poll.cursor) == ({"gp:1", "gp:2", "gp:3"}, {})


def test_the_seven_days_are_read_again_each_time(store: Outside, account: rsa.RSAPrivateKey) -> None:
    begun("google_play_api", {"package": "com.example.garden"}, {"service_account": key_file(account)})
    run(store)
    poll = run(store)
    assert (poll.taken, poll.brought, len(store.heard)) == (6, 3, 3)


def test_an_interrupted_walk_goes_on_while_google_knows_its_place(store: Outside, account: rsa.RSAPrivateKey) -> None:
    begun("google_play_api", {"package": "com.example.garden"}, {"service_account": key_file(account)})
    cursor = {"token": "t2", "left": AT.isoformat()}
    Poll.objects.update(cursor=cursor)
    run(store, at=AT + timedelta(minutes=5))
    assert ids() == {"gp:3"}

    Poll.objects.update(cursor=cursor)
    run(store, at=AT + timedelta(days=2))
    assert ids() == {"gp:1", "gp:2", "gp:3"}


def test_an_app_without_reviews_is_no_trouble(store: Outside, account: rsa.RSAPrivateKey) -> None:
    store.answers[GOOGLE] = play()
    begun("google_play_api", {"package": "com.example.garden"}, {"service_account": key_file(account)})
    assert (run(store).last_error, ids()) == ("", set())


def test_a_key_google_refuses_stops_the_channel(store: Outside, account: rsa.RSAPrivateKey) -> None:
    store.answers[TOKENS] = Said(400, b'{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}')
    begun("google_play_api", {"package": "com.example.garden"}, {"service_account": key_file(account)})
    assert run(store).parked_at is not None


def test_an_app_google_does_not_know_is_said(store: Outside, account: rsa.RSAPrivateKey) -> None:
    store.answers[GOOGLE] = Said(404, b'{"error": {"code": 404}}')
    begun("google_play_api", {"package": "com.example.garden"}, {"service_account": key_file(account)})
    assert "knows no app com.example.garden" in run(store).last_error


@pytest.mark.parametrize(
    "pasted", ["", "nothing", "[]", '{"client_email": "a"}', '{"client_email": "a", "private_key": "x"}']
)
def test_a_key_file_that_is_none_is_said_and_nothing_is_asked(pasted: str, store: Outside) -> None:
    begun("google_play_api", {"package": "com.example.garden"}, {"service_account": pasted})
    poll = run(store)
    assert "Enter the whole content" in poll.last_error
    assert store.heard == []
