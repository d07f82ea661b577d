"""The command says one thing on stdout, in one line, whatever the file holds."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from intake.models import Channel, Submission

pytestmark = pytest.mark.django_db

NAMES = ["read", "created", "updated", "duplicate", "skipped", "failed", "errors_file"]


@pytest.fixture
def file(tmp_path: Path, settings: Any) -> Callable[[str], str]:
    settings.STATE_DIR = tmp_path / "state"

    def lay(text: str) -> str:
        (tmp_path / "answers.csv").write_text(text)
        return str(tmp_path / "answers.csv")

    return lay


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(*words: str, stderr: io.StringIO | None = None) -> tuple[dict[str, Any], str]:
    out, err = io.StringIO(), stderr or io.StringIO()
    call_command("import_feedback", *words, stdout=out, stderr=err)
    (line,) = out.getvalue().splitlines()
    return json.loads(line), err.getvalue()


def test_it_makes_the_channel_and_tells_what_came_of_the_file(file: Callable[[str], str]) -> None:
    told, err = run(file("text\nIt leaks\n"), "--channel", "answers", "--connector", "csv_file")

    assert list(told) == NAMES
    assert told == dict.fromkeys(NAMES, 0) | {"read": 1, "created": 1, "errors_file": None}
    assert err == ""
    assert Channel.objects.get(slug="answers").kind == "csv_file"
    assert Submission.objects.get().channel.slug == "answers"


def test_it_uses_a_channel_that_is_there(file: Callable[[str], str]) -> None:
    path = file("text\nIt leaks\n")
    run(path, "--channel", "answers", "--connector", "csv_file")

    told, _ = run(path, "--channel", "answers")

    assert (told["created"], told["duplicate"]) == (0, 1)
    assert Channel.objects.filter(slug="answers").count() == 1


def test_bad_rows_are_a_result_and_no_failure(file: Callable[[str], str]) -> None:
    told, _ = run(file("text,rating\nIt leaks,1\n,9\n,\n"), "--channel", "answers", "--connector", "csv_file")

    assert (told["created"], told["skipped"], told["failed"]) == (1, 1, 1)
    assert Path(told["errors_file"]).exists()


def test_a_dry_run_makes_not_even_the_channel_and_says_why_rows_fail(file: Callable[[str], str]) -> None:
    path = file("text,rating\nIt leaks,1\n" + ",9\n" * 30)

    told, err = run(path, "--channel", "answers", "--connector", "csv_file", "--dry-run")

    assert (told["created"], told["failed"], told["errors_file"]) == (1, 30, None)
    assert not Channel.objects.filter(slug="answers").exists()
    assert err.splitlines()[0] == "Row 3, rating: 9 is not on the scale csat5, which goes from 1 to 5."
    assert err.splitlines()[-1] == "10 more rows have something to tell; import the file to read of them all."
    assert len(err.splitlines()) == 21


def test_a_refused_file_makes_no_channel(file: Callable[[str], str]) -> None:
    with pytest.raises(CommandError, match=r"None of the columns .*\."):
        run(file("colour\nred\n"), "--channel", "answers", "--connector", "csv_file")
    assert not Channel.objects.filter(slug="answers").exists()


def test_a_channel_that_is_not_there_is_asked_for(file: Callable[[str], str]) -> None:
    with pytest.raises(CommandError, match="Add --connector csv_file to create it"):
        run(file("text\nIt leaks\n"), "--channel", "answers")


def test_progress_is_for_terminals(file: Callable[[str], str]) -> None:
    path = file("text\nIt leaks\n")

    assert "1 rows read" not in run(path, "--channel", "answers", "--connector", "csv_file")[1]
    assert "\r1 rows read\n" in run(path, "--channel", "answers", stderr=Terminal())[1]
