"""Addresses of triage."""

from django.urls import path

from triage.views import actions, attachments, dev_mail, parked, tracking, workbench

app_name = "triage"

urlpatterns = [
    path("triage/", workbench.workbench, name="workbench"),
    path("triage/bulk/", workbench.bulk, name="bulk"),
    path("triage/files/<uuid:public_id>/", attachments.attachment, name="attachment"),
    path("triage/<str:reference>/", workbench.ticket, name="ticket"),
    path("triage/<str:reference>/decide/", workbench.decide, name="decide"),
    path("triage/<str:reference>/undo/", workbench.undo, name="undo"),
    path("triage/<str:reference>/<str:verb>/", workbench.verb, name="verb"),
    path("actions/", actions.actions, name="actions"),
    path("actions/<str:reference>/", actions.action, name="action"),
    path("actions/<str:reference>/<slug:verb>/", actions.act, name="action_verb"),
    path("t/<str:token>/", tracking.page, name="tracking"),
    path("t/<str:token>/reply/", tracking.reply, name="tracking_reply"),
    path("t/<str:token>/rate/", tracking.rate, name="tracking_rate"),
    path("t/<str:token>/mail/", tracking.mail, name="tracking_mail"),
    path("t/<str:token>/delete/", tracking.delete, name="tracking_delete"),
    path("t/<str:token>/export/", tracking.export, name="tracking_export"),
    path("settings/parked/", parked.parked, name="parked"),
    path("settings/parked/replay/", parked.replay, name="replay"),
    path("dev/mail/", dev_mail.mails, name="dev_mail"),
    path("dev/mail/<str:name>/", dev_mail.mail, name="dev_mail_message"),
]
