"""A file taken in through the pages: looked at before anything is stored, mapped, watched, reported on, and taken back."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role
from intake import importing
from intake.models import Channel, FeedbackItem, Import, Submission
from tests.makers import make_person

pytestmark = pytest.mark.django_db

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def kept_apart(settings: Any, tmp_path: Path) -> None:
    settings.STATE_DIR = tmp_path / "state"


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(make_person("Ada", role=Role.ADMIN))
    return client


def send(client: Client, content: str | bytes, name: str = "said.csv", **fields: str) -> str:
    """The address of the import that comes of a file."""
    written = content.encode() if isinstance(content, str) else content
    answer = client.post("/imports/", {"file": SimpleUploadedFile(name, written), **fields})
    assert answer.status_code == 302
    return str(answer["Location"])


def asked(page: str) -> dict[str, str]:
    """What the selects of the mapping page hold: {column: field}."""
    rows = re.findall(r'<label for="(column-\d+)">(.*?)</label>.*?<select.*?>(.*?)</select>', page, re.DOTALL)
    return {column: re.findall(r'value="(\w+)" selected', choices)[0] for _, column, choices in rows}


def work() -> None:
    importing.import_pending(at=timezone.now())


def test_a_file_is_looked_at_before_anything_of_it_is_stored(ada: Client) -> None:
    address = send(ada, "id,What happened?,stars\n1,It leaks,2\n2,Fine,5\n", name="After repair.csv")
    page = ada.get(address).content.decode()

    assert asked(page) == {"id": "external_id", "What happened?": "context", "stars": "rating"}
    assert "It leaks" in page
    channel = Channel.objects.get(slug="after-repair")
    assert (channel.name, channel.kind) == ("After repair", "csv_file")
    work()
    assert not Submission.objects.exists()


def test_what_a_person_says_of_a_column_is_shown_again_and_then_holds(ada: Client) -> None:
    address = send(ada, "id,What happened?,stars\n1,It leaks,2\n2,Fine,5\n")
    said = {"column-0": "external_id", "column-1": "text", "column-2": "rating", "asked-scale": "stars5"}

    again = ada.post(address, {**said, "look": "yes"}).content.decode()
    assert asked(again)["What happened?"] == "text"
    assert not Channel.objects.get(slug="said").settings

    assert ada.post(address, {**said, "begin": "yes"}).status_code == 302
    work()
    assert sorted(FeedbackItem.objects.values_list("text", "rating_scale")) == [
        ("Fine", "stars5"),
        ("It leaks", "stars5"),
    ]
    assert Channel.objects.get(slug="said").settings == {"columns": {"What happened?": "text"}, "scale": "stars5"}
    page = ada.get(address).content.decode()
    assert re.search(r"<h2>Done</h2>", page)
    assert "hx-get" not in page


def test_columns_and_cells_are_shown_and_never_run(ada: Client) -> None:
    page = ada.get(send(ada, f"text,{HOSTILE}\n{HOSTILE},{HOSTILE}\n")).content.decode()

    assert HOSTILE not in page
    assert page.count("&lt;img src=x") >= 3


def test_what_is_wrong_with_a_file_is_said_where_it_can_be_mended(ada: Client) -> None:
    page = ada.get(send(ada, "colour,size\nred,3\n")).content.decode()

    assert "None of the columns is known to hold a text" in page
    assert asked(page) == {"colour": "context", "size": "context"}


def test_rows_that_need_a_look_are_handed_out_as_a_table(ada: Client) -> None:
    address = send(ada, "id,text,stars\n1,It leaks,2\n2,,9\n3,,\n")
    ada.post(address, {"begin": "yes"})
    work()

    answer = ada.get(f"{address}report/")
    told = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))  # type: ignore[attr-defined]
    assert "attachment" in answer["Content-Disposition"]
    assert set(told[0]) == {"row", "column", "reason", "id", "text", "stars"}
    assert [line[0] for line in told[1:]] == ["3", "4"]
    assert f"{address}report/" in ada.get(address).content.decode()


def test_an_import_is_paused_gone_on_with_and_taken_back(ada: Client) -> None:
    address = send(ada, "id,text\n1,It leaks\n")
    ada.post(address, {"begin": "yes"})
    run = Import.objects.get()

    for verb, state in [("pause", "paused"), ("resume", "waiting")]:
        assert ada.post(f"{address}{verb}/").status_code == 302
        run.refresh_from_db()
        assert run.state == state
    work()
    assert ada.post(f"{address}undo/").status_code == 302
    work()
    run.refresh_from_db()
    assert run.state in ("undoing", "undone")


def test_a_click_that_comes_too_late_is_told(ada: Client) -> None:
    address = send(ada, "id,text\n1,It leaks\n")
    ada.post(address, {"begin": "yes"})
    work()

    assert ada.post(f"{address}pause/").status_code == 409
    assert ada.post(address, {"begin": "yes"}).status_code == 409
    assert ada.post(f"{address}explode/").status_code == 404


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "Choose a file"),
        ({"file": SimpleUploadedFile("said.moon", b"text\nIt leaks\n")}, "Choose its kind"),
        ({"file": SimpleUploadedFile("said.csv", b"text\nIt leaks\n"), "kind": "rest_api"}, "takes no files"),
    ],
    ids=["no file", "unknown ending", "kind without files"],
)
def test_what_cannot_be_sent_says_why(ada: Client, fields: dict[str, object], says: str) -> None:
    answer = ada.post("/imports/", fields)

    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert not Import.objects.exists()


def test_a_running_import_stands_in_the_rail_of_those_who_can_act_on_it(ada: Client, client: Client) -> None:
    address = send(ada, "id,text\n1,It leaks\n")
    ada.post(address, {"begin": "yes"})

    assert f'href="{address}"' in ada.get("/triage/").content.decode()
    client.force_login(make_person("Tariq"))
    assert f'href="{address}"' not in client.get("/triage/").content.decode()


def test_a_second_file_through_the_same_channel_keeps_what_was_said_of_the_first(ada: Client) -> None:
    first = send(ada, "What happened?\nIt leaks\n")
    ada.post(first, {"column-0": "text", "begin": "yes"})
    second = send(ada, "What happened?\nFine\n", channel="said")

    assert asked(ada.get(second).content.decode()) == {"What happened?": "text"}
    assert Channel.objects.filter(kind="csv_file").count() == 1
