"""Addresses of sign-in, and of what each person chooses for themselves."""

from django.urls import path

from feedback_portal.accounts import views

app_name = "accounts"

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-in/<str:token>/", views.sign_in_by_link, name="sign_in_link"),
    path("own/", views.own, name="own"),
    path("sign-out/", views.sign_out, name="sign_out"),
]
