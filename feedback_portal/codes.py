"""Short codes that people read to each other: a ticket's `F-20493`, a customer's `FB-7K3M-Q9XD`."""

import re

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U to misread
_SIZE = 32**7
# Odd, hence invertible modulo a power of two; large, so that neighbours look unrelated.
_STEP = 22_695_477_131
_BACK = pow(_STEP, -1, _SIZE)
_FIRST_TICKET = 20_000

_CUSTOMER = re.compile(r"FB-?([0-9A-HJKMNP-TV-Z]{4})-?([0-9A-HJKMNP-TV-Z]{3})\Z")
_TICKET = re.compile(r"F-?(\d{1,18})\Z")
_ACTION = re.compile(r"A-?(\d{1,18})\Z")
_THEME = re.compile(r"T-?(\d{1,18})\Z")
_SIGNAL = re.compile(r"S-?(\d{1,18})\Z")


def customer_code(number: int) -> str:
    """The code of a submission's row number, one-to-one below 32^7; it orders nothing and counts nothing."""
    if not 0 <= number < _SIZE:
        raise ValueError(f"no code for {number}")
    mixed = _fold(_fold(number * _STEP % _SIZE) * _STEP % _SIZE)
    letters = "".join(_ALPHABET[mixed >> shift & 31] for shift in range(30, -1, -5))
    return f"FB-{letters[:4]}-{letters[4:]}"


def customer_number(code: str) -> int | None:
    """The row number behind a customer's code, however it was typed; None when it is no such code."""
    found = _CUSTOMER.match(code.strip().upper().translate(_MISREAD_AFTER_PREFIX))
    if found is None:
        return None
    mixed = 0
    for letter in found[1] + found[2]:
        mixed = mixed << 5 | _ALPHABET.index(letter)
    return _fold_back(_fold_back(mixed) * _BACK % _SIZE) * _BACK % _SIZE


def ticket_code(number: int) -> str:
    return f"F-{number + _FIRST_TICKET}"


def ticket_number(code: str) -> int | None:
    found = _TICKET.match(code.strip().upper())
    return int(found[1]) - _FIRST_TICKET if found and int(found[1]) > _FIRST_TICKET else None


def action_code(number: int) -> str:
    return f"A-{number + 100}"


def action_number(code: str) -> int | None:
    found = _ACTION.match(code.strip().upper())
    return int(found[1]) - 100 if found and int(found[1]) > 100 else None


def theme_code(number: int) -> str:
    return f"T-{number + 100}"


def theme_number(code: str) -> int | None:
    found = _THEME.match(code.strip().upper())
    return int(found[1]) - 100 if found and int(found[1]) > 100 else None


def signal_code(number: int) -> str:
    return f"S-{number + 100}"


def signal_number(code: str) -> int | None:
    found = _SIGNAL.match(code.strip().upper())
    return int(found[1]) - 100 if found and int(found[1]) > 100 else None


def _fold(number: int) -> int:
    """Stirs the high bits into the low ones, which multiplying alone leaves in order."""
    return number ^ number >> 17


def _fold_back(number: int) -> int:
    return number ^ number >> 17 ^ number >> 34


_MISREAD_AFTER_PREFIX = str.maketrans({"O": "0", "I": "1", "L": "1"})
