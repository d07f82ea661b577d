"""Sums of money as people and exports write them: 1.250.000,00 EUR, $1,250,000 or 1250000.0."""

import re
from decimal import Decimal

_SYMBOLS = {
    "€": "EUR",
    "US$": "USD",
    "$": "USD",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
    "₺": "TRY",
    "zł": "PLN",
    "Kč": "CZK",
    "Fr.": "CHF",
}
_SUM = re.compile(r"(?P<before>[^\d\s+-]{0,4})\s*(?P<number>\d[\d.,'\u2019\s]{0,40})\s*(?P<after>[^\d\s]{0,4})\Z")
_CODE = re.compile(r"[A-Z]{3}\Z")
_LARGEST = Decimal("999999999999.99")  # as the column holds


class NoSum(Exception):
    """The text is no sum; the sentence says what to write."""


def sum_of(written: str) -> tuple[Decimal, str]:
    """The amount, and the currency where it is named ("" otherwise). Both 1.250,00 and 1,250.00 are read; a single mark before
    three digits parts thousands, for nobody writes sums to a tenth of a cent."""
    refused = NoSum(f'"{written[:60]}" is not a sum of money. Write it like 1250000.00 EUR.')
    # Spreadsheets part thousands with spaces that do not break.
    found = _SUM.match(re.sub(r"\s", " ", written.strip()))
    if found is None or (found["before"] and found["after"]):
        raise refused
    named = found["before"] or found["after"]
    currency = _SYMBOLS.get(named, named.upper())
    if currency and not _CODE.match(currency):
        raise refused
    digits = re.sub(r"[\s'\u2019]", "", found["number"])
    mark = max(digits.rfind(","), digits.rfind("."))
    if mark >= 0:
        whole, cents = digits[:mark], digits[mark + 1 :]
        other = "." if digits[mark] == "," else ","
        parts_thousands = other not in whole and (
            digits[mark] in whole or (len(cents) == 3 and len(whole) <= 3 and whole != "0")
        )
        if parts_thousands:
            whole, cents = whole + cents, ""
        groups = re.split(r"[.,]", digits if parts_thousands else whole + digits[mark])
        if any(len(group) != 3 for group in groups[1:] if group) or (not cents.isdigit() and cents):
            raise refused
        digits = f"{re.sub(r'[.,]', '', whole)}.{cents or 0}"
    amount = Decimal(digits).quantize(Decimal("0.01"))
    if amount > _LARGEST:
        raise refused
    return amount, currency
