"""Addresses of kpis."""

from django.urls import path

from kpis.api import numbers as number_api
from kpis.api import signals as signal_api
from kpis.views import effects, numbers, panels, people, reports, signals, steering

app_name = "kpis"

urlpatterns = [
    path("kpis/", numbers.show_dashboard, name="dashboard"),
    path("kpis/backlog/", numbers.list_backlog, name="backlog"),
    path("kpis/audit-results/", numbers.show_audits, name="audits"),
    path("kpis/annotations/", steering.all_annotations, name="annotations"),
    path("kpis/saved/", steering.saved_dashboards, name="saved"),
    path("kpis/themes/", steering.show_pareto, name="pareto"),
    path("kpis/teams/", steering.show_teams, name="teams"),
    path("kpis/people/<int:number>/", people.person_sheet, name="person"),
    path("kpis/integration/", panels.show_integration, name="integration"),
    path("kpis/coverage/", panels.show_coverage, name="coverage"),
    path("kpis/definitions/", panels.show_definitions, name="definitions"),
    path("kpis/definitions/<slug:slug>/", panels.show_versions, name="versions"),
    path("kpis/reports/", reports.all_reports, name="reports"),
    path("kpis/reports/<str:code>/", reports.report, name="report"),
    path("kpis/reports/<str:code>/csv/", reports.report_csv, name="report_csv"),
    path("kpis/proofs/", reports.proofs, name="proofs"),
    path("kpis/effects/", effects.show_effects, name="effects"),
    path("kpis/effects/<str:reference>/items/", effects.list_effect_items, name="effect_items"),
    path("kpis/<slug:slug>/", numbers.show_kpi, name="kpi"),
    path("kpis/<slug:slug>/items/", numbers.list_items, name="items"),
    path("kpis/<slug:slug>/items/export/", numbers.export_items, name="items_export"),
    path("kpis/<slug:slug>/weeks/", numbers.export_series, name="series"),
    path("kpis/<slug:slug>/limits/", steering.freeze_limits, name="freeze_limits"),
    path("kpis/<slug:slug>/range/", steering.set_goal, name="set_goal"),
    path("settings/models/", numbers.show_models, name="models"),
    path("api/v1/kpis/", number_api.KpisView.as_view(), name="api_kpis"),
    path("api/v1/kpis/<slug:slug>/", number_api.KpiView.as_view(), name="api_kpi"),
    path("api/v1/kpis/<slug:slug>/items/", number_api.KpiItemsView.as_view(), name="api_kpi_items"),
    path("signals/", signals.all_signals, name="signals"),
    path("signals/<str:reference>/", signals.signal, name="signal"),
    path("signals/<str:reference>/items/", signals.signal_items, name="signal_items"),
    path("signals/<str:reference>/<slug:verb>/", signals.act, name="signal_verb"),
    path("api/v1/signals/", signal_api.SignalsView.as_view(), name="api_signals"),
    path("api/v1/signals/<str:reference>/", signal_api.SignalView.as_view(), name="api_signal"),
    path(
        "api/v1/signals/<str:reference>/decisions/",
        signal_api.SignalDecisionsView.as_view(),
        name="api_signal_decisions",
    ),
]
