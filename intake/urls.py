"""Addresses of intake."""

from django.urls import path

from intake import api

app_name = "intake"

urlpatterns = [
    path("api/v1/feedback/", api.FeedbackView.as_view(), name="api_feedback"),
    path("api/v1/feedback/bulk/", api.BulkView.as_view(), name="api_feedback_bulk"),
    path("api/v1/channels/", api.ChannelsView.as_view(), name="api_channels"),
    path("api/v1/channels/<slug:slug>/", api.ChannelView.as_view(), name="api_channel"),
]
