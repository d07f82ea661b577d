"""Feedback sent by a program in the portal's own JSON."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from intake.connectors import connectors
from intake.connectors.base import Connector, Draft, Rating, RawItem, Sender, Unreadable
from intake.connectors.moments import Unclear, exact_moment


@connectors.register
class RestApi(Connector):
    slug = "rest_api"
    name = "REST API"

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        try:
            said = json.loads(raw.payload)
        except ValueError as error:
            raise Unreadable(f"It is not JSON: {error}.") from None
        if not isinstance(said, dict):
            raise Unreadable("It is JSON, but not an object.")
        customer, context = said.get("customer") or {}, said.get("context") or {}
        if not isinstance(customer, dict) or not isinstance(context, dict):
            raise Unreadable("Its customer and its context are objects, or are left out.")
        return Draft(
            text=str(said.get("text") or ""),
            title=str(said.get("title") or ""),
            rating=_rating(said.get("rating")),
            sender=Sender(
                external_id=str(customer.get("external_id") or ""),
                email=str(customer.get("email") or ""),
                name=str(customer.get("name") or ""),
                account_external_id=str(customer.get("account") or ""),
                # Whoever sends an address along asks us to write to it, unless they say otherwise.
                may_contact=bool(customer.get("may_contact", True)),
            ),
            language=str(said.get("language") or ""),
            product=str(said.get("product") or ""),
            product_version=str(said.get("product_version") or ""),
            url=str(said.get("url") or ""),
            submitted_at=_moment(said.get("submitted_at")),
            context={str(name): str(value) for name, value in context.items()},
        )


def _rating(given: Any) -> Rating | None:
    if given is None:
        return None
    try:
        return Rating(str(given["scale"]), Decimal(str(given["value"])))
    except (KeyError, TypeError, InvalidOperation):
        raise Unreadable('A rating needs a "scale" and a "value" that is a number.') from None


def _moment(given: Any) -> datetime | None:
    if not given:
        return None
    try:
        return exact_moment(str(given))
    except Unclear as unclear:
        raise Unreadable(str(unclear)) from None
