"""Whole exports are known by their header: each is read for what it says, and what is no answer is passed over with a reason."""

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from intake.connectors import presets, tables
from intake.connectors.base import BadRow, Draft, Ignored, RawItem, Unreadable
from intake.connectors.columns import FIELDS
from intake.connectors.csv_file import CsvFile
from intake.connectors.json_file import JsonFile
from intake.connectors.presets import plain
from intake.connectors.presets.support import salesforce_id

table = CsvFile()


@dataclass
class Export:
    """What a file comes to: its preset, its drafts by id, and the reasons of the rows that are none."""

    preset: str
    drafts: dict[str, Draft]
    reasons: list[str]
    raws: list[RawItem]

    @property
    def only(self) -> Draft:
        (draft,) = self.drafts.values()
        return draft


def read(content: str | bytes, **settings: Any) -> Export:
    written = content.encode() if isinstance(content, str) else content
    with tables.opened(io.BytesIO(written), settings=settings) as opened:
        found = Export(opened.origin.preset.slug, {}, [], [])
    for row in table.rows(io.BytesIO(written), settings=settings):
        if isinstance(row, BadRow):
            found.reasons.append(row.reason)
            continue
        found.raws.append(row.raw)
        try:
            found.drafts[row.raw.external_id] = table.parse(row.raw, settings=settings)
        except (Ignored, Unreadable) as reason:
            found.reasons.append(str(reason))
    return found


def rating(draft: Draft) -> tuple[str, float] | None:
    return draft.rating and (draft.rating.scale, float(draft.rating.value))


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


QUALTRICS = (
    'StartDate,Status,IPAddress,Finished,RecordedDate,ResponseId,RecipientFirstName,RecipientLastName,UserLanguage,Q1_NPS_GROUP,Q1,Q2,Q3,Q3 - Sentiment,Tier\n'
    'Beginn,Art,IP,Fertig,Erfasst,Nummer,Vorname,Nachname,Sprache,"Würden Sie uns\nempfehlen? - Gruppe","Würden Sie uns\nempfehlen?",Wo?,Warum?,Warum? - Sentiment,Tier\n'
    + ",".join(
        '"{""ImportId"":""' + name + '""' + (',""timeZone"":""America/Denver""' if name.endswith("Date") else "") + '}"'
        for name in ("startDate", "status", "ipAddress", "finished", "recordedDate", "_recordId", "recipientFirstName", "recipientLastName",
                     "userLanguage", "QID1_NPS_GROUP", "QID1", "QID2", "QID3_TEXT", "QID3_TEXT_sentiment", "Tier")
    )
    + "\n"
    "2026-01-02 09:00:00,IP Address,192.0.2.7,True,2026-01-02 10:00:00,R_1,Ana,Silva,DE,Detractor,4,Kiel,Zu laut,Negative,Gold\n"
    "2026-01-02 09:00:00,Survey Preview,,True,2026-01-02 10:00:00,R_2,,,DE,,9,,Probe,,\n"
    "2026-01-02 09:00:00,Spam,,True,2026-01-02 10:00:00,R_3,,,DE,,9,,Kauf,,\n"
    "2026-01-02 09:00:00,IP Address,,False,2026-01-02 10:00:00,R_4,,,DE,,9,,Halb,,\n"
    "2026-01-02 09:00:00,0,,1,2026-01-02 10:00:00,R_5,,,DE,,-99,,Gut,,\n"
)  # fmt: skip


@pytest.mark.parametrize("written", ["utf-8", "utf-8-sig", "utf-16"], ids=str)
def test_qualtrics_is_read_by_its_ids_in_any_language(written: str) -> None:
    content = QUALTRICS.replace(",", "\t") if written == "utf-16" else QUALTRICS
    if written == "utf-16":
        content = content.replace('""\t""timeZone', '"",""timeZone')
    found = read(content.encode(written))

    assert found.preset == "qualtrics"
    first = found.drafts["R_1"]
    assert first.text == "Zu laut"
    assert rating(first) == ("nps", 4)
    assert first.sender.name == "Ana Silva"
    assert first.language == "DE"
    assert first.submitted_at == at(2026, 1, 2, 17)  # Denver
    assert first.context["Wo?"] == "Kiel"
    assert first.context["Tier"] == "Gold"
    assert "192.0.2.7" not in first.context.values()
    assert list(found.drafts) == ["R_1", "R_5"]
    assert rating(found.drafts["R_5"]) is None
    assert [reason.split()[2] for reason in found.reasons] == ["a", "it", "not"]


def test_qualtrics_of_old() -> None:
    found = read(
        b"\xef\xbb\xbfV1,V7,V9,V10,Q1,\nResponseID,Status,EndDate,Finished,What happened?,\n"
        b"R_1,0,2017-07-18 08:28:48,1,It leaks,\nR_2,1,2017-07-18 08:28:48,1,A preview,\n"
    )

    assert found.preset == "qualtrics_legacy"
    assert found.drafts["R_1"].text == "It leaks"
    assert found.drafts["R_1"].submitted_at == at(2017, 7, 18, 8, 28, 48)
    assert found.reasons == ["It is a preview of the survey, not a customer's answer."]


class TestSurveyMonkey:
    CONDENSED = (
        "Respondent ID,Collector ID,Start Date,End Date,IP Address,Email Address,First Name,Last Name,How did it go?,Which shops?,,What would you change?\n"
        ",,,,,,,,Response,Kiel,Other (please specify),Open-Ended Response\n"
        "11,7,04/09/2026 04:47:21 AM,04/09/2026 04:49:59 AM,192.0.2.7,ana@example.com,Ana,Silva,Fine,Kiel,the stall,The queue\n"
        "12,7,04/09/2026 04:47:21 AM,04/09/2026 04:49:59 PM,,,,,Fine,Kiel,,\n"
    )

    def test_open_answers_are_the_text_and_ticks_are_beside_it(self) -> None:
        found = read(self.CONDENSED)
        draft = found.drafts["11"]

        assert found.preset == "surveymonkey"
        assert draft.text == "Which shops?\nthe stall\n\nWhat would you change?\nThe queue"
        assert draft.context["How did it go?"] == "Fine"
        assert draft.context["Which shops? \N{EN DASH} Kiel"] == "Kiel"
        assert "192.0.2.7" not in draft.context.values()
        assert (draft.sender.name, draft.sender.email) == ("Ana Silva", "ana@example.com")
        assert draft.submitted_at == at(2026, 4, 9, 4, 49, 59)
        assert found.drafts["12"].submitted_at == at(2026, 4, 9, 16, 49, 59)

    def test_who_only_ticked_said_that(self) -> None:
        assert read(self.CONDENSED).drafts["12"].text == "How did it go?: Fine\nWhich shops?: Kiel"

    def test_several_ticks_of_a_question_are_one_line_of_it(self) -> None:
        found = read(
            "Respondent ID,Which  shops?,,,Why?\n,Kiel,Late  shop,3,Open-Ended Response\n"
            "11,Kiel,Late  shop,3,\n12,,,,\n13,Kiel,,,It helps\n"
        )

        assert found.drafts["11"].text == "Which shops?: Kiel, Late shop, 3"
        assert found.drafts["12"].text == ""  # nobody answered, so it stays none
        assert found.drafts["13"].text == "It helps"

    def test_ticks_stay_beside_answers_where_no_question_is_open(self) -> None:
        draft = read(
            "Respondent ID,Do you like it?,Which shops?,\n,Response,Kiel,Late  shop\n11,Yes,,Late  shop\n"
        ).only

        assert draft.text == "Yes"
        assert draft.context == {"Which shops? \N{EN DASH} Late shop": "Late  shop"}

    def test_a_rating_spread_over_five_columns_is_one(self) -> None:
        found = read(
            "Respondent ID,How content are you?,,,,,Why?\n, - 1, - 2, - 3, - 4, - 5,Open-Ended Response\n"
            "11,,,,4,,It helps\n12,1,,,,,\n13,,,,,,Hm\n"
        )

        assert [rating(draft) for draft in found.drafts.values()] == [("csat5", 4), ("csat5", 1), None]
        assert found.drafts["11"].text == "It helps"

    def test_an_anonymous_one_has_no_numbers(self) -> None:
        found = read("Do you <br>like it?,Why?\nResponse,Open-Ended Response\nYes,It helps\n")

        assert found.preset == "surveymonkey"
        assert found.only.text == "It helps"
        assert found.only.context == {"Do you like it?": "Yes"}

    def test_a_table_that_begins_alike_is_none(self) -> None:
        assert read("RespondentID,comment\n11,It leaks\n").preset == "table"


class TestGoogleForms:
    def test_the_download_names_its_zone(self) -> None:
        found = read(
            '"Timestamp","Score","How likely are you to recommend us?","Why?"\n'
            '"2026/10/03 9:04:07 AM GMT+2","8 / 10","9","Fast."\n"2026/10/03 9:20:41 PM GMT-3:30","","3","Slow"\n'
        )
        first, second = found.drafts.values()

        assert found.preset == "google_forms"
        assert (first.text, rating(first), first.submitted_at) == ("Fast.", ("nps", 9), at(2026, 10, 3, 7, 4, 7))
        assert second.submitted_at == at(2026, 10, 4, 0, 50, 41)

    @pytest.mark.parametrize(
        ("heading", "time", "moment"),
        [
            ("Timestamp", "10/31/2026 21:15:00", at(2026, 10, 31, 20, 15)),
            ("Zeitstempel", "31.10.2026 21:15:00", at(2026, 10, 31, 20, 15)),
        ],
    )
    def test_a_sheet_is_in_its_own_language_and_zone(self, heading: str, time: str, moment: datetime) -> None:
        content = (
            f"{heading},Wie zufrieden sind Sie?,Was fehlt? ,Was fehlt? \n{time},4,Licht,Luft\n{time},4,Licht,Luft\n"
        )
        found = read(content, time_zone="Europe/Berlin")

        assert found.preset == "google_forms"
        assert len(found.drafts) == 2  # two people can say the same
        first = next(iter(found.drafts.values()))
        assert (first.text, rating(first)) == ("Was fehlt?\nLicht\n\nWas fehlt? (2)\nLuft", ("csat5", 4))
        assert first.submitted_at == moment

    def test_a_table_that_begins_with_a_time_is_none(self) -> None:
        assert read("Timestamp,Comment\n2026-01-02,It leaks\n").preset == "table"

    def test_satisfaction_in_words_is_an_answer_and_no_mistake(self) -> None:
        draft = read("Timestamp,How satisfied are you?,Why?\n2026-01-02 10:00:00,Very,It helps\n").only

        assert draft.rating is None
        assert draft.remarks == ()
        assert draft.context == {"How satisfied are you?": "Very"}


class TestLimeSurvey:
    def test_codes(self) -> None:
        found = read(
            '"id";"submitdate";"lastpage";"startlanguage";"datestamp";"ipaddr";"NPS";"WHY";"WHY[other]";"CONTACT"\n'
            '"17";"2026-10-03 10:01:44";"3";"en";"2026-10-03 10:01:44";"192.0.2.7";"4";"A3";"It stood in the rain";"sam@example.com"\n'
            '"18";"";"1";"de";"2026-10-03 11:00:20";"";"9";"";"";""\n'
            '"19";"1980-01-01 00:00:00";"3";"en";"";"";"10";"";"";""\n',
            time_zone="Europe/Berlin",
        )

        assert found.preset == "limesurvey"
        assert found.drafts["17"].text == "It stood in the rain"
        assert found.drafts["17"].context["WHY"] == "A3"
        assert found.drafts["17"].sender.email == "sam@example.com"
        assert found.drafts["17"].submitted_at == at(2026, 10, 3, 8, 1, 44)
        assert rating(found.drafts["19"]) == ("nps", 10)
        assert found.drafts["19"].submitted_at is None
        assert found.reasons == ["It was not finished by whoever answered, so it is no answer yet."]

    def test_vv(self) -> None:
        found = read(
            "Response ID\tDate submitted\tLast page\tStart language\tWhat went wrong?\tNPS\n"
            "id\tsubmitdate\tlastpage\tstartlanguage\tWHY\tNPS\n"
            '17\t2026-10-03 10:01:44\t3\ten\tIt said {quote}no{quote}{newline}and "that{tab}was it\t4\n'
            "18\t{question_not_shown}\t3\ten\thalf\t{question_not_shown}\n"
        )

        assert found.preset == "limesurvey_vv"
        assert found.drafts["17"].text == 'It said "no"\nand "that\twas it'
        assert rating(found.drafts["17"]) == ("nps", 4)
        assert len(found.reasons) == 1


def test_typeform_has_a_column_a_choice() -> None:
    found = read(
        "#,What is missing?,Light,Air,Other,Light,Other,How many lamps?,Start Date (UTC),Submit Date (UTC),Network ID\n"
        "a1b2,A window,Light,,a door,Light,,3,2026-03-29 21:21:23,2026-03-29 21:23:43,c0ffee\n"
    )
    draft = found.drafts["a1b2"]

    assert found.preset == "typeform"
    assert draft.text == "What is missing?\nA window\n\nOther\na door"
    assert draft.context["Light (2)"] == "Light"
    assert draft.context["How many lamps?"] == "3"
    assert "c0ffee" not in draft.context.values()
    assert draft.submitted_at == at(2026, 3, 29, 21, 23, 43)


def test_a_questionnaire_is_read_when_a_person_says_it_is_one() -> None:
    content = "Respondent ID,How often?,Is it rude to recline?\n11,Once a year,Not at all\n12,2,\n"
    found = read(content, preset="questionnaire")

    assert found.drafts["11"].text == "How often?\nOnce a year\n\nIs it rude to recline?\nNot at all"
    assert found.drafts["12"].text == "How often?: 2"


def test_answers_of_one_response_that_take_a_row_each_are_each_an_item() -> None:
    found = read(
        "response_id,question_id,question_option_key,sub_question_key,loop_id,question,text,value\n"
        "R_1,QID1,,,,Drink,Tea,2\nR_1,QID2,4,,,Food,Soup,1\n"
    )

    assert list(found.drafts) == ["R_1:QID1", "R_1:QID2::4"]
    assert [(draft.title, draft.text, draft.thread) for draft in found.drafts.values()] == [
        ("Drink", "Tea", "R_1"),
        ("Food", "Soup", "R_1"),
    ]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("key,question_id,survey_id,recode_value,text", "This file holds the questions of a survey, and none of the answers."),
        ("id,survey_id,question_text,question_type,selector", "This file holds the questions of a survey, and none of the answers."),
        ("id,survey_id,recorded_date,distribution_channel,progress,status", "This file says when a survey was answered, and nothing of the answers."),
    ],
)  # fmt: skip
def test_what_stands_around_answers_is_none(header: str, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        read(f"{header}\n{','.join('x' for _ in header.split(','))}\n")


def test_intercom_is_read_without_what_agents_wrote() -> None:
    conversations = read(
        "id,updated_at,conversation_rating_remark,conversation_rating_value,created_at,source_author_id,source_author_type,source_body,source_subject\n"
        "1,2026-01-03 10:00:00,Too slow,2,2026-01-02 10:00:00,c1,user,<p>It leaks</p>,Lid\n"
        "2,2026-01-03 10:00:00,,,2026-01-02 10:00:00,9,admin,<p>Try our new lid</p>,\n"
    )
    parts = read(
        "id,updated_at,author_id,author_type,conversation_id,created_at,part_type,body\n"
        "1,2026-01-03 10:00:00,c1,user,7,2026-01-02 10:00:00,comment,<p>It still <b>leaks</b></p>\n"
        "2,2026-01-03 10:00:00,9,admin,7,2026-01-02 10:00:00,comment,Sorry\n"
    )

    assert (conversations.preset, parts.preset) == ("intercom", "intercom_parts")
    assert (conversations.only.title, rating(conversations.only)) == ("Lid", ("csat5", 2))
    assert conversations.only.text.split("\n")[-1] == "Too slow"
    assert (parts.only.text, parts.only.thread) == ("It still leaks", "7")
    assert conversations.reasons == ["It was begun by us, not by the customer."]
    assert parts.reasons == ["It is an agent's answer, or a change that nobody put in words."]


class TestGooglePlay:
    HEADER = (
        "Package Name,App Version Code,App Version Name,Reviewer Language,Device,Review Submit Date and Time,Review Submit Millis Since Epoch,"
        "Review Last Update Date and Time,Review Last Update Millis Since Epoch,Star Rating,Review Title,Review Text,Developer Reply Date and Time,"
        "Developer Reply Millis Since Epoch,Developer Reply Text,Review Link\n"
    )
    LINK = "https://play.google.com/apps/publish?account=1#ReviewDetailsPlace:p=com.example.shop&reviewid=gp:AO"
    STARS = "com.example.shop,,,de,,2026-10-02T11:00:00Z,1790938800000,2026-10-02T11:00:00Z,1790938800000,{},,,,,,\n"

    def test_reviews_are_known_by_their_link_and_by_their_last_change(self) -> None:
        row = f'com.example.shop,42,4.2.0,pt,oriole,2026-10-01T19:04:33Z,1790881473276,2026-10-03T00:03:44Z,1790985824578,2,Lento,"Ficou\nlento",2026-10-04T00:00:00Z,1,Sorry,{self.LINK}\n'
        found = read((self.HEADER + row).encode("utf-16"))
        (raw,) = found.raws
        draft = found.drafts["gp:AO"]

        assert found.preset == "google_play"
        assert raw.updated_at == at(2026, 10, 3, 0, 3, 44)
        assert (draft.title, draft.text, rating(draft)) == ("Lento", "Ficou\nlento", ("stars5", 2))
        assert (draft.product, draft.product_version, draft.language) == ("com.example.shop", "4.2.0", "pt")
        assert draft.submitted_at == at(2026, 10, 1, 19, 4, 33)
        assert draft.context["Developer Reply Text"] == "Sorry"

    def test_stars_alone_are_a_rating_and_stay_the_same_when_they_change(self) -> None:
        before, after = (read(self.HEADER + self.STARS.format(stars)) for stars in (5, 3))

        assert list(before.drafts) == list(after.drafts)
        assert (before.only.text, rating(before.only)) == ("", ("stars5", 5))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Good", ("csat5", 5)), ("bad", ("csat5", 1)), ("Bad with comment", ("csat5", 1)), ("Offered", None), ("Unoffered", None), ("", None),
    ],
)  # fmt: skip
def test_zendesk_says_good_or_bad(words: str, expected: Any) -> None:
    found = read(
        "Summation column,Id,Subject,Requester,Requester email,Organization,Satisfaction Score,Created at,Updated at,Tags\n"
        f"1,77,It leaks,Ana Silva,ana@example.com,ACME,{words},2026-03-01 09:14,2026-03-02 10:00,lid\n"
    )
    draft = found.drafts["77"]

    assert found.preset == "zendesk"
    assert rating(draft) == expected
    assert draft.remarks == ()
    assert draft.context.get("rating as sent", "") == (words if expected else "")
    assert (draft.title, draft.sender.email, draft.sender.account_name) == ("It leaks", "ana@example.com", "ACME")
    assert found.raws[0].updated_at == at(2026, 3, 2, 10)


def test_zendesk_s_notes_and_deleted_tickets_are_passed_over() -> None:
    comments = read(
        "id,body,created,public,ticket_id,user_id\n1,It leaks,2026-01-02 10:00:00,TRUE,9,77\n2,Rude one,2026-01-02 10:00:00,FALSE,9,1\n"
    )
    tickets = read(
        "id,subject,description,requester_id,status,via_channel\n1,Lid,It leaks,77,solved,web\n2,SCRUBBED,SCRUBBED,77,deleted,web\n"
    )

    assert (comments.preset, tickets.preset) == ("zendesk_comments", "zendesk")
    assert (comments.only.text, comments.only.thread) == ("It leaks", "9")
    assert comments.reasons == ["It is an internal note, not a customer's words."]
    assert tickets.only.text == "It leaks"
    assert tickets.reasons == ["It was deleted at the source."]


@pytest.mark.parametrize(
    ("words", "steps"), [("Extremely Happy", 5), ("Happy", 4), ("Neutral", 3), ("Unhappy", 2), ("Extremely Unhappy", 1), ("-102", 1), ("102", 5), ("100", 3)]
)  # fmt: skip
def test_freshdesk_s_seven_steps_are_five(words: str, steps: int) -> None:
    draft = read(
        "Ticket ID,Subject,Status,Priority,Source,Created time,Last update time,Survey results,Full name,Email\n"
        f"5,It leaks,Open,Low,Portal,2026-03-01 09:14:00,2026-03-01 10:00:00,{words},Ana Silva,ana@example.com\n"
    ).drafts["5"]

    assert rating(draft) == ("csat5", steps)
    assert draft.context["rating as sent"] == words


def test_trustpilot() -> None:
    found = read(
        "Review ID,Review created (UTC),Consumer name,Review Stars,Review Title,Review Content,Review language,Reference Number\n"
        "64ab,2026-03-01 09:14:00,Ana S.,1,Broken,It leaks,de,O-77\n"
    )
    draft = found.drafts["64ab"]

    assert found.preset == "trustpilot"
    assert (draft.title, draft.text, rating(draft), draft.author) == ("Broken", "It leaks", ("stars5", 1), "Ana S.")
    assert (draft.sender.external_id, draft.language, draft.submitted_at) == ("O-77", "de", at(2026, 3, 1, 9, 14))


class TestAmazon:
    def test_a_lone_quote_in_a_tsv_is_text(self) -> None:
        found = read(
            "marketplace\tcustomer_id\treview_id\tproduct_id\tproduct_parent\tproduct_title\tstar_rating\treview_headline\treview_body\treview_date\n"
            'US\t1\tR1\tB1\t9\tLid\t2\t"Too small\tA 5" lid<br />and a "crack\t2015-08-31\n'
            "US\t2\tR2\tB1\t9\tLid\t5\tFine\tIt fits\t2015-08-31\n"
        )

        assert found.preset == "amazon_2015"
        assert (found.drafts["R1"].title, found.drafts["R1"].text) == ('"Too small', 'A 5" lid\nand a "crack')
        assert found.drafts["R2"].submitted_at == at(2015, 8, 31)

    @pytest.mark.parametrize(
        ("line", "key", "said"),
        [
            (
                '{"rating": 1.0, "title": "Broken", "text": "Box open.<br />Two <b>cracks</b>.", "asin": "B1", "parent_asin": "B0", "user_id": "AE", "timestamp": 1632528396000, "images": []}',
                "AE:B1:1632528396000",
                ("Box open.\nTwo cracks.", "B0", ("stars5", 1)),
            ),
            (
                '{"reviewerID": "A1", "asin": "B1", "overall": 4.0, "summary": "Fine", "reviewText": "It fits", "unixReviewTime": 1252800000}',
                "A1:B1:1252800000",
                ("It fits", "B1", ("stars5", 4)),
            ),
        ],
        ids=["2023", "2014"],
    )
    def test_objects_of_two_ages(self, line: str, key: str, said: Any) -> None:
        (row,) = JsonFile().rows(io.BytesIO(line.encode()), settings={})
        assert not isinstance(row, BadRow)
        draft = JsonFile().parse(row.raw, settings={})

        assert row.raw.external_id == key
        assert (draft.text, draft.product, rating(draft)) == said


def test_g2_puts_each_answer_under_its_question() -> None:
    draft = read(
        "Review ID,Title,Star Rating,What do you like best?,What do you dislike?,Submitted at\n9,Solid,4.5,The search,The price,2026-03-01\n"
    ).drafts["9"]

    assert draft.text == "What do you like best?\nThe search\n\nWhat do you dislike?\nThe price"
    assert rating(draft) == ("stars5", 4.5)


class TestSalesforce:
    def test_a_report_has_a_foot_and_is_no_utf_8(self) -> None:
        found = read(
            '"Case Number","Subject","Description","Account Name","Date/Time Opened"\n'
            '"00001001","Lid","Größe passt nicht","Müller GmbH","31/3/2026 18:00"\n'
            '"00001002","Lid","It leaks\r\nbadly","Späti","3/4/2026 18:00"\n'
            '"Grand Totals (2 records)"\n\n"Confidential Information - Do Not Distribute"\n'.encode("latin-1")
        )

        assert found.preset == "salesforce_cases"
        assert list(found.drafts) == ["00001001", "00001002"]
        assert found.drafts["00001001"].sender.account_name == "Müller GmbH"
        assert found.drafts["00001002"].submitted_at == at(2026, 4, 3, 18)
        assert found.reasons == ["It is the foot of the report, not a row of it."] * 2

    def test_the_loader_writes_capitals_and_short_ids(self) -> None:
        found = read(
            '"ID","CASENUMBER","SUBJECT","DESCRIPTION","SUPPLIEDEMAIL","CREATEDDATE","SYSTEMMODSTAMP","ISDELETED"\n'
            '"500dM00003jU9Gx","1001","Lid","It leaks","ana@example.com","2026-10-03T08:01:44.000+0000","2026-10-04T08:01:44.000Z","false"\n'
            '"500dM00003jU9Gy","1002","Lid","Gone","","2026-10-03T08:01:44.000Z","2026-10-04T08:01:44.000Z","true"\n'
        )

        (key,) = found.drafts
        assert key == salesforce_id("500dM00003jU9Gx")
        assert found.only.submitted_at == at(2026, 10, 3, 8, 1, 44)
        assert found.raws[0].updated_at == at(2026, 10, 4, 8, 1, 44)
        assert found.reasons == ["It was deleted at the source."]

    def test_ids_do_not_depend_on_case(self) -> None:
        assert salesforce_id("001dM00003jU9Gx") == "001dM00003jU9GxQAK"
        assert salesforce_id("001dM00003jU9GxQAK") == "001dM00003jU9GxQAK"
        assert salesforce_id("C-1") == "C-1"


class TestHubspot:
    def test_tickets(self) -> None:
        found = read(
            "Ticket ID,Ticket name,Ticket description,Create date,Last modified date\n7,Lid,It leaks,2026-03-01 09:14,2026-03-02 10:00\n"
        )

        assert (found.preset, found.drafts["7"].title, found.drafts["7"].text) == ("hubspot_tickets", "Lid", "It leaks")
        assert found.raws[0].updated_at == at(2026, 3, 2, 10)

    @pytest.mark.parametrize(
        ("kind", "value", "expected"),
        [("NPS", "9", ("nps", 9)), ("CSAT", "4", ("csat5", 4)), ("CES", "6", ("ces7", 6))],
    )
    def test_the_type_of_the_survey_is_its_scale(self, kind: str, value: str, expected: Any) -> None:
        found = read(f"Record ID,Survey name,Survey type,Rating,Feedback\n7,After repair,{kind},{value},It helps\n")

        assert found.preset == "hubspot_feedback"
        assert rating(found.drafts["7"]) == expected


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (
            "Record ID,Company name,Company Domain Name,Annual Revenue,Description",
            "This file holds companies. Import it at Customers.",
        ),
        ("ID,NAME,TYPE,INDUSTRY,ANNUALREVENUE,RATING", "This file holds companies. Import it at Customers."),
        ("Record ID,First Name,Last Name,Email,Lead Status", "This file holds contacts. Import it at Customers."),
    ],
)
def test_who_the_customers_are_is_told_elsewhere(header: str, says: str) -> None:
    row = ",".join("x" for _ in header.split(","))
    with pytest.raises(Unreadable) as refused:
        read(f"{header}\n{row}\n")
    assert str(refused.value) == says


def test_customers_who_say_something_are_feedback() -> None:
    row = "7,Ana,Silva,ana@example.com,It leaks\n"

    assert read(f"Record ID,First Name,Last Name,Email,Comment\n{row}").only.text == "It leaks"
    said = read(f"Record ID,First Name,Last Name,Email,Note\n{row}", columns={"Note": "text"})
    assert said.only.text == "It leaks"


def test_an_export_that_does_not_show_what_it_is_can_be_named() -> None:
    content = "Moment,What is missing?\n2026-01-02 10:00,A window\n"

    with pytest.raises(Unreadable, match="None of the columns"):
        read(content)
    assert read(content, preset="google_forms").only.text.endswith("A window")


@pytest.mark.parametrize("preset", presets.known().values(), ids=lambda preset: preset.slug)
def test_every_preset_is_well_formed(preset: presets.Preset) -> None:
    assert preset.fields.keys() <= FIELDS.keys()
    names = [name for held in preset.fields.values() for name in held]
    assert len(names) == len(set(names)), "a column holds one thing"
    told = [*names, *preset.dropped, *(name for signature in preset.signatures for name in signature)]
    assert all(name == plain(name) for name in told)
    assert all(skip.reason.endswith(".") for skip in preset.skips)
    assert (preset.refusal or preset.notes).endswith(".")
    assert (preset.header_rows == 1) == (preset.headed is None)
    assert preset.header_rows <= presets.MOST_HEADER_ROWS
