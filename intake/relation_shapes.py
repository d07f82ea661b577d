"""The customers, companies and counts a program may send, checked as tables and read into records."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from feedback_portal.refusals import InputError
from intake.connectors.moments import exact_moment
from intake.connectors.presets.support import salesforce_id
from intake.exposures import MOST, Count
from intake.models.customers import Id
from intake.relations import Company, Owned, Person
from intake.shapes import Check, error_at, flag, list_of, moment, object_of, text

_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}\Z")
_SYSTEM = re.compile(r"[a-z][a-z0-9_-]{0,59}\Z")
_KIND = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}\Z")
_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_LARGEST = Decimal("999999999999.99")


def check_customer(given: Any) -> list[InputError]:
    """What is wrong with a customer as it was sent; an empty list when nothing is."""
    errors = _CUSTOMER(given, "")
    if not errors and not any(given.get(name) for name in ("external_id", "identities", "email")):
        errors.append(error_at("", "external_id", "Send an id or an e-mail address by which they are known again."))
    account = given.get("account") if isinstance(given, dict) else None
    if (
        not errors
        and account
        and not any(account.get(name) for name in ("external_id", "identities", "domain", "name"))
    ):
        errors.append(error_at("account", "external_id", "Send an id, a domain or a name of the company."))
    return errors


def check_count(given: Any) -> list[InputError]:
    return _COUNT(given, "")


def person_of(given: Mapping[str, Any]) -> Person:
    """The record that a right one stands for."""
    emails = [given.get("email") or "", *(given.get("other_emails") or [])]
    account = given.get("account")
    return Person(
        **_record(given),
        email=emails[0],
        other_emails=tuple(emails[1:]),
        language=given.get("language") or "",
        for_privacy=bool(given.get("for_privacy")),
        account=_company_of(account) if account else None,
    )


def count_of(given: Mapping[str, Any]) -> Count:
    return Count(
        given["kind"],
        date.fromisoformat(given["day"]),
        given["count"],
        product=given.get("product") or "",
        site=given.get("site") or "",
        changed_at=_moment(given.get("updated_at")),
    )


def _company_of(given: Mapping[str, Any]) -> Company:
    value = given.get("value")
    return Company(
        **_record(given),
        domain=given.get("domain") or "",
        segment=given.get("segment") or "",
        value=Decimal(str(value)).quantize(Decimal("0.01")) if value is not None else None,
        currency=given.get("currency") or "",
        lifecycle=given.get("lifecycle") or "",
        owner=given.get("owner") or "",
    )


def _record(given: Mapping[str, Any]) -> dict[str, Any]:
    system = given.get("system") or ""
    own = (_id(system, given["external_id"]),) if given.get("external_id") else ()
    owned = [each if isinstance(each, dict) else {"product": each} for each in given.get("products") or []]
    return {
        "ids": (*own, *(_id(each["system"], each["external_id"]) for each in given.get("identities") or [])),
        "name": given.get("name") or "",
        "owned": tuple(
            Owned(each["product"], date.fromisoformat(each["since"]) if each.get("since") else None) for each in owned
        ),
        "changed_at": _moment(given.get("updated_at")),
        "merged": tuple(_id(system, each) for each in given.get("merged") or []),
        "is_gone": bool(given.get("deleted") or given.get("for_privacy")),
    }


def _id(system: str, number: str) -> Id:
    return (system, salesforce_id(number) if system == "salesforce" else number)


def _moment(given: str | None) -> datetime | None:
    return exact_moment(given) if given else None


def _day(given: Any, path: str) -> list[InputError]:
    try:
        if isinstance(given, str) and _DAY.match(given):
            date.fromisoformat(given)
            return []
    except ValueError:
        pass
    return [InputError(path, "Write the day as in 2026-03-31.")]


def _value(given: Any, path: str) -> list[InputError]:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= _LARGEST:
        return [InputError(path, f"Send a number from 0 to {_LARGEST} here.")]
    return []


def _whole(given: Any, path: str) -> list[InputError]:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= MOST:
        return [InputError(path, "Send a whole number of 0 or more here.")]
    return []


def _owned(given: Any, path: str) -> list[InputError]:
    if isinstance(given, str):
        return text(120)(given, path)
    return object_of({"product": text(120), "since": _day}, required=("product",))(given, path)


_NUMBER = text(200)
_RECORD: Mapping[str, Check] = {
    "system": text(60, _SYSTEM, "hubspot"),
    "external_id": _NUMBER,
    "identities": list_of(
        object_of({"system": text(60, _SYSTEM, "hubspot"), "external_id": _NUMBER}, required=("system", "external_id")),
        most=20,
    ),
    "name": text(200),
    "products": list_of(_owned, most=200),
    "updated_at": moment,
    "merged": list_of(_NUMBER, most=200),
    "deleted": flag,
}
_ACCOUNT = object_of(
    {
        **_RECORD,
        "domain": text(253),
        "segment": text(60),
        "value": _value,
        "currency": text(3, _CURRENCY, "EUR"),
        "lifecycle": text(60),
        "owner": text(200),
    }
)
_CUSTOMER = object_of(
    {
        **_RECORD,
        "email": text(254, _EMAIL, "name@example.com"),
        "other_emails": list_of(text(254, _EMAIL, "name@example.com"), most=20),
        "language": text(12),
        "account": _ACCOUNT,
        "for_privacy": flag,
    }
)
_COUNT = object_of(
    {
        "kind": text(40, _KIND, "units_shipped"),
        "product": text(120),
        "site": text(120),
        "day": _day,
        "count": _whole,
        "updated_at": moment,
    },
    required=("kind", "day", "count"),
)
