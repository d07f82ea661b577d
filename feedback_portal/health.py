"""Is it alive, is it ready, how does it run: probes for machines and the same checks for `doctor`."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import redis
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from feedback_portal.celery import PIPELINE
from feedback_portal.edge import client_address
from feedback_portal.pending import PendingWork, backlog

# A stage whose oldest due row is older than this has nobody working on it.
STUCK_AFTER_SECONDS = 15 * 60
# Counted in the database by every process alike: the model that counts, by channel.
_FORGED = "intake.ForgedCalls"
# How the process that listens for the workbench is called in the database.
_EVENTS = "triage.live.listening.NAME"
# Tells whether what compares sentences by meaning works here.
_ENCODER = "triage.understanding.embeddings.state"
_MODELS = "triage.learning.promotion.in_words"
_PROOF = "kpis.proving.in_words"


@dataclass(frozen=True)
class Check:
    """One check with its verdict; `advice` is a sentence that says what to do when it fails."""

    name: str
    ok: bool
    found: str
    advice: str = ""


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Alive: the process answers. Touches nothing else, so that a sick database does not restart the web server."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Ready: database, broker and the oldest due row of each stage. Only the database makes it 503: without the
    broker the portal accepts and shows everything, and catches up afterwards."""
    database = _database()
    stages = {stage.name: backlog(_model(stage.model)) for stage in PIPELINE} if database.ok else {}
    broker = _broker()
    body = {
        "ready": database.ok,
        "database": database.found,
        "broker": broker.found,
        "live": _live().found if database.ok else "",
        "oldest_due_seconds": {name: round(state["oldest_due_seconds"], 1) for name, state in stages.items()},
        "parked": {name: state["parked"] for name, state in stages.items()},
    }
    return JsonResponse(body, status=200 if database.ok else 503)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text, for loopback or whoever brings the token. Counts of work, never of customers."""
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    allowed = client_address(request) in {"127.0.0.1", "::1"} and not request.headers.get("X-Forwarded-For")
    if settings.METRICS_TOKEN and secrets.compare_digest(token.encode(), settings.METRICS_TOKEN.encode()):
        allowed = True
    if not allowed:
        raise Http404
    registry = CollectorRegistry()
    waiting = Gauge("portal_pending_rows", "Rows waiting for work, capped at 10001", ["stage"], registry=registry)
    parked = Gauge("portal_parked_rows", "Rows parked for staff, capped at 10001", ["stage"], registry=registry)
    oldest = Gauge("portal_oldest_due_seconds", "Age of the oldest due row", ["stage"], registry=registry)
    for stage in PIPELINE:
        state = backlog(_model(stage.model))
        waiting.labels(stage.name).set(state["waiting"])
        parked.labels(stage.name).set(state["parked"])
        oldest.labels(stage.name).set(state["oldest_due_seconds"])
    forged = Counter("portal_forged_calls", "Calls refused as not genuine", ["channel"], registry=registry)
    for slug, count in apps.get_model(_FORGED)._default_manager.values_list("channel__slug", "count"):
        forged.labels(slug).inc(count)
    Gauge("portal_broker_up", "Whether the broker answers", registry=registry).set(float(_broker().ok))
    return HttpResponse(generate_latest(registry), content_type="text/plain; version=0.0.4")


def checks() -> list[Check]:
    """Everything `doctor` looks at, in the order a person would."""
    found = [_settings(), _database()]
    if not found[-1].ok:
        return found
    found += [
        _migrations(),
        _clock(),
        _durability(),
        _broker(),
        _mail(),
        _encoder(),
        Check("models", True, import_string(_MODELS)()),
        _proof(),
        _live(),
        *(_stage(stage.name, stage.model) for stage in PIPELINE),
    ]
    return found


def _proof() -> Check:
    holds, found = import_string(_PROOF)()
    advice = "" if holds else "See /kpis/proofs/ for what differs; manage.py kpi_proof --repair counts those days anew."
    return Check("numbers", holds, found, advice)


def _model(label: str) -> type[PendingWork]:
    return cast(type[PendingWork], apps.get_model(label))


def _attempt(name: str, advice: str, probe: Callable[[], str]) -> Check:
    try:
        return Check(name, True, probe())
    except Exception as error:  # a probe's whole purpose is to turn any failure into a verdict
        return Check(name, False, type(error).__name__, advice)


def _settings() -> Check:
    if settings.DEBUG:
        return Check("settings", True, "development (PORTAL_DEBUG=1)")
    strong = len(settings.SECRET_KEY) >= 32
    return Check(
        "settings", strong, "production", "" if strong else "Give PORTAL_SECRET_KEY at least 32 random characters."
    )


def _database() -> Check:
    def probe() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version')")
            return f"PostgreSQL {cursor.fetchone()[0].split()[0]}"

    return _attempt("database", "Start PostgreSQL, or correct DATABASE_URL.", probe)


def _migrations() -> Check:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    advice = "Run manage.py migrate." if missing else ""
    return Check("migrations", not missing, f"{len(missing)} to apply" if missing else "all applied", advice)


def _clock() -> Check:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        apart = abs((cursor.fetchone()[0] - timezone.now()).total_seconds())
    return Check(
        "clock", apart < 5, f"{apart:.1f} s from the database's", "" if apart < 5 else "Set both clocks by NTP."
    )


def _durability() -> Check:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
        fsync, commit = cursor.fetchone()
    ok = fsync == "on" and commit in {"on", "remote_apply", "remote_write", "local"}
    return Check(
        "durability",
        ok,
        f"fsync {fsync}, synchronous_commit {commit}",
        "" if ok else "Switch both on: accepted must mean durable.",
    )


def _broker() -> Check:
    def probe() -> str:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
            version = cast(dict[str, Any], client.info("server"))["redis_version"]
            policy = cast(dict[str, Any], client.config_get("maxmemory-policy")).get("maxmemory-policy", "noeviction")
        if policy != "noeviction":
            raise RuntimeError(policy)
        return f"answers (Redis protocol {version})"

    return _attempt(
        "broker",
        "Start Redis or correct REDIS_URL, with maxmemory-policy noeviction. Nothing is lost meanwhile.",
        probe,
    )


def _live() -> Check:
    """Never a failure: without it the pages of the workbench ask by themselves. Counted in the database, where it listens."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()",
            [import_string(_EVENTS)],
        )
        count = cursor.fetchone()[0]
    if not count:
        return Check(
            "live", True, "nobody listens", "Start the event process, or pages learn of changes after 20 seconds."
        )
    return Check("live", True, "1 process listens" if count == 1 else f"{count} processes listen")


def _mail() -> Check:
    if settings.EMAIL_HOST == "localhost" and settings.EMAIL_PORT == 25 and not settings.DEBUG:
        return Check("mail", True, "no PORTAL_EMAIL_URL: mail goes to localhost:25")
    return Check("mail", True, f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}")


def _encoder() -> Check:
    """Never a failure: the portal runs without it, only less well."""
    state = import_string(_ENCODER)(thorough=True)
    return Check("encoder", True, state.found, state.advice)


def _stage(name: str, label: str) -> Check:
    state = backlog(_model(label))
    found = f"{state['waiting']} waiting, oldest due {state['oldest_due_seconds']:.0f} s, {state['parked']} parked"
    if state["oldest_due_seconds"] > STUCK_AFTER_SECONDS:
        return Check(name, False, found, f"No worker takes the {name} stage: start a worker and the relay.")
    if state["parked"]:
        return Check(name, False, found, "Look at /settings/parked/, mend the cause and replay.")
    return Check(name, True, found)
