"""Every address of the portal; the apps are named only in strings."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from feedback_portal import health
from feedback_portal.schema import KeyScheme

__all__ = ["KeyScheme", "urlpatterns"]  # read once, the scheme registers itself

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("", include("feedback_portal.accounts.urls")),
    # Before intake: what intake lets programs send, triage lets them read at the same address.
    path("", include("triage.urls")),
    path("", include("intake.urls")),
    path("", include("kpis.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="api_schema"), name="api_docs"),
    # Passwords are tried at one door, the one with a brake; the admin's own has none.
    path("admin/login/", RedirectView.as_view(pattern_name="accounts:sign_in", query_string=True)),
    path("admin/", admin.site.urls),
]
