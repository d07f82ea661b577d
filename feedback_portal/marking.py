"""Marks for words that are translated where they are shown: for code that knows no Django, and for sentences that are stored."""

import json
from typing import Final

KEPT: Final = '{"words": '
"""How a kept sentence begins."""


def marked(words: str) -> str:
    """These words as they are; being called here puts them into the catalogues (see `docs/languages.md`)."""
    return words


def worded(words: str, /, **slots: object) -> str:
    """A sentence to be stored: what it says, and what fills its slots, as JSON. `languages.said` says it to each reader in their
    own language. A slot may be such a sentence itself, or a list of them."""
    return (
        KEPT
        + json.dumps(words, ensure_ascii=False)
        + ', "slots": '
        + json.dumps(slots, ensure_ascii=False, default=str)
        + "}"
    )
