"""Atlassian's document format as people read it: the words with their line breaks."""

import re
from collections.abc import Iterator
from typing import Any

from intake.connectors.documents import at, list_at, text_at

_BLOCKS = frozenset(
    ["paragraph", "heading", "blockquote", "codeBlock", "panel", "listItem", "taskItem", "decisionItem", "tableRow",
     "rule", "expand", "nestedExpand", "mediaSingle", "mediaGroup"]
)  # fmt: skip
_MARKED = frozenset(["listItem", "taskItem", "decisionItem"])
_CELLS = frozenset(["tableCell", "tableHeader"])
_BLANK_LINES = re.compile(r"\n{3,}")


def text_of_adf(found: Any) -> str:
    """The text of a document; kinds of nodes that are not known give whatever text is inside them."""
    lines = (line.strip() for line in "".join(_parts(found)).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def _parts(node: Any) -> Iterator[str]:
    kind = text_at(node, "type")
    if kind == "text":
        yield text_at(node, "text")
        for mark in list_at(node, "marks"):
            if text_at(mark, "type") == "link" and text_at(mark, "attrs", "href") != text_at(node, "text"):
                yield f" ({text_at(mark, 'attrs', 'href')})"
    elif kind == "hardBreak":
        yield "\n"
    else:
        # Mentions, emoji, states and cards carry their words beside them.
        yield next((said for name in ("text", "shortName", "url", "alt") if (said := text_at(node, "attrs", name))), "")
    if kind in _MARKED:
        yield "- "
    inside = list_at(node, "content")
    for place, part in enumerate(inside):
        if place and text_at(part, "type") in _CELLS:
            yield " "
        # A list's mark and a cell's gap stand on the line of the first words.
        yield from _parts(part)
        if kind == "doc":
            yield "\n\n"
        elif text_at(part, "type") in _BLOCKS and not (kind in _CELLS | _MARKED and place == len(inside) - 1):
            yield "\n"


def is_adf(found: Any) -> bool:
    return text_at(found, "type") == "doc" and isinstance(at(found, "content"), list)
