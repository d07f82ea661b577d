"""The tests' own servers, and the promise that a green run means the browser was driven."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from intake.models import Form
from tests import conftest_services
from tests.makers import actor, make_person, make_team, make_ticket
from triage.decisions import decide
from triage.models import Event, Ticket


@pytest.mark.django_db
def test_the_database_is_the_tests_own_and_was_copied_from_a_migrated_one() -> None:
    assert connection.settings_dict["NAME"].startswith("test_")
    assert str(connection.settings_dict["TEST"]["TEMPLATE"]).startswith("template_")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync')")
        assert cursor.fetchone() == ("off",)


@pytest.mark.parametrize("small", [conftest_services.SMALL, 0], ids=["row by row", "as Django does"])
def test_what_a_test_committed_is_gone_and_a_new_portal_is_furnished(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    ines = make_person("Ines", make_team("quality"))
    made = make_ticket("Water under the machine", team=make_team("quality"))
    decide(
        made.reference, "note", by=actor(ines), at=made.received_at, text="It is wet."
    )  # an event refuses to be deleted
    Form.objects.update(slug="changed")
    monkeypatch.setattr(conftest_services, "SMALL", small)
    call_command("flush", interactive=False, verbosity=0, reset_sequences=False)

    assert not Ticket.objects.exists()
    assert not Event.objects.exists()
    assert Form.objects.get().slug == "feedback"


def test_each_worker_has_its_own_number_of_the_broker() -> None:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw-1").removeprefix("gw")) + 1
    assert settings.REDIS_URL.endswith(f"?db={number}")
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        assert client.ping()


def test_a_static_file_that_is_not_there_is_not_named() -> None:
    storage = conftest_services.FoundStaticFiles()
    assert storage.url("base.css") == "/static/base.css"
    with pytest.raises(ValueError, match=r"no static file missing\.css"):
        storage.url("missing.css")


@pytest.mark.parametrize(
    ("marked", "required", "outcome"),
    [(True, "1", "failed"), (True, "0", "skipped"), (False, "1", "skipped")],
)
def test_a_skipped_browser_test_fails_where_the_browser_is_required(
    marked: bool, required: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_REQUIRE_BROWSER", required)
    item: Any = SimpleNamespace(nodeid="tests/browser/test_form.py::test_it", get_closest_marker=lambda name: marked)
    report: Any = SimpleNamespace(skipped=True, outcome="skipped", longrepr="no Chromium")
    hook = conftest_services.pytest_runtest_makereport(item)
    next(hook)
    with pytest.raises(StopIteration) as ended:
        hook.send(report)
    assert ended.value.value.outcome == outcome


def test_two_test_runs_in_one_state_folder_take_servers_of_their_own(
    reachable_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_STATE_DIR", str(reachable_folder))
    monkeypatch.setattr(conftest_services, "_held", [])
    layouts = [conftest_services._free_layout() for _ in range(3)]
    assert [layout.state.name for layout in layouts] == ["tests", "tests-2", "tests-3"]
    assert len({layout.sockets for layout in layouts}) == 3
