"""Personal data in free text: found by shape, believed by checksum, and masked so that the sentence still reads.

Names and postal addresses are not found: no checksum tells them, and a guess would hide what matters. Candidates are found in
linear time by RE2; numbers are then checked by libraries that know them, so that an order number stays an order number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import phonenumbers
import re2
from stdnum import get_cc_module, iban, luhn

LONGEST_SEARCHED = 100_000


@dataclass(frozen=True)
class Found:
    """A stretch of the text, and what it is."""

    kind: str
    start: int
    end: int


def find(text: str, *, region: str = "") -> list[Found]:
    """Everything found, in order and without overlaps. `region` is the country (two letters) whose national telephone numbers
    are believed without their country code."""
    text = text[:LONGEST_SEARCHED]
    found: list[Found] = []
    kinds = (_ADDRESS if "@" in text else ()) + (_NUMBERS if _NUMBER.search(text) else ())
    for kind, pattern, is_real in kinds:
        for match in pattern.finditer(text):
            start, end = match.span(1)
            if not _overlaps(found, start, end) and is_real(text[start:end], region):
                found.append(Found(kind, start, end))
    return sorted(found, key=lambda each: each.start)


def mask(text: str, *, region: str = "") -> tuple[str, frozenset[str]]:
    """The text with its personal data replaced by what it was, as in [telephone number], and the kinds that were there."""
    found = find(text, region=region)
    for each in reversed(found):
        text = f"{text[: each.start]}[{WORDS[each.kind]}]{text[each.end :]}"
    return text, frozenset(each.kind for each in found)


WORDS: Mapping[str, str] = {
    "email": "e-mail address",
    "iban": "bank account",
    "card": "card number",
    "phone": "telephone number",
    "national_id": "personal number",
}


def _overlaps(found: list[Found], start: int, end: int) -> bool:
    return any(each.start < end and start < each.end for each in found)


def _is_iban(text: str, region: str) -> bool:
    return bool(iban.is_valid(text))


def _is_card(text: str, region: str) -> bool:
    digits = "".join(filter(str.isdigit, text))
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and bool(luhn.is_valid(digits))


def _is_phone(text: str, region: str) -> bool:
    text = f"+{text[2:]}" if text.startswith("00") else text
    try:
        number = phonenumbers.parse(text, region.upper() or None)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(number)


def _always(text: str, region: str) -> bool:
    return True


def _national(country: str, name: str) -> Callable[[str, str], bool]:
    module = get_cc_module(country, name)
    assert module is not None, f"there is no {name} of {country}"
    is_valid = module.is_valid
    return lambda text, region: bool(is_valid(text))


# Repetitions are left open where they can be: counted ones of Unicode classes blow an automaton up, and RE2 needs no bound.
# What every number below has somewhere; nearly no sentence does.
_NUMBER = re2.compile(r"(?:\d[ ()./-]{0,2}){7}|[A-Za-z]{6}\d\d[A-Za-z]|\d{6}[-+A]\d{3}")
# In this order: what holds another's shape inside itself comes first. A number that any other could be is believed only
# beside the word for it.
_ADDRESS = (("email", re2.compile(r"([\pL\d][\pL\d._%+-]*@[\pL\d-][\pL\d.-]*\.\pL\pL+)"), _always),)
_NUMBERS = tuple(
    (kind, re2.compile(pattern), is_real)
    for kind, pattern, is_real in (
        ("iban", r"\b([A-Z]{2}\d{2} ?(?:[0-9A-Z]{4} ?){2,7}[0-9A-Z]{1,4})\b", _is_iban),
        ("national_id", r"\b(\d{3}-\d{2}-\d{4})\b", _national("us", "ssn")),
        ("national_id", r"\b(\d{3}\.\d{3}\.\d{3}-\d{2})\b", _national("br", "cpf")),
        (
            "national_id",
            r"\b([12] ?\d{2} ?(?:0[1-9]|1[0-2]|2[AB]) ?\d{2} ?\d{3} ?\d{3} ?\d{2})\b",
            _national("fr", "nir"),
        ),
        ("national_id", r"(?i)\b([A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z])\b", _national("it", "codicefiscale")),
        ("national_id", r"(?i)\b(\d{8}-?[A-Z])\b", _national("es", "dni")),
        ("national_id", r"(?i)\b([XYZ]-?\d{7}-?[A-Z])\b", _national("es", "nie")),
        ("national_id", r"(?i)\b(\d{6}[-+A]\d{3}[0-9A-Y])\b", _national("fi", "hetu")),
        ("national_id", r"\b(756\.\d{4}\.\d{4}\.\d{2})\b", _national("ch", "ssn")),
        ("national_id", r"(?i)\bBSN\W{0,3}(\d{9})\b", _national("nl", "bsn")),
        ("national_id", r"(?i)\bPESEL\W{0,3}(\d{11})\b", _national("pl", "pesel")),
        (
            "national_id",
            r"(?i)\b(?:Steuer-?ID|IdNr|Steueridentifikationsnummer)\W{0,3}(\d{2} ?\d{3} ?\d{3} ?\d{3})\b",
            _national("de", "idnr"),
        ),
        ("national_id", r"(?i)\bNHS(?: number| no)?\W{0,3}(\d{3} ?\d{3} ?\d{4})\b", _national("gb", "nhs")),
        (
            "card",
            r"\b((?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6011|6[45]\d\d|35\d\d)[ -]?\d{4}[ -]?\d{4}[ -]?\d{4})\b",
            _is_card,
        ),
        ("card", r"\b(3[47]\d\d[ -]?\d{6}[ -]?\d{5})\b", _is_card),
        ("phone", r"(?:^|[^\w+])((?:\+|00)[1-9]\d{0,2}[ ()./-]{0,2}(?:\d[ ()./-]{0,2}){5,12}\d)\b", _is_phone),
        (
            "phone",
            r"(?:^|[^\w+./-])(\(?0[1-9]\d{0,4}\)?[ ./-]{0,2}(?:\d[ ./-]?){4,9}\d)\b",
            lambda text, region: bool(region) and _is_phone(text, region),
        ),
    )
)
