"""Every anticipated "no": one exception, told to programs as problem JSON and to people as a page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.defaults import page_not_found
from rest_framework import exceptions
from rest_framework.response import Response

from feedback_portal.marking import marked

log = structlog.get_logger("portal.refusals")


@dataclass(frozen=True)
class InputError:
    """What is wrong with one place of the input; `path` is dotted, as in `customer.email` or `items.3.text`."""

    path: str
    message: str


class Refused(Exception):
    """The request was understood and is answered with a reason fit for the reader.

    Subclasses sit beside the code that raises them and set `status`, `code` and `title`;
    `message` is a whole sentence that says what to do next.
    """

    status = 400
    code = "refused"
    title = marked("This cannot be done")

    def __init__(
        self,
        message: str,
        *,
        errors: tuple[InputError, ...] = (),
        extra: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.errors = errors
        self.extra = extra or {}
        self.retry_after = retry_after

    def as_problem(self) -> dict[str, Any]:
        """RFC 9457 members, with `errors` for input and whatever `extra` the refusal carries."""
        problem: dict[str, Any] = {
            "type": f"urn:feedback-portal:{self.code}",
            "title": gettext(self.title),
            "status": self.status,
            "detail": self.message,
        }
        if self.errors:
            problem["errors"] = [{"path": error.path, "message": error.message} for error in self.errors]
        return problem | self.extra


class BadInput(Refused):
    code = "bad-input"
    title = marked("Something in the input is not right")


class NotFound(Refused):
    status = 404
    code = "not-found"
    title = marked("Not found")


class NotAllowed(Refused):
    status = 403
    code = "not-allowed"
    title = marked("Not allowed")


class NotSignedIn(Refused):
    status = 401
    code = "not-signed-in"
    title = marked("Who is asking is not known")


class TooMany(Refused):
    status = 429
    code = "too-many"
    title = marked("Too many requests")


class RefusalAnswers:
    """Middleware: a view that raises `Refused` answers with the page, or the problem JSON under /api/; one that raises
    `Http404` answers with the same page in development as elsewhere, for a guessed secret must not read otherwise."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, Http404):
            return page_not_found(request, exception)
        return answer(request, exception) if isinstance(exception, Refused) else None


def answer(request: HttpRequest, refused: Refused) -> HttpResponse:
    """The refusal as this caller reads it: problem JSON for programs, a page or a fragment for people."""
    log.info("refused", code=refused.code, status=refused.status)
    response: HttpResponse
    if wants_json(request):
        response = JsonResponse(refused.as_problem(), status=refused.status, content_type="application/problem+json")
    else:
        response = render(request, "refused.html", {"refused": refused}, status=refused.status)
    if refused.retry_after is not None:
        response["Retry-After"] = str(refused.retry_after)
    return response


def wants_json(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/hooks/"))


def problem_json(exception: Exception, context: dict[str, Any]) -> Response | None:
    """The API's exception handler: framework errors are told in the same words as ours."""
    refused = exception if isinstance(exception, Refused) else _translated(exception)
    if refused is None:
        return None
    response = Response(refused.as_problem(), status=refused.status, content_type="application/problem+json")
    if refused.retry_after is not None:
        response["Retry-After"] = str(refused.retry_after)
    if refused.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return answer(
        request,
        NotAllowed(
            gettext(
                "This page was open for too long, or cookies are switched off. Go back, reload the page and send it again."
            )
        ),
    )


def _translated(exception: Exception) -> Refused | None:
    if isinstance(exception, exceptions.ValidationError):
        return BadInput(
            "Correct the places named in `errors` and send it again.", errors=tuple(_flatten(exception.detail))
        )
    if isinstance(exception, exceptions.ParseError):
        return BadInput(str(exception.detail))
    if isinstance(exception, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return NotSignedIn(str(exception.detail))
    if isinstance(exception, exceptions.PermissionDenied | PermissionDenied):
        return NotAllowed("This key may not do that. Ask an administrator for a key with the right scope.")
    if isinstance(exception, exceptions.NotFound | Http404):
        return NotFound("There is nothing here, or this key may not see it.")
    if isinstance(exception, exceptions.APIException):
        other = Refused(str(exception.detail))
        other.status, other.code, other.title = exception.status_code, str(exception.default_code), "Not possible"
        return other
    return None


def _flatten(detail: Any, path: str = "") -> list[InputError]:
    if isinstance(detail, dict):
        return [
            error
            for key, value in detail.items()
            for error in _flatten(value, path if key == "non_field_errors" else f"{path}.{key}".lstrip("."))
        ]
    if isinstance(detail, list):
        nested = [value for value in detail if isinstance(value, dict | list)]
        if nested:
            return [
                error for index, value in enumerate(detail) for error in _flatten(value, f"{path}.{index}".lstrip("."))
            ]
        return [InputError(path, str(value)) for value in detail]
    return [InputError(path, str(detail))]
