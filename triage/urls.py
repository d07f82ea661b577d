"""Addresses of triage."""

from django.urls import path

from triage.api import actions as api_actions
from triage.api import feedback, organisation, tickets
from triage.views import actions, attachments, dev_mail, original, parked, tracking, whole_mail, workbench
from triage.views.settings import data_requests, held, people, rules
from triage.views.settings import organisation as set_up

app_name = "triage"

urlpatterns = [
    path("triage/", workbench.workbench, name="workbench"),
    path("triage/bulk/", workbench.bulk, name="bulk"),
    path("triage/files/<uuid:public_id>/", attachments.attachment, name="attachment"),
    path("triage/<str:reference>/", workbench.ticket, name="ticket"),
    path("triage/<str:reference>/decide/", workbench.decide, name="decide"),
    path("triage/<str:reference>/undo/", workbench.undo, name="undo"),
    path("triage/<str:reference>/original/", original.original, name="original"),
    path("triage/<str:reference>/mail/", whole_mail.page, name="whole_mail"),
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
    path("settings/", set_up.start, name="settings"),
    path("settings/topics/", set_up.topics, name="topics"),
    path("settings/topics/<slug:slug>/", set_up.topic, name="topic"),
    path("settings/teams/", set_up.teams, name="teams"),
    path("settings/teams/<slug:slug>/", set_up.team, name="team"),
    path("settings/rules/", rules.all_rules, name="rules"),
    path("settings/rules/<int:number>/", rules.rule, name="rule"),
    path("settings/people/", people.people, name="people"),
    path("settings/people/<int:number>/", people.person, name="person"),
    path("settings/people/<int:number>/link/", people.new_link, name="new_link"),
    path("settings/keys/", people.keys, name="keys"),
    path("settings/keys/<int:number>/revoke/", people.revoke_key, name="revoke_key"),
    path("settings/data-requests/", data_requests.data_requests, name="data_requests"),
    path("settings/customers/<int:number>/", data_requests.customer, name="customer"),
    path("settings/customers/<int:number>/export/", data_requests.export, name="customer_export"),
    path("settings/customers/<int:number>/erase/", data_requests.erase, name="customer_erase"),
    path("settings/held/", held.held, name="held"),
    path("settings/held/<int:number>/release/", held.release, name="release"),
    path("settings/parked/", parked.parked, name="parked"),
    path("settings/parked/replay/", parked.replay, name="replay"),
    path("dev/mail/", dev_mail.mails, name="dev_mail"),
    path("dev/mail/<str:name>/", dev_mail.mail, name="dev_mail_message"),
    path("api/v1/feedback/", feedback.FeedbackView.as_view(), name="api_feedback"),
    path("api/v1/feedback/<uuid:public_id>/", feedback.FeedbackItemView.as_view(), name="api_feedback_item"),
    path("api/v1/customers/", feedback.CustomersView.as_view(), name="api_customers"),
    path("api/v1/customers/<int:number>/", feedback.CustomerView.as_view(), name="api_customer"),
    path("api/v1/tickets/", tickets.TicketsView.as_view(), name="api_tickets"),
    path("api/v1/tickets/<str:reference>/", tickets.TicketView.as_view(), name="api_ticket"),
    path("api/v1/tickets/<str:reference>/decisions/", tickets.DecisionsView.as_view(), name="api_decisions"),
    path("api/v1/actions/", api_actions.ActionsView.as_view(), name="api_actions"),
    path("api/v1/actions/<str:reference>/", api_actions.ActionView.as_view(), name="api_action"),
    path(
        "api/v1/actions/<str:reference>/decisions/",
        api_actions.ActionDecisionsView.as_view(),
        name="api_action_decisions",
    ),
    path("api/v1/topics/", organisation.TopicsView.as_view(), name="api_topics"),
    path("api/v1/topics/<slug:slug>/", organisation.TopicView.as_view(), name="api_topic"),
    path("api/v1/teams/", organisation.TeamsView.as_view(), name="api_teams"),
    path("api/v1/teams/<slug:slug>/", organisation.TeamView.as_view(), name="api_team"),
    path("api/v1/rules/", organisation.RulesView.as_view(), name="api_rules"),
    path("api/v1/rules/preview/", organisation.RulePreviewView.as_view(), name="api_rule_preview"),
    path("api/v1/rules/<int:number>/", organisation.RuleView.as_view(), name="api_rule"),
]
