"""Administrators publish forms from the command line; what was asked before stays as it was."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client

from intake import surveys
from intake.models import Channel, Form, FormVersion

pytestmark = pytest.mark.django_db

ASKS = {"title": "Repair", "questions": [{"name": "how", "kind": "scale", "label": "How was it?", "scale": "nps"}]}


def run(*arguments: str) -> Any:
    out = StringIO()
    call_command("publish_form", *arguments, stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "form.json"
    written.write_text(json.dumps(ASKS))
    return written


class TestCommand:
    def test_a_new_form_is_made_and_can_be_opened(self, file: Path) -> None:
        told = run("repair", str(file), "--origin", "https://shop.example.com")

        assert (told["form"], told["version"]) == ("repair", 1)
        assert told["url"].endswith("/f/repair/")
        assert "How was it?" in Client().get("/f/repair/").content.decode()
        assert Form.objects.get(slug="repair").allowed_origins == ["https://shop.example.com"]

    def test_a_known_form_asks_something_else_and_the_old_stays(self, file: Path) -> None:
        assert run("feedback", str(file))["version"] == 2
        assert run("feedback", str(file))["version"] == 2
        assert FormVersion.objects.get(form__slug="feedback", number=1).definition["title"] == surveys.FIRST_FORM.title

    def test_what_it_prints_can_be_published_again(self, tmp_path: Path) -> None:
        again = tmp_path / "again.json"
        again.write_text(json.dumps(run("feedback")))

        assert run("feedback", str(again))["version"] == 1

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("{", "is not JSON"),
            ("{}", "title: This field is required."),
            ('{"title": "T", "questions": []}', "questions:"),
        ],
    )
    def test_a_mistake_is_told_with_its_place(self, tmp_path: Path, text: str, reason: str) -> None:
        bad = tmp_path / "bad.json"
        bad.write_text(text)

        with pytest.raises(CommandError, match=reason):
            run("repair", str(bad))
        assert not Form.objects.filter(slug="repair").exists()

    def test_what_is_not_there_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="There is no form"):
            run("repair")
        with pytest.raises(CommandError, match="cannot be read"):
            run("repair", str(tmp_path / "nothing.json"))

    @pytest.mark.parametrize("slug", ["a b", "web-form", "x" * 61])
    def test_a_slug_that_cannot_be_one_is_refused_in_words(self, file: Path, slug: str) -> None:
        with pytest.raises(CommandError, match=r"cannot be the address|already"):
            run(slug, str(file))

    def test_the_sites_that_may_frame_it_are_set_and_stay(self, file: Path) -> None:
        run("feedback", str(file), "--origin", "https://shop.example.com")
        run("feedback", str(file))

        assert Form.objects.get().allowed_origins == ["https://shop.example.com"]
        with pytest.raises(CommandError, match="is not an origin"):
            run("feedback", str(file), "--origin", "shop.example.com")


class TestConstraints:
    """What must be true whatever happens is held by PostgreSQL."""

    def test_a_published_form_has_a_version(self) -> None:
        with pytest.raises(IntegrityError, match="form_published_has_version"), transaction.atomic():
            Form.objects.update(current=None)

    def test_a_version_exists_once(self) -> None:
        version = FormVersion.objects.get(form__slug="feedback")

        with pytest.raises(IntegrityError, match="form_version_once"), transaction.atomic():
            FormVersion.objects.create(form=version.form, number=version.number, definition={})

    def test_a_channel_carries_one_form(self) -> None:
        form = Form.objects.get(slug="feedback")

        with pytest.raises(IntegrityError), transaction.atomic():
            Form.objects.create(slug="second", channel=form.channel)


def test_only_an_empty_portal_is_furnished() -> None:
    surveys.furnish()
    assert Channel.objects.count() == 2

    Form.objects.all().update(state="closed")
    surveys.furnish()
    assert Form.objects.get().state == "closed"
