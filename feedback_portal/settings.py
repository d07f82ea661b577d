"""Every setting of the portal: one file, and each difference between machines is an environment variable."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from feedback_portal import logs

# A process a core does the work: threads of numpy and scikit-learn on top would wait for each other. Read when they are loaded.
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

BASE_DIR = Path(__file__).resolve().parent.parent


def env_flag(name: str, default: bool = False) -> bool:
    raw = os.environ.get(name, "")
    if raw == "":
        return default
    if raw.lower() in {"1", "true", "yes", "on"}:
        return True
    if raw.lower() in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} is {raw!r}: write 1 or 0.")


def env_number(name: str, default: int) -> int:
    raw = os.environ.get(name, "")
    if raw == "":
        return default
    try:
        return int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {raw!r}: write a whole number.") from None


def env_list(name: str, default: list[str]) -> list[str]:
    raw = os.environ.get(name, "")
    return [part.strip() for part in raw.split(",") if part.strip()] or default


def database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            "DATABASE_URL must start with postgres://, since the portal runs on PostgreSQL only."
        )
    # .hostname is lower-cased; a folder of a Unix socket must keep its case.
    host = parts.netloc.rpartition("@")[2]
    if host.rpartition(":")[2].isdigit():
        host = host.rpartition(":")[0]
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(host.strip("[]")),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "options": "-c lock_timeout=5000 -c idle_in_transaction_session_timeout=60000"
            f" -c statement_timeout={env_number('PORTAL_STATEMENT_TIMEOUT_MS', 15_000)}",
        },
    }


def celery_broker(url: str) -> str:
    """Celery spells a Unix socket differently from redis-py, which the rest of the portal uses."""
    if not url.startswith("unix://"):
        return url
    path, _, query = url.removeprefix("unix://").partition("?")
    number = query.removeprefix("db=") or "0"
    return f"redis+socket://{path}?virtual_host={number}"


def email(url: str) -> dict[str, Any]:
    if url == "":
        return {}
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps", "smtp+starttls"} or not parts.hostname:
        raise ImproperlyConfigured("PORTAL_EMAIL_URL must look like smtp+starttls://user:password@host:587.")
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or {"smtps": 465, "smtp+starttls": 587}.get(parts.scheme, 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp+starttls",
    }


def media(url: str) -> dict[str, Any]:
    """Where customers' files lie: in PORTAL_MEDIA_DIR, or in a bucket of a storage that speaks S3."""
    if url == "":
        return {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc:
        raise ImproperlyConfigured("PORTAL_MEDIA_URL must look like s3://bucket/folder?endpoint_url=https://host.")
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": parts.netloc,
            "location": parts.path.strip("/"),
            # Downloads go through the portal, which asks who may have them; nothing is reachable by itself.
            "default_acl": None,
            "querystring_auth": True,
            "file_overwrite": False,
            **dict(parse_qsl(parts.query)),
        },
    }


DEBUG = env_flag("PORTAL_DEBUG")
SECRET_KEY = os.environ.get("PORTAL_SECRET_KEY", "")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "PORTAL_SECRET_KEY is not set. Give it a long random value and keep it secret, or start with python3 start.py."
        )
    SECRET_KEY = "for-development-only-" + "x" * 40

# Secrets and sealed texts written under these stay readable; links signed with them stay valid.
SECRET_KEY_FALLBACKS = env_list("PORTAL_OLD_SECRET_KEYS", [])

STATE_DIR = Path(os.environ.get("PORTAL_STATE_DIR") or BASE_DIR / ".state")
# Sentences as points, where requirements-encoder.txt is installed; without it fewer topics are found on the first day.
ENCODER = env_flag("PORTAL_ENCODER", True)
# Figures of one person's work, for them and their lead: off unless the organisation (and its works council) wants them.
PERSON_FIGURES = env_flag("PORTAL_PERSON_FIGURES")
ENCODER_DIR = STATE_DIR / "encoder"
ORGANISATION = os.environ.get("PORTAL_ORGANISATION", "Your organisation")
# So many items a week are labelled blind by two people; 0 for none, at most 500.
AUDIT_SIZE = env_number("PORTAL_AUDIT_SIZE", 50)
BASE_URL = os.environ.get("PORTAL_BASE_URL", f"http://127.0.0.1:{env_number('PORTAL_PORT', 8000)}").rstrip("/")
SERVED_SECURELY = BASE_URL.startswith("https://")
ALLOWED_HOSTS = env_list(
    "PORTAL_ALLOWED_HOSTS", [urlsplit(BASE_URL).hostname or "localhost", "localhost", "127.0.0.1", "[::1]"]
)
CSRF_TRUSTED_ORIGINS = [BASE_URL] if SERVED_SECURELY else []
TRUSTED_PROXIES = env_number("PORTAL_TRUSTED_PROXIES", 0)
# Where the event process listens when no proxy puts it behind the portal's own address: another port of the same host.
EVENTS_PORT = env_number("PORTAL_EVENTS_PORT", 0)
METRICS_TOKEN = os.environ.get("PORTAL_METRICS_TOKEN", "")
# Systems inside our own network, or on ports of their own, that the portal may call all the same.
OUTGOING_ALLOW = env_list("PORTAL_OUTGOING_ALLOW", [])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "feedback_portal",
    "feedback_portal.accounts",
    "intake",
    "triage",
    "kpis",
]

MIDDLEWARE = [
    "feedback_portal.logs.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "feedback_portal.edge.Compressed",
    "feedback_portal.edge.ResponseHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "feedback_portal.languages.VisitorsLanguage",
    "feedback_portal.edge.RequestShape",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "feedback_portal.languages.OwnLanguage",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "feedback_portal.refusals.RefusalAnswers",
]

ROOT_URLCONF = "feedback_portal.urls"
WSGI_APPLICATION = "feedback_portal.wsgi.application"
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            # Every page has words, so none has to say that it translates them.
            "builtins": ["django.templatetags.i18n", "feedback_portal.said"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "feedback_portal.edge.place",
                "feedback_portal.languages.context",
                "triage.views.rail.context",
                "triage.views.board.context",
                "kpis.views.rail.context",
            ],
        },
    }
]

DATABASES = {"default": database(os.environ.get("DATABASE_URL", "postgres://localhost/portal"))}
if os.environ.get("PORTAL_TEST_TEMPLATE"):
    DATABASES["default"]["TEST"] = {"TEMPLATE": os.environ["PORTAL_TEST_TEMPLATE"]}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
CELERY_BROKER_URL = celery_broker(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 270
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 1000
# Above what a worker holds with the encoder and the learned models, or it would be replaced after every task.
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 700_000
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
}
CELERY_TIMEZONE = "UTC"

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "/triage/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
SESSION_COOKIE_NAME = "__Host-session" if SERVED_SECURELY else "session"
SESSION_COOKIE_SECURE = SERVED_SECURELY
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 30 * 24 * 3600
CSRF_COOKIE_NAME = "__Host-csrf" if SERVED_SECURELY else "csrf"
CSRF_COOKIE_SECURE = SERVED_SECURELY
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "feedback_portal.refusals.csrf_failure"
SECURE_SSL_REDIRECT = SERVED_SECURELY and env_flag("PORTAL_REDIRECT_TO_HTTPS", True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SERVED_SECURELY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SERVED_SECURELY
SECURE_HSTS_PRELOAD = SERVED_SECURELY
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 10

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["feedback_portal.api.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["feedback_portal.api.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["feedback_portal.api.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "feedback_portal.refusals.problem_json",
    "UNAUTHENTICATED_USER": None,
    "STRICT_JSON": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Feedback portal",
    "DESCRIPTION": "Takes feedback in, shows where each item stands, decides on tickets and reads KPIs.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Fields of one name with other choices, each under a name of its own.
    "ENUM_NAME_OVERRIDES": {
        "ActionKind": "triage.models.Action.Kind",
        "SuggestionKind": "triage.proposals.Kind",
        "ThemeState": "triage.models.Theme.State",
        "SignalVerdict": "kpis.models.Signal.Verdict",
        "ActionVerdict": "triage.models.Action.Outcome",
        "BackTestState": ["waiting", "done", "cancelled", "failed"],
        "ReevaluationState": ["running", "done", "taken_back"],
    },
}

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_TIMEOUT = 15
globals().update(email(os.environ.get("PORTAL_EMAIL_URL", "")))
DEFAULT_FROM_EMAIL = os.environ.get("PORTAL_EMAIL_FROM", f"feedback@{urlsplit(BASE_URL).hostname or 'localhost'}")
MAIL_DIR = Path(os.environ.get("PORTAL_MAIL_DIR") or STATE_DIR / "mail")

# Every language the portal speaks, by its own name; see docs/languages.md for how to add one.
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("es", "Español"), ("ar", "العربية")]
# For whoever asks for none of them, and for what is written by itself.
LANGUAGE_CODE = os.environ.get("PORTAL_LANGUAGE", "en")
if LANGUAGE_CODE not in dict(LANGUAGES):
    raise ImproperlyConfigured(f"PORTAL_LANGUAGE is {LANGUAGE_CODE!r}: the portal speaks {', '.join(dict(LANGUAGES))}.")
LOCALE_PATHS = [BASE_DIR / "feedback_portal" / "locale"]
FORMAT_MODULE_PATH = "feedback_portal.formats"
LANGUAGE_COOKIE_NAME = "language"
TIME_ZONE = os.environ.get("PORTAL_TIME_ZONE", "UTC")
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(os.environ.get("PORTAL_STATIC_DIR") or STATE_DIR / "static")
MEDIA_ROOT = Path(os.environ.get("PORTAL_MEDIA_DIR") or STATE_DIR / "media")
STORAGES = {
    "default": media(os.environ.get("PORTAL_MEDIA_URL", "")),
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "feedback_portal.edge.StaticFiles"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG

LOG_FORMAT = os.environ.get("PORTAL_LOG_FORMAT", "console" if DEBUG else "json")
LOGGING = logs.configuration(LOG_FORMAT, os.environ.get("PORTAL_LOG_LEVEL", "INFO"))
# The header is set by `edge.ResponseHeaders`, which knows the one page that may be framed.
SILENCED_SYSTEM_CHECKS = ["security.W002"]
