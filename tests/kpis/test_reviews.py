"""Figures of one person are off, for them and their lead only, logged, and no review without words."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role
from kpis.models import Look, Review
from tests.makers import make_person, make_team, make_ticket
from triage.models import Event

pytestmark = pytest.mark.django_db


def test_the_sheet_is_off_then_for_two_people_and_every_look_is_kept(settings: Any) -> None:
    quality = make_team("quality")
    tariq, mina = make_person("Tariq", quality), make_person("Mina", quality, role=Role.LEAD)
    others = [make_person("Omar", quality), make_person("Lena", role=Role.MANAGER)]
    others.append(make_person("Lea", make_team("logistics"), role=Role.LEAD))
    now = timezone.now()
    for number in range(31):
        ticket = make_ticket(
            team=quality, at=now - timedelta(days=2), due_at=now - timedelta(days=1 if number % 2 else 3)
        )
        Event.objects.create(
            item=ticket.item,
            ticket=ticket,
            type="triaged",
            source="person",
            person=tariq,
            occurred_at=now - timedelta(days=2),
        )
    url = f"/kpis/people/{tariq.pk}/"

    def ask(who: object, **given: str) -> tuple[int, str]:
        browser = Client()
        browser.force_login(who)  # type: ignore[arg-type]
        answer = browser.post(url, given) if given else browser.get(url)
        return answer.status_code, answer.content.decode()

    assert ask(tariq)[0] == 404  # off
    settings.PERSON_FIGURES = True

    assert [ask(other)[0] for other in others] == [404, 404, 404]
    assert "<dd>31</dd>" in ask(tariq)[1]
    assert not Look.objects.exists()
    assert "<dd>31</dd>" not in ask(mina)[1]
    assert ask(mina, purpose=" ")[0] == 422
    assert "<dd>31</dd>" in ask(mina, purpose="Coaching in March")[1]
    assert Look.objects.get().purpose == "Coaching in March"
    assert ask(mina, purpose="Coaching", judgement="Fine.")[0] == 422
    assert (
        ask(mina, purpose="Coaching", judgement="Took on the hardest channel and kept its customers informed.")[0]
        == 302
    )
    review = Review.objects.get()
    assert ask(mina, answer="Not mine to answer", review=str(review.pk))[0] == 404
    assert ask(tariq, answer="I would like less of the phone queue.", review=str(review.pk))[0] == 302
    assert Review.objects.get().answer
    assert "Coaching in March" in ask(tariq)[1]
