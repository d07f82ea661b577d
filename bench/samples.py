"""What the portal makes of a folder of files as real systems produce them: every file, through the connector it belongs to.

    .venv/bin/python bench/samples.py [FOLDER] [--drafts]

It needs no running portal and writes nothing. It prints a table and ends with 1 where a file belongs to nothing, a connector broke, or
a reason is no whole sentence with something to do about it. With --drafts it prints what was read as well, to be looked at.
"""

import argparse
import fnmatch
import io
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")
os.environ.setdefault("PORTAL_DEBUG", "1")

if TYPE_CHECKING:
    from intake.connectors.base import BadRow, Connector, Draft, RawItem
    from intake.models import Channel

_QUOTED = re.compile(r'"[^"]*"')
# What a person can do something about says so; what is passed over for good reason needs nothing done.
_TO_DO = re.compile(
    r"\b(Send|Upload|Grant|Import|Write|Export|Correct|Use|Fetch|Say|Save|Quote|Map|Name|Ask|Choose|Have|Look|Split|Add|Check|Take)\b"
)
_IN_WORDS = re.compile(r"[\"A-Z0-9].*\.\Z", re.DOTALL)


@dataclass(frozen=True)
class Way:
    """How the files that fit `glob` come in: a connector with its settings, or why none reads them."""

    glob: str
    slug: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    # What the connector is given, out of the file's bytes.
    given: Callable[[Path], bytes] = Path.read_bytes
    # The kind of call it is the body of, where it is one that no file connector reads.
    call: str = ""
    reason: str = ""


@dataclass
class Outcome:
    read: int = 0
    created: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    broke: list[str] = field(default_factory=list)
    drafts: "list[Draft]" = field(default_factory=list)


def as_mail(path: Path) -> bytes:
    """The body of an answer, in the smallest mail that can hold it."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ana <ana@example.com>", "help@example.org", "Re: Your order"
    mail["Date"], mail["Message-ID"] = "Sat, 03 Oct 2026 08:01:44 +0000", f"<{path.stem}@example.com>"
    mail.set_content(
        path.read_bytes().decode("utf-8", "replace"), subtype="html" if path.suffix == ".html" else "plain"
    )
    return mail.as_bytes()


def as_winmail(path: Path) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["Message-ID"] = "Ana <ana@example.com>", f"<{path.stem}@example.com>"
    mail.set_content("")
    mail.add_attachment(path.read_bytes(), maintype="application", subtype="ms-tnef", filename="winmail.dat")
    return mail.as_bytes()


def with_details(path: Path) -> bytes:
    """A page of SurveyMonkey's responses with the details of their survey, which stand in another file."""
    documents = [path.with_name("api_v3_survey_details.json"), path]
    return json.dumps([json.loads(each.read_bytes()) for each in documents]).encode()


def as_form(path: Path) -> bytes:
    return urlencode(json.loads(path.read_bytes())).encode()


def of_snapshots(path: Path) -> bytes:
    """The posts that a test's snapshots hold under the names of its cases, as a page of the API has them."""
    pages = (
        part if isinstance(part, list) else part.get("posts", [part]) for part in json.loads(path.read_bytes()).values()
    )
    return json.dumps({"posts": [post for page in pages for post in page]}).encode()


FORM = "application/x-www-form-urlencoded"
# Stands where others have a connector: who the customers are is told by files of another kind.
CUSTOMERS_FILE = "customers"
CUSTOMERS = "Who the customers are, as an API tells it. Export it as a table, and import that at Customers."
WAYS = (
    Way("README.md", reason="It is documentation."),
    Way("*.expected.json", reason="It is what a test expects of the mail beside it."),
    Way("webhook_signatures/*", reason="Vectors of signatures hold no feedback; tests check them."),
    Way("amazon_reviews/*", "amazon_reviews"),
    Way("app_store/connect_*", "app_store_connect"),
    Way("app_store/*", "app_store"),
    Way("bluesky/appview_*", "bluesky", given=of_snapshots),
    Way("bluesky/*", "bluesky"),
    Way("chatwoot/*", "chatwoot"),
    Way("email/*.tnef", "email", given=as_winmail),
    Way("email/mailgun_*.json", "mailgun", given=as_form, call=FORM),
    Way("email/sendgrid_*.json", "sendgrid", given=as_form, call=FORM),
    Way("email/postmark_*.json", "postmark"),
    Way("email/*", "email"),
    Way("email_replies/*.eml", "email"),
    Way("email_replies/*", "email", given=as_mail),
    Way("facebook_instagram/*", "meta"),
    Way("focus_groups/*", "transcript"),
    Way("formbricks/*", "formbricks"),
    Way("freshdesk/companies.json", reason=CUSTOMERS),
    Way("freshdesk/contacts.json", reason=CUSTOMERS),
    Way("freshdesk/*", "freshdesk"),
    Way("g2/*", "g2"),
    Way("generic_csv/flying_etiquette*", "csv_file", {"preset": "questionnaire"}),
    Way("generic_csv/*", "csv_file"),
    Way("google_business/*", "google_business"),
    Way("google_forms/sheet_export_en_us.csv", "csv_file", {"day_first": "no"}),
    Way("google_forms/*.csv", "csv_file"),
    Way("google_forms/*.json", "google_forms"),
    Way("google_play/*.csv", "csv_file"),
    Way("google_play/*.json", "google_play_api"),
    Way("helpscout/*", "helpscout"),
    Way("hubspot/*ticket_data.csv", "csv_file"),
    Way("hubspot/table_ticket_*.csv", reason="It only says which ticket belongs to whom."),
    Way("hubspot/*.csv", CUSTOMERS_FILE),
    Way("hubspot/*.json", "hubspot"),
    Way("in_store/happyornot*", "happy_or_not"),
    Way("in_store/*", "in_store"),
    Way("intercom/*companies*", reason=CUSTOMERS),
    Way("intercom/*contacts*", reason=CUSTOMERS),
    Way("intercom/*.csv", "csv_file"),
    Way("intercom/*", "intercom"),
    Way("jira_service_management/*", "jira"),
    Way("limesurvey/*.csv", "csv_file"),
    Way("limesurvey/*.json", "limesurvey_remote"),
    Way("mastodon/*", "mastodon"),
    Way("qualtrics/event_*", reason="The form of an event only names a response and says none of it."),
    Way("qualtrics/*", "csv_file"),
    Way("reddit/*", "reddit"),
    Way("salesforce/*.csv", CUSTOMERS_FILE),
    Way("salesforce/*account*", reason=CUSTOMERS),
    Way("salesforce/*.xml", "salesforce", call="text/xml"),
    Way("salesforce/*", "salesforce"),
    Way("surveymonkey/api_v3_survey_details.json", reason="A survey's questions, which are read with its responses."),
    Way("surveymonkey/api_v3_responses*.json", "surveymonkey", given=with_details),
    Way("surveymonkey/*.json", "surveymonkey"),
    Way("surveymonkey/starwars*", "csv_file", {"encoding": "cp1252"}),
    Way("surveymonkey/*.csv", "csv_file"),
    Way("tally/*", "tally"),
    Way("trustpilot/*", "trustpilot"),
    Way("typeform/*.csv", "csv_file"),
    Way("typeform/*", "typeform"),
    Way("x_twitter/*", "x"),
    Way("youtube/*", "youtube"),
    Way("zendesk/table_organization_data.csv", CUSTOMERS_FILE),
    Way("zendesk/table_user_data.csv", CUSTOMERS_FILE),
    Way("zendesk/api_organizations.json", reason=CUSTOMERS),
    Way("zendesk/api_users.json", reason=CUSTOMERS),
    Way("zendesk/*.csv", "csv_file"),
    Way("zendesk/*", "zendesk"),
)


def main() -> None:
    given = arguments()
    with tempfile.TemporaryDirectory() as state:
        os.environ.setdefault("PORTAL_STATE_DIR", state)
        import django

        django.setup()
        sys.exit(told(given.folder, drafts=given.drafts))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT.parent / "shared" / "samples")
    parser.add_argument("--drafts", action="store_true", help="print every draft as well")
    return parser.parse_args()


def told(folder: Path, *, drafts: bool) -> int:
    """Print the table; 1 where something is wrong with it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        print(f"There are no files in {folder}. Name the folder that holds the samples.", file=sys.stderr)
        return 1
    wrong: list[str] = []
    all_of_them = Outcome()
    apart = 0
    print("| file | connector | read | created | skipped | failed |\n| --- | --- | ---: | ---: | --- | --- |")
    for path in files:
        name = path.relative_to(folder).as_posix()
        way = next((way for way in WAYS if fnmatch.fnmatch(name, way.glob)), None)
        if way is None:
            wrong.append(f"{name} belongs to nothing.")
            print(f"| {name} | ? | | | | |")
            continue
        if way.reason:
            apart += 1
            kind = "customers" if way.reason is CUSTOMERS else "not feedback"
            print(f"| {name} | {kind} | | | {way.reason} | |")
            continue
        found = outcome(way, path)
        print(
            f"| {name} | {way.slug} | {found.read} | {found.created} | {counted(found.skipped)} | {counted(found.failed)} |"
        )
        for draft in found.drafts if drafts else ():
            print(f"    {draft}")
        wrong += [f"{name}: {each}" for each in complaints(found)]
        all_of_them.read += found.read
        all_of_them.created += found.created
        all_of_them.skipped += found.skipped
        all_of_them.failed += found.failed
    skipped, failed = all_of_them.skipped.total(), all_of_them.failed.total()
    print(
        f"| **{len(files)} files**, {apart} of them not read | | {all_of_them.read} | {all_of_them.created} | {skipped} | {failed} |"
    )
    for each in wrong:
        print(each, file=sys.stderr)
    return 1 if wrong else 0


def outcome(way: Way, path: Path) -> Outcome:
    """What comes of one file; whatever it raises is part of it."""
    from intake.connectors import connectors
    from intake.connectors.base import BadRow, Ignored, Unreadable
    from intake.models import Channel

    found = Outcome()
    try:
        if way.slug == CUSTOMERS_FILE:
            take_customers(found, way, path)
            return found
        connector = connectors.get(way.slug)
        channel = Channel(kind=way.slug, settings=dict(way.settings))
        for row in rows(connector, way, path):
            found.read += 1
            if isinstance(row, BadRow):
                found.failed[general(row.reason)] += 1
            elif row.is_gone:
                found.skipped["It was deleted at its source."] += 1
            else:
                take(found, channel, row)
    except (Ignored, Unreadable) as reason:
        (found.skipped if isinstance(reason, Ignored) else found.failed)[general(str(reason))] += 1
    except Exception as error:  # that anything else comes up is what is looked for
        found.broke.append(f"{type(error).__name__}: {error}")
    return found


def take(found: Outcome, channel: "Channel", raw: "RawItem") -> None:
    from intake import normalizing
    from intake.connectors.base import Ignored, Unreadable

    try:
        draft = normalizing.read_raw(channel, raw)
    except Ignored as reason:
        found.skipped[general(str(reason))] += 1
    except Unreadable as reason:
        found.failed[general(str(reason))] += 1
    except Exception as error:  # likewise
        found.broke.append(f"{type(error).__name__}: {error}")
    else:
        found.created += 1
        found.left_out.update(general(remark.reason) for remark in draft.remarks)
        found.drafts.append(draft)


def take_customers(found: Outcome, way: Way, path: Path) -> None:
    from intake import relation_files

    with path.open("rb") as file, relation_files.opened(file, settings=way.settings) as sheet:
        sheet.check()
        for row in sheet.rows():
            found.read += 1
            if row.said is not None:
                found.created += 1
                found.left_out.update(general(reason) for _, reason in row.remarks)
            else:
                (found.failed if row.is_failure else found.skipped)[general(row.reason)] += 1


def rows(connector: "Connector", way: Way, path: Path) -> "Iterator[RawItem | BadRow]":
    """What the connector makes of the file: as a file where it reads such, else as the body of a call."""
    from intake.connectors.base import Call, FileConnector, PushConnector, Row

    content = way.given(path)
    if isinstance(connector, FileConnector) and not way.call:
        for row in connector.rows(io.BytesIO(content), settings=way.settings):
            yield row.raw if isinstance(row, Row) else row
    elif isinstance(connector, PushConnector):
        kind = way.call or "application/json"
        yield from connector.split(Call("POST", "", {"content-type": kind}, content), settings=way.settings)


def complaints(found: Outcome) -> Iterable[str]:
    yield from found.broke
    for reason in (*found.skipped, *found.failed, *found.left_out):
        if not _IN_WORDS.match(reason):
            yield f"This is no whole sentence: {reason}"
    # What was left out of an item that was read needs nothing done.
    for reason in found.failed:
        if not _TO_DO.search(reason):
            yield f"This does not say what to do: {reason}"


def general(reason: str) -> str:
    """The reason without what is quoted, so that like is counted with like."""
    return _QUOTED.sub('"…"', " ".join(reason.split()))


def counted(reasons: Counter[str]) -> str:
    return " ".join(f"{count} x {reason}".replace("|", "\\|") for reason, count in reasons.most_common())


if __name__ == "__main__":
    main()
