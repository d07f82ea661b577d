"""A form's whole life in a real browser: built with keys alone, translated, tried, published, answered, and changed."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role
from intake import normalizing, publishing, surveys
from intake.models import FeedbackItem, Form, Submission
from intake.questions import Definition, Option, Question
from intake.show_if import Condition, ShowIf
from tests.intake.test_builder import WHOLE
from tests.makers import make_person, make_team

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, FrameLocator, Locator, Page

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def enter(live_server: Any, transactional_db: None) -> "Callable[[BrowserContext], Page]":
    """Opens a page of this device as the administrator."""

    def sign_in(context: "BrowserContext") -> "Page":
        client = Client()
        client.force_login(make_person("Ada", make_team("quality"), role=Role.ADMIN))
        context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
        return context.new_page()

    return sign_in


def press(page: "Page", name: str, *, key: str = "Enter", role: Any = "button") -> None:
    """What a reader without a mouse does: go there, press it. Nothing may be out of their reach."""
    place = page.get_by_role(role, name=name).first
    place.focus()
    expect(place, f"{name} cannot be reached by keys").to_be_focused()
    page.keyboard.press(key)


def write(page: "Page", label: str, words: str) -> None:
    field = page.get_by_label(label, exact=True).locator("visible=true").first
    field.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type(words)


def choose(choice: "Locator", words: str) -> None:
    """By its first letters. A list begins anew when one is late, so a machine that is slow tries again."""
    for _ in range(10):
        choice.press_sequentially(words)
        if choice.locator(":checked").inner_text().startswith(words):
            return
        choice.page.wait_for_timeout(1100)
    raise AssertionError(f"{words} was never chosen.")


def preview(page: "Page") -> "FrameLocator":
    return page.frame_locator("#preview")


def test_a_form_is_built_with_keys_translated_tried_published_and_changed(
    new_context: "Callable[..., BrowserContext]", enter: "Callable[[BrowserContext], Page]"
) -> None:
    page = enter(new_context(width=1280))
    page.goto("/settings/forms/new/")
    write(page, "What you call it", "After a repair")
    write(page, "Address", "after-repair")
    page.get_by_role("radio", name="Recommendation").focus()
    page.keyboard.press("Space")
    press(page, "Make the form")
    page.get_by_text("Nobody sees it until you publish it.").first.wait_for()
    page.wait_for_load_state()

    # What is typed is seen at once, before it is saved.
    write(page, "Title", "After your repair")
    preview(page).get_by_role("heading", name="After your repair").wait_for()
    assert publishing.working(Form.objects.get(slug="after-repair")).title == "Would you recommend us?"

    choose(page.get_by_label("Add a question"), "One of several")
    press(page, "Add the question")
    # The new question is open, and the keys are in its first field.
    page.get_by_text("The question is added.").wait_for()
    expect(page.locator("[name='questions.2.label']")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("What went wrong?")
    write(page, "Answer 1", "It leaks")
    write(page, "Answer 2", "It is loud")
    for name, wanted in (("question", "How likely"), ("comparison", "is at most"), ("answer", "6")):
        choose(page.locator(f'#asked-single select[aria-label="Condition 1: {name}"]'), wanted)
    preview(page).get_by_text("Only if").first.wait_for(state="attached")
    press(page, "Up with question 3")
    page.locator("#asked-single").get_by_text("2. What went wrong?").wait_for()
    expect(page.locator("#up-single"), "the keys stay with the question that moved").to_be_focused()

    choose(page.get_by_label("Another language"), "Deutsch")
    page.get_by_role("button", name="Add the language").focus()
    page.keyboard.press("Enter")
    page.get_by_text("The language is added.").wait_for()
    expect(page.get_by_role("link", name="Deutsch")).to_have_attribute("aria-current", "page")
    write(page, "Title Deutsch", "Nach Ihrer Reparatur")
    preview(page).get_by_role("heading", name="Nach Ihrer Reparatur").wait_for()

    press(page, "Publish")
    page.get_by_text("Version 1 is published.").wait_for()

    visitor = new_context(locale="de-AT").new_page()
    visitor.goto("/f/after-repair/")
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Nach Ihrer Reparatur")
    expect(visitor.get_by_text("What went wrong?").first).to_be_hidden()
    visitor.locator("[name=rating][value='9']").check(force=True)
    assert not visitor.locator("[data-question=single]").is_visible()  # decided while the answer is given
    visitor.locator("[name=rating][value='3']").check(force=True)
    visitor.get_by_label("It leaks").check()
    visitor.get_by_label("What is the main reason?").fill("Der Tank")
    visitor.wait_for_timeout(2100)  # nobody reads a form and answers it in less
    visitor.get_by_role("button", name="Send").click()
    visitor.get_by_text("Danke. Es ist bei uns.").wait_for()

    press(page, "Remove question 2")
    page.get_by_text("The question is removed.").wait_for()
    press(page, "Publish")
    page.get_by_text("Version 2 is published.").wait_for()
    page.get_by_role("link", name="Versions").click()
    expect(page.get_by_text("“What went wrong?” is not asked any more.")).to_be_visible()

    assert normalizing.normalize_pending(at=timezone.now()).done == 1
    item = FeedbackItem.objects.get()
    assert (item.text, item.rating_value, item.context["single"]) == ("Der Tank", 3, "first")
    said = json.loads(bytes(Submission.objects.get().payload))
    assert (said["version"], [each["label"] for each in said["questions"]][1]) == (1, "What went wrong?")


def test_it_is_built_without_the_script(
    new_context: "Callable[..., BrowserContext]", enter: "Callable[[BrowserContext], Page]"
) -> None:
    page = enter(new_context(width=1280, java_script_enabled=False))
    page.goto("/settings/forms/feedback/")
    page.get_by_label("Title", exact=True).fill("Typed only")
    page.get_by_role("button", name="Show what is typed").click()
    preview(page).get_by_role("heading", name="Typed only").wait_for()
    assert Form.objects.get().draft is None

    page.get_by_label("Add a question").select_option("nps")
    page.get_by_role("button", name="Add the question").click()
    page.get_by_text("The question is added.").wait_for()
    expect(page.locator("#asked-nps details")).to_have_attribute("open", "")
    page.get_by_role("button", name="Up with question 7").click()
    page.get_by_text("6. How likely are you to recommend us?").wait_for()
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("Version 2 is published.").wait_for()
    page.goto("/f/feedback/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Typed only")


def test_without_the_script_every_question_says_when_it_is_meant(
    new_context: "Callable[..., BrowserContext]", db: None
) -> None:
    surveys.create_form("repair", name="Repair", definition=WHOLE)
    page = new_context(java_script_enabled=False).new_page()
    page.goto("/f/repair/")

    expect(page.get_by_label("What happened?")).to_be_visible()
    expect(page.get_by_text("Only if “How was it?” is at most “3” or “Why?” is “It leaks”.")).to_be_visible()


def test_what_is_wrong_takes_the_focus_and_leads_to_its_field(
    new_context: "Callable[..., BrowserContext]", enter: "Callable[[BrowserContext], Page]"
) -> None:
    page = enter(new_context(width=1280))
    page.goto("/settings/forms/feedback/?open=text")
    page.get_by_role("textbox", name="Question", exact=True).locator("visible=true").fill("")
    press(page, "Publish")
    page.get_by_role("heading", name="Nothing was saved yet").wait_for()
    expect(page.locator(".errors").first).to_be_focused()

    page.get_by_role("link", name="Question 2").click()
    expect(page.locator("[name='questions.1.label']")).to_be_focused()
    expect(page.get_by_text("Write what is asked.").last).to_be_visible()


def test_a_condition_offers_the_answers_of_its_question_alone(
    new_context: "Callable[..., BrowserContext]", enter: "Callable[[BrowserContext], Page]"
) -> None:
    surveys.publish(Form.objects.get(), WHOLE)
    page = enter(new_context(width=1280))
    page.goto("/settings/forms/feedback/?open=text")
    row = page.locator("#asked-text .rule-row").first
    row.locator("select").first.select_option("why")

    expect(row.locator("select").last).to_have_value("")
    assert [group.get_attribute("label") for group in row.locator("optgroup:not([disabled])").all()] == ["Why?"]


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (1280, "dark"), (390, "dark")])
def test_its_pages_are_accessible_and_fit(
    new_context: "Callable[..., BrowserContext]",
    enter: "Callable[[BrowserContext], Page]",
    assert_accessible: "Callable[[Page], None]",
    width: int,
    theme: Any,
) -> None:
    form = Form.objects.get()
    surveys.publish(form, WHOLE)
    page = enter(new_context(width=width, color_scheme=theme))

    for address in ("", "new/", "feedback/", "feedback/?beside=de&open=how", "feedback/?open=text", "feedback/?open=why", "feedback/sharing/", "feedback/versions/", "feedback/versions/1/"):  # fmt: skip
        page.goto(f"/settings/forms/{address}")
        assert_accessible(page)
    page.goto("/settings/forms/feedback/?open=text")
    page.locator('[name="questions.3.label"]').fill("")
    page.get_by_role("button", name="Save the draft").click()
    page.get_by_role("heading", name="Nothing was saved yet").wait_for()
    assert_accessible(page)


def test_the_page_hides_what_the_server_would_drop(new_context: "Callable[..., BrowserContext]", db: None) -> None:
    """Both sides decide alike, for every answer to a form in which each rule leans on the one before."""
    how = Question("how", "scale", "How?", scale="csat5")
    why = Question(
        "why",
        "choice",
        "Why?",
        multiple=True,
        options=(Option("leak"), Option("noise")),
        show_if=ShowIf((Condition("how", "at_most", "3"),)),
    )
    more = Question(
        "more",
        "text",
        "More?",
        place="text",
        show_if=ShowIf((Condition("why", "is_not", "leak"), Condition("how", "is", "1")), any=True),
    )
    last = Question(
        "last", "text", "Last?", show_if=ShowIf((Condition("more", "is_answered"), Condition("how", "at_least", "2")))
    )
    definition = Definition("T", (how, why, more, last))
    surveys.create_form("alike", name="Alike", definition=definition)
    page = new_context().new_page()
    page.goto("/f/alike/")

    wrong = []
    for rating in ("", "1", "2", "3", "4"):
        for reasons in ([], ["leak"], ["noise"], ["leak", "noise"]):
            for words in ("", " ", "x"):
                answers = {"how": [rating], "why": reasons, "more": [words]}
                seen = page.evaluate(
                    """({how, why, more}) => {
                        const form = document.getElementById("feedback");
                        for (const field of form.elements) {
                            if (field.name === "how") field.checked = how.includes(field.value);
                            if (field.name === "why") field.checked = why.includes(field.value);
                            if (field.name === "more") field.value = more[0];
                        }
                        form.elements.more.dispatchEvent(new Event("input", { bubbles: true }));
                        return [...form.querySelectorAll("[data-question]")].filter((place) => !place.hidden).map((place) => place.dataset.question);
                    }""",
                    answers,
                )
                decided = [question.name for question in definition.asked(answers)]
                if seen != decided:
                    wrong.append((answers, seen, decided))
    assert wrong == []
