"""Which words a form needs; what stands in braces is filled in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    # The frame of the page.
    skip: str
    page: str
    language: str
    give_feedback: str
    # Questions.
    optional: str
    faces: tuple[str, str, str, str, str]
    name: str
    email: str
    phone: str
    file_limit: str  # {count} {size}
    photos: str
    # Why a question may not be meant: {question} {value}
    only_if: str  # {conditions}
    joined_by_and: str
    joined_by_or: str
    when_is: str
    when_is_not: str
    when_at_most: str
    when_at_least: str
    when_answered: str
    # Going through it and sending it.
    step: str  # {at} {all}
    back: str
    next: str
    send: str
    kept_until_sent: str
    privacy: str
    # What is wrong.
    one_error: str
    more_errors: str  # {count}
    nothing_sent: str
    write: str
    choose: str
    choose_shown: str
    whole_address: str
    needs_address: str
    agree: str
    choose_file: str
    at_most_files: str  # {count}
    files_again: str
    say_something: str
    too_late: str
    # Without a network.
    saved: str
    saved_more: str
    write_else: str
    arrived: str
    open_link: str
    returned: str  # {reason}
    too_much: str
    # After sending.
    thanks: str
    read_by: str  # {day}
    day: str  # as Django writes dates
    link: str
    link_is_for: str
    mailed: str
    keep_it: str
    reference: str
    open_page: str
    copy_link: str
    copied: str
    next_steps: str
    steps: tuple[tuple[str, str], tuple[str, str], tuple[str, str]]
    send_else: str
    # For a device that has to show that it is no program.
    proving: str
    proved: str
    unproved: str
