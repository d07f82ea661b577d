"""Expressions that people write, on RE2 and within bounds: whatever text they meet, none can hang or fill the memory."""

from typing import Any, Final

import re2
from django.utils.translation import gettext

from triage.words import LONGEST_TEXT

MEMORY: Final = 1 << 20
LARGEST_PROGRAM: Final = 2_000
WORK: Final = 6_000_000
"""Program size times characters that one expression may cost: about 50 ms where RE2 falls back to its slow machine."""


class BadExpression(ValueError):
    """The expression cannot be used; the message is a sentence for its writer."""


def compiled(expression: str, *, finds: bool = False) -> tuple[Any, int]:
    """The expression, without regard to case, and how many characters of a text it may look at. It tells only whether it
    matches, unless it `finds`: then it prefers the longest match and keeps its groups."""
    options = re2.Options()
    options.max_mem = MEMORY
    options.case_sensitive = False
    options.never_capture = not finds
    options.longest_match = finds
    options.log_errors = False
    try:
        program = re2.compile(expression, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise BadExpression(
            gettext(
                "The pattern cannot be used (%(reason)s). Leave out look-around, back-references and large repetitions."
            )
            % {"reason": reason}
        ) from None
    if program.programsize > LARGEST_PROGRAM:
        raise BadExpression(gettext("The pattern is too large. Repeat less in it, or split it into several."))
    return program, min(LONGEST_TEXT, WORK // program.programsize)
