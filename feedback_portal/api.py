"""What every API endpoint shares: keys and scopes, strict JSON, remembered answers, paging by key."""

import base64
import hashlib
import json
import math
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import F, Field, Func, Model, Q, QuerySet, TextField, Value
from django.db.models.lookups import GreaterThan, LessThan
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from feedback_portal.accounts.models import ApiKey, User, hashed
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError, Refused
from feedback_portal.repeats import once

if TYPE_CHECKING:
    # The framework reads this module while it loads its views.
    from rest_framework.views import APIView

MAX_BODY = 2 * 1024 * 1024
MAX_DEPTH = 64
MAX_LIMIT = 200
ANSWERS_KEPT = timedelta(hours=48)
_USED_EVERY = timedelta(minutes=1)
_TOO_DEEP = f"The JSON is nested more than {MAX_DEPTH} levels deep."

Item = TypeVar("Item", bound=Model)


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer fbp_…`; the request's `auth` is then its `Actor`."""

    def authenticate(self, request: Request) -> tuple[User | None, Actor] | None:
        kind, _, key = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        at = timezone.now()
        row = ApiKey.objects.usable(at).select_related("created_by").filter(prefix=key[:12]).first()
        if row is None or not secrets.compare_digest(row.secret_hash, hashed(key)):
            raise AuthenticationFailed(
                "This key is not known, was revoked or is too old. Ask an administrator for a new one."
            )
        if row.last_used_at is None or row.last_used_at < at - _USED_EVERY:
            ApiKey.objects.filter(pk=row.pk).update(last_used_at=at)
        return row.created_by, Actor(key=row)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasScope(BasePermission):
    """Views name their scopes by method: `scopes = {"GET": "tickets:read", "POST": "tickets:write"}`."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not isinstance(request.auth, Actor) or request.auth.key is None:
            raise NotAuthenticated("Send an API key as `Authorization: Bearer …`.")
        scopes: Mapping[str, str] = getattr(view, "scopes", {})
        needed = scopes.get("GET" if request.method in {"HEAD", "OPTIONS"} else str(request.method))
        return needed is not None and needed in request.auth.key.scopes


def caller(request: Request) -> Actor:
    """Who calls; the permission above has made sure that it is somebody."""
    assert isinstance(request.auth, Actor)
    return request.auth


class StrictJSONParser(BaseParser):
    """JSON that means one thing: no duplicate names, no NaN, no lone surrogates, no NUL, bounded depth and size."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise BodyTooLarge(f"The body is larger than {MAX_BODY // 1024} kB. Send fewer items at once.")
        return strict_json(body)


class BodyTooLarge(Refused):
    status = 413
    code = "too-large"
    title = "The request is too large"


def strict_json(body: bytes) -> Any:
    """The value of a JSON text, or `ParseError` with a sentence. Linear in the size of `body`."""
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite
        )
    except UnicodeDecodeError:
        raise ParseError("The body is not valid UTF-8.") from None
    except RecursionError:
        raise ParseError(_TOO_DEEP) from None
    except ValueError as error:
        raise ParseError(f"The body is not valid JSON: {error}") from None
    bad = _unstorable(value, "", MAX_DEPTH)
    if bad is not None:
        raise BadInput(
            "The body holds characters that no text has.",
            errors=(InputError(bad, "Remove NUL characters and lone surrogates."),),
        )
    return value


def remembering(request: Request, effect: Callable[[], tuple[int, Any]]) -> Response:
    """Do `effect` and answer with its (status, body); with an Idempotency-Key, at most once per caller and key."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        status, body = effect()
        return Response(body, status=status)
    actor = caller(request)
    who = f"key:{actor.key.pk}" if actor.key else "nobody"
    digest = hashlib.sha256(
        f"{request.method} {request.path}\n".encode() + json.dumps(request.data, sort_keys=True).encode()
    ).hexdigest()
    status, body, is_first = once(effect, caller=who, key=key, asked=digest)
    return Response(body, status=200 if status == 201 and not is_first else status)


def page(request: Request, rows: QuerySet[Item], *, order: tuple[str, ...], show: Callable[[Item], Any]) -> Response:
    """One page of `rows` by opaque `cursor` and `limit`; `order` names ascending or `-`descending columns, unique together."""
    limit = _limit(request)
    found = list(after(rows, order=order, cursor=request.query_params.get("cursor", "")).order_by(*order)[: limit + 1])
    more = len(found) > limit
    body: dict[str, Any] = {"results": [show(row) for row in found[:limit]], "next": None}
    if more:
        body["next"] = cursor_of(found[limit - 1], order=order)
    return Response(body)


def cursor_of(row: Model, *, order: tuple[str, ...]) -> str:
    values = [getattr(row, column.lstrip("-")) for column in order]
    text = json.dumps([value.isoformat() if hasattr(value, "isoformat") else value for value in values])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def after(rows: QuerySet[Item], *, order: tuple[str, ...], cursor: str) -> QuerySet[Item]:
    """The rows behind the cursor, in any mix of directions; a cursor that is not ours is refused."""
    if not cursor:
        return rows
    typed = _read_cursor(rows.model, order, cursor)
    names = [column.lstrip("-") for column in order]
    if len({column.startswith("-") for column in order}) == 1:
        # One direction: a comparison of whole rows, which an index answers by stepping to the place at any depth.
        compare = LessThan if order[0].startswith("-") else GreaterThan
        there = [Value(value, output_field=_column(rows.model, name)) for name, value in zip(names, typed, strict=True)]
        return rows.filter(compare(_row(*map(F, names)), _row(*there)))
    behind, same = Q(), Q()
    for column, name, value in zip(order, names, typed, strict=True):
        behind |= same & Q(**{f"{name}__{'lt' if column.startswith('-') else 'gt'}": value})
        same &= Q(**{name: value})
    # The first column alone bounds the index scan; the disjunction then says it exactly.
    edge = Q(**{f"{names[0]}__{'lte' if order[0].startswith('-') else 'gte'}": typed[0]})
    return rows.filter(edge & behind)


def _read_cursor(model: type[Model], order: tuple[str, ...], cursor: str) -> list[Any]:
    """The values of the order's columns at the cursor; one that is not ours is refused."""
    refused = BadInput("This cursor is not one of ours. Start again without it.")
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        columns = [_column(model, column.lstrip("-")) for column in order]
        typed = [column.to_python(value) for column, value in zip(columns, values, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError, ValidationError):
        raise refused from None
    if None in typed or _unstorable(typed, "", MAX_DEPTH) is not None or not all(map(_has_utc, typed)):
        raise refused
    return typed


def _has_utc(value: Any) -> bool:
    """Whether the database can compare it: a moment may lie within a day of the ends of time, and have no UTC."""
    if not isinstance(value, datetime):
        return True
    try:
        value.astimezone(UTC)
    except OverflowError:
        return False
    return True


def _column(model: type[Model], name: str) -> "Field[Any, Any]":
    column = model._meta.get_field(name)
    assert isinstance(column, Field)
    return column


def _row(*columns: F | Value) -> Func:
    return Func(*columns, function="ROW", output_field=TextField())


def _limit(request: Request) -> int:
    raw = request.query_params.get("limit", "50")
    if not raw.isdecimal() or len(raw) > 9 or int(raw) < 1:
        raise BadInput("Write `limit` as a number from 1 to 200.")
    return min(int(raw), MAX_LIMIT)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names the same member twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is out of range")
    return number


def _unstorable(value: Any, path: str, depth: int) -> str | None:
    """The path of the first text that PostgreSQL cannot hold."""
    if isinstance(value, str):
        # Encoding is the quickest test for lone surrogates there is.
        try:
            return path if b"\x00" in value.encode() else None
        except UnicodeEncodeError:
            return path
    if isinstance(value, dict | list) and depth == 0:
        raise ParseError(_TOO_DEEP)
    if isinstance(value, dict):
        for key, part in value.items():
            bad = _unstorable(key, f"{path}.<name>".lstrip("."), depth - 1)
            bad = bad or _unstorable(part, f"{path}.{key}".lstrip("."), depth - 1)
            if bad is not None:
                return bad
    if isinstance(value, list):
        for index, part in enumerate(value):
            bad = _unstorable(part, f"{path}.{index}".lstrip("."), depth - 1)
            if bad is not None:
                return bad
    return None
