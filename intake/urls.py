"""Addresses of intake."""

from django.urls import path

from intake import api
from intake.views import builder, channels, hooks, imports, kiosk, places, polls, public, scripts, sessions

app_name = "intake"

urlpatterns = [
    path("", public.home, name="home"),
    path("f/<slug:slug>/", public.form, name="form"),
    path("f/<slug:slug>/thanks/<str:token>/", public.thanks, name="thanks"),
    path("f/<slug:slug>/thanks/<str:token>/proof/", public.proof, name="proof"),
    path("k/<slug:slug>/", kiosk.kiosk, name="kiosk"),
    path("k/<slug:slug>/leave/", kiosk.leave, name="leave"),
    path("widget.js", scripts.widget, name="widget"),
    path("offline.js", scripts.offline, name="offline"),
    path("settings/places/", places.all_places, name="places"),
    path("settings/places/<slug:slug>/", places.place, name="place"),
    path("settings/places/<slug:slug>/poster/", places.poster, name="poster"),
    path("settings/channels/", channels.all_channels, name="channels"),
    path("settings/channel-kinds/<slug:kind>/", channels.add, name="add_channel"),
    path("settings/channels/<slug:slug>/", channels.channel, name="channel"),
    path("settings/channels/<slug:slug>/switch/", channels.switch, name="switch_channel"),
    path("settings/channels/<slug:slug>/address/", channels.new_address, name="new_address"),
    path("settings/channels/<slug:slug>/old-secrets/", channels.drop_old_secrets, name="drop_old_secrets"),
    path("settings/channels/<slug:slug>/calls/<int:number>/", channels.replay_delivery, name="replay_delivery"),
    path("settings/channels/<slug:slug>/passed-over/<int:number>/", channels.read_again, name="read_again"),
    path("hooks/<str:key>/", hooks.hook, name="hook"),
    path("imports/", imports.all_imports, name="imports"),
    path("imports/<uuid:number>/", imports.one, name="import"),
    path("imports/<uuid:number>/report/", imports.report, name="import_report"),
    path("imports/<uuid:number>/<slug:verb>/", imports.move, name="move_import"),
    path("sessions/", sessions.all_sessions, name="sessions"),
    path("sessions/<int:number>/", sessions.session, name="session"),
    path("sessions/<int:number>/notes/", sessions.notes, name="session_notes"),
    path("sessions/<int:number>/notes/new/", sessions.note, name="note"),
    path("settings/polls/", polls.polls, name="polls"),
    path("settings/polls/<slug:slug>/", polls.ask_now, name="ask_now"),
    path("settings/forms/", builder.forms, name="forms"),
    path("settings/forms/new/", builder.new, name="new_form"),
    path("settings/forms/<slug:slug>/", builder.builder, name="builder"),
    path("settings/forms/<slug:slug>/preview/", builder.preview, name="form_preview"),
    path("settings/forms/<slug:slug>/sharing/", builder.sharing, name="form_sharing"),
    path("settings/forms/<slug:slug>/versions/", builder.versions, name="form_versions"),
    path("settings/forms/<slug:slug>/versions/<int:number>/", builder.version, name="form_version"),
    path("api/v1/feedback/", api.FeedbackView.as_view(), name="api_feedback"),
    path("api/v1/feedback/bulk/", api.BulkView.as_view(), name="api_feedback_bulk"),
    path("api/v1/channels/", api.ChannelsView.as_view(), name="api_channels"),
    path("api/v1/channels/<slug:slug>/", api.ChannelView.as_view(), name="api_channel"),
]
