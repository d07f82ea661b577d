"""Chatwoot: messages and satisfaction answers from webhooks and the API."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from intake.connectors import connectors
from intake.connectors.base import Call, Draft, Ignored, Sender, Setting, Unreadable
from intake.connectors.desks import Desk, Piece, at_customers, broken, facts, moment, passed_over, person
from intake.connectors.documents import at as value_at
from intake.connectors.documents import list_at, rated, text_at
from intake.connectors.markup import text_of
from intake.connectors.signatures import check, check_age

# Words in webhooks, numbers in the API.
_INCOMING = frozenset(["incoming", "0"])
_SURVEY = "input_csat"


@connectors.register
class Chatwoot(Desk):
    slug = "chatwoot"
    name = "Chatwoot"
    asks = (
        Setting(
            "signing_secret",
            "Webhook secret",
            help="Shown beside the webhook in newer versions. Older versions sign nothing: leave it empty there, and the"
            " address is the proof.",
            is_secret=True,
        ),
    )

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        secret = secrets.get("signing_secret", "")
        if not secret:
            return
        stamp = call.headers.get("x-chatwoot-timestamp", "")
        signed = stamp.encode("utf-8", "replace") + b"." + call.body
        check(call.headers.get("x-chatwoot-signature", ""), secret, signed, prefix="sha256=", encoding="hex")
        check_age(stamp, at=at)

    def pieces(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[Piece]:
        event = text_at(found, "event")
        if isinstance(found, list):
            for each in found:
                yield from self.pieces(each, settings=settings)
        elif not isinstance(found, dict):
            yield broken(found, "It is no message of Chatwoot. Send messages as the API or a webhook gives them.")
        elif "message_type" in found:
            yield _message(found)
        elif "rating" in found:
            yield _answer(found)
        elif isinstance(found.get("messages"), list) and "id" in found:
            yield from _conversation(found)
        elif event:
            yield passed_over(found, f'The event "{event[:80]}" holds no message.')
        elif "payload" in found or "data" in found:
            yield from self.pieces(
                list_at(found, "payload") or list_at(found, "data", "payload") or list_at(found, "data"),
                settings=settings,
            )
        elif "email" in found and "phone_number" in found:
            raise at_customers("contacts")
        else:
            raise Unreadable("It holds no messages of Chatwoot. Send messages as the API or a webhook gives them.")


def _conversation(whole: dict[str, Any]) -> Iterator[Piece]:
    about = {"id": whole["id"], "meta": {"sender": value_at(whole, "meta", "sender", default=None)}}
    messages = list_at(whole, "messages")
    for each in messages:
        yield _message({"conversation": about, **each} if isinstance(each, dict) else each)
    if not messages:
        yield passed_over(whole, "It is a conversation without messages.")


def _message(message: Any) -> Piece:
    number = text_at(message, "id")
    if not number:
        return broken(message, "It is a message without an id. Send messages as Chatwoot's API gives them.")
    # Two ways bring the same message in two shapes; the time of its making keeps the second from looking like a change.
    updated_at = moment(value_at(message, "updated_at"), value_at(message, "created_at"))
    if value_at(message, "content_attributes", "deleted", default=False) is True:
        return Piece(number, message, Draft, updated_at, is_gone=True)
    answer = value_at(message, "content_attributes", "submitted_values", "csat_survey_response", default=None)
    if text_at(message, "content_type") == _SURVEY and isinstance(answer, dict):
        # Not under the message's id, which has been taken by the question before anybody answered it.
        given_at = moment(value_at(answer, "updated_at"), value_at(answer, "created_at"))
        return Piece(f"rating:{number}", message, partial(_rated, answer, message), given_at or updated_at)
    return Piece(number, message, partial(_said, message), updated_at)


def _said(message: Any) -> Draft:
    if value_at(message, "private", default=False) is True:
        raise Ignored("It is a private note.")
    if text_at(message, "content_type") == _SURVEY:
        raise Ignored("The customer was asked for a rating and has given none.")
    if text_at(message, "message_type") not in _INCOMING:
        raise Ignored("It is an agent's answer, or a message that Chatwoot wrote by itself.")
    thread = _thread(message)
    return Draft(
        text=text_of(text_at(message, "content")).strip(),
        sender=_sender(message),
        submitted_at=moment(value_at(message, "created_at")),
        context=facts(
            {
                "inbox": text_at(message, "inbox", "name"),
                "came by": text_at(message, "conversation", "channel").removeprefix("Channel::"),
                "conversation": thread,
                "labels": list_at(message, "conversation", "labels"),
                "files": [text_at(each, "file_type") for each in list_at(message, "attachments")],
            }
        ),
        thread=thread,
    )


def _answer(found: dict[str, Any]) -> Piece:
    """An answer as the list of satisfaction answers gives it."""
    number = text_at(found, "message_id") or text_at(found, "id")
    if not number:
        return broken(found, "It is a rating without an id. Send ratings as Chatwoot's API gives them.")
    updated_at = moment(value_at(found, "updated_at"), value_at(found, "created_at"))
    return Piece(f"rating:{number}", found, partial(_rated, found, found), updated_at)


def _rated(answer: Any, around: Any) -> Draft:
    rating, remarks = rated("csat5", value_at(answer, "rating"))
    thread = _thread(around)
    return Draft(
        text=text_of(text_at(answer, "feedback_message")).strip(),
        rating=rating,
        sender=_sender(around),
        submitted_at=moment(
            value_at(answer, "created_at"), value_at(around, "updated_at"), value_at(around, "created_at")
        ),
        context=facts(
            {
                "rating as sent": text_at(answer, "rating"),
                "inbox": text_at(around, "inbox", "name"),
                "conversation": thread,
            }
        ),
        remarks=remarks,
        thread=thread,
    )


def _thread(message: Any) -> str:
    number = text_at(message, "conversation", "id") or text_at(message, "conversation_id")
    # Messages and conversations are numbered apart.
    return number and f"conversation:{number}"


def _sender(message: Any) -> Sender:
    """Whoever the conversation is with. Beside a survey or an agent's words the sender may be the agent."""
    contact = value_at(message, "conversation", "meta", "sender", default=None) or value_at(
        message, "contact", default=None
    )
    sender = value_at(message, "sender", default={})
    if contact is None and text_at(sender, "type").lower() not in ("user", "agent_bot"):
        contact = sender
    return person(
        "chatwoot",
        number=text_at(contact, "id"),
        own_id=text_at(contact, "identifier"),
        email=text_at(contact, "email"),
        name=text_at(contact, "name"),
    )
