"""JSON that any system signs and sends: where its parts stand and how it is signed is told by the channel."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from feedback_portal.marking import marked
from intake.connectors import connectors
from intake.connectors.base import Call, Draft, Forged, RawItem, Sender, Setting, Unreadable
from intake.connectors.documents import HookedDocuments, moment_at, rated, text_at
from intake.connectors.documents import at as member
from intake.connectors.signatures import check, check_age
from intake.connectors.social import item, object_of

_PATH = "Where it stands, as in review.body or lines.0.text."


def _path(name: str, label: str, default: str = "", help_: str = _PATH) -> Setting:
    return Setting(name, label, help=help_, default=default)


@connectors.register
class SignedJson(HookedDocuments):
    slug = "signed_json"
    name = marked("Signed JSON from any system")
    asks = (
        Setting("signing_secret", "Secret the sender signs with", is_secret=True, is_required=True),
        Setting("header", "Header with the signature", default="X-Signature", is_required=True),
        Setting(
            "algorithm",
            "Algorithm",
            default="sha256",
            choices=(("sha256", "HMAC-SHA256"), ("sha512", "HMAC-SHA512"), ("sha1", "HMAC-SHA1")),
        ),
        Setting("encoding", "Written as", default="hex", choices=(("hex", "Hexadecimal"), ("base64", "Base64"))),
        Setting("prefix", "What stands before it", help="As in sha256=."),
        Setting(
            "timestamp_header",
            "Header with the time it was sent",
            help="Where the sender signs the time, a dot and the body. Calls older than five minutes are then refused.",
        ),
        _path("items_path", "The list of items", help_="Where it stands, as in data.reviews. Empty: each call is one."),
        _path("id_path", "Its id", "id"),
        _path("text_path", "Text", "text"),
        _path("title_path", "Title", "title"),
        _path("rating_path", "Rating", "rating"),
        Setting(
            "scale",
            "Scale of the rating",
            default="csat5",
            choices=(
                ("csat5", "Satisfaction, 1 to 5"),
                ("stars5", "Stars, 1 to 5"),
                ("nps", "Recommendation, 0 to 10"),
                ("csat7", "Satisfaction, 1 to 7"),
                ("ces7", "Effort, 1 to 7"),
                ("ces5", "Effort, 1 to 5"),
                ("thumbs", "Thumbs, 0 or 1"),
            ),
        ),
        _path("customer_path", "The customer's id", "customer.id"),
        _path("email_path", "The customer's address", "customer.email"),
        _path("name_path", "The customer's name", "customer.name"),
        _path("product_path", "Product", "product"),
        _path("version_path", "Version of the product", "product_version"),
        _path("language_path", "Language", "language"),
        _path("url_path", "Address of the original", "url"),
        _path("submitted_path", "When it was said", "created_at"),
        _path("updated_path", "When it was last changed", "updated_at"),
        Setting(
            "facts", "Other facts to keep", help="Names and places, as in Shop = order.shop, Device = client.device."
        ),
    )

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        content = call.body
        if stamped := _told(secrets, "timestamp_header"):
            stamp = call.headers.get(stamped.lower(), "")
            check_age(stamp, at=at)
            content = stamp.encode("latin-1", "replace") + b"." + content
        algorithm, encoding = _told(secrets, "algorithm"), _told(secrets, "encoding")
        if algorithm not in ("sha256", "sha512", "sha1"):
            raise Forged("The channel names no algorithm that we know. Choose one on its page.")
        given = call.headers.get(_told(secrets, "header").lower(), "")
        key = secrets.get("signing_secret", "")
        check(given, key, content, prefix=_told(secrets, "prefix"), digest=algorithm, encoding=encoding)

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        path = _told(settings, "items_path")
        items = member(found, *_steps(path), default=None) if path else found if isinstance(found, list) else [found]
        if not isinstance(items, list):
            raise Unreadable(f'There is no list at "{path[:100]}". Correct where it stands on the channel\'s page.')
        for each in items:
            if not isinstance(each, Mapping):
                raise Unreadable("One of its items is no object with named members.")
            changed, _ = moment_at(each, *_steps(_told(settings, "updated_path")))
            yield item(text_at(each, *_steps(_told(settings, "id_path"))), each, updated_at=changed)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        found = object_of(raw)

        def text(name: str) -> str:
            return text_at(found, *_steps(_told(settings, name)))

        path = _told(settings, "rating_path")
        rating, remarks = rated(_told(settings, "scale"), member(found, *_steps(path)), place=path)
        sent_at, late = moment_at(found, *_steps(_told(settings, "submitted_path")))
        facts = [fact.partition("=") for fact in str(settings.get("facts", "")).split(",")]
        told = {name.strip(): text_at(found, *_steps(where.strip())) for name, _, where in facts if where.strip()}
        return Draft(
            text=text("text_path"),
            title=text("title_path"),
            rating=rating,
            sender=Sender(external_id=text("customer_path"), email=text("email_path"), name=text("name_path")),
            language=text("language_path"),
            product=text("product_path"),
            product_version=text("version_path"),
            url=text("url_path"),
            submitted_at=sent_at,
            context={name: value for name, value in told.items() if value},
            remarks=remarks + late,
        )


_DEFAULTS = {asked.name: asked.default for asked in SignedJson.asks}


def _told(settings: Mapping[str, Any], name: str) -> str:
    return str(settings.get(name) or _DEFAULTS[name])


def _steps(path: str) -> list[str | int]:
    return [int(step) if step.isascii() and step.isdigit() and len(step) < 5 else step for step in path.split(".")]
