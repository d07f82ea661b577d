"""Addresses of kpis."""

from django.urls import path

from kpis import api, views

app_name = "kpis"

urlpatterns = [
    path("kpis/", views.show_dashboard, name="dashboard"),
    path("kpis/backlog/", views.list_backlog, name="backlog"),
    path("kpis/audit-results/", views.show_audits, name="audits"),
    path("kpis/<slug:slug>/", views.show_kpi, name="kpi"),
    path("kpis/<slug:slug>/items/", views.list_items, name="items"),
    path("settings/models/", views.show_models, name="models"),
    path("api/v1/kpis/", api.KpisView.as_view(), name="api_kpis"),
    path("api/v1/kpis/<slug:slug>/", api.KpiView.as_view(), name="api_kpi"),
    path("api/v1/kpis/<slug:slug>/items/", api.KpiItemsView.as_view(), name="api_kpi_items"),
]
