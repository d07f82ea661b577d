"""Addresses of intake."""

from django.urls import path

from intake import api
from intake.views import hooks, polls, public

app_name = "intake"

urlpatterns = [
    path("", public.home, name="home"),
    path("f/<slug:slug>/", public.form, name="form"),
    path("f/<slug:slug>/thanks/<str:token>/", public.thanks, name="thanks"),
    path("hooks/<str:key>/", hooks.hook, name="hook"),
    path("settings/polls/", polls.polls, name="polls"),
    path("settings/polls/<slug:slug>/", polls.ask_now, name="ask_now"),
    path("api/v1/feedback/", api.FeedbackView.as_view(), name="api_feedback"),
    path("api/v1/feedback/bulk/", api.BulkView.as_view(), name="api_feedback_bulk"),
    path("api/v1/channels/", api.ChannelsView.as_view(), name="api_channels"),
    path("api/v1/channels/<slug:slug>/", api.ChannelView.as_view(), name="api_channel"),
]
