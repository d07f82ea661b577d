"""Structured logs: a constant message, data in fields, and one request id from the edge to the drain."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

_KNOWN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def configuration(form: str, level: str) -> dict[str, Any]:
    """The LOGGING setting: `form` is "json" (one object a line) or "console"; library logs pass through the same shape."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _one_line,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: Any = (
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
        if form == "console"
        else structlog.processors.JSONRenderer()
    )
    render: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if form != "console":
        render.append(structlog.processors.format_exc_info)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*shared, structlog.stdlib.ExtraAdder()],
                "processors": [*render, last],
            }
        },
        "filters": {"without_paths": {"()": WithoutPaths}, "without_request": {"()": WithoutRequest}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            # RequestLog below tells every refusal already; what is left are the errors nobody foresaw.
            "django.request": {"level": "ERROR", "filters": ["without_paths"]},
            "django.security": {"level": "ERROR"},
            "django.security.DisallowedHost": {"filters": ["without_request"]},
            # RequestLog below writes one line a request; the server's own would be the second.
            "django.server": {"handlers": [], "level": "ERROR", "propagate": True},
            "celery": {"level": "WARNING"},
            "kombu": {"level": "WARNING"},
            "mail.log": {"level": "WARNING"},
        },
    }


class WithoutPaths(logging.Filter):
    """The framework's own words for an unforeseen error name the path, which may be a customer's secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = "unforeseen error", ()
        record.__dict__.pop("request", None)
        return True


class WithoutRequest(logging.Filter):
    """A host that is not ours is told in one line: its name is all there is to know, and the path may be a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__.pop("request", None)
        record.exc_info = None
        return True


class RequestLog:
    """One line a request, and a request id in `X-Request-ID` that every line below carries."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.log = structlog.get_logger("portal.request")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _KNOWN_ID.match(given) else uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began = time.perf_counter()
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        match = request.resolver_match
        self.log.info(
            "request",
            method=request.method,
            # The route, never the path: paths of tracking pages are secrets.
            route=match.route if match else "",
            status=response.status_code,
            ms=round((time.perf_counter() - began) * 1000, 1),
        )
        return response


def _one_line(_logger: Any, _method: str, event: Any) -> Any:
    """Fields that came from outside cannot start a line of their own, nor flood one."""
    for key, value in event.items():
        if isinstance(value, str) and key not in {"exception", "stack"}:
            event[key] = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)[:2000]
    return event
