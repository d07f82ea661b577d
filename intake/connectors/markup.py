"""HTML as people read it: the words with their line breaks, never what would run, load or hide."""

import html
import re
from html.parser import HTMLParser

_BREAKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    ]
)
_UNREAD = frozenset(
    [
        "script",
        "style",
        "head",
        "title",
        "template",
        "noscript",
        "object",
        "iframe",
        "svg",
        "math",
        "select",
        "textarea",
    ]
)
_VOID = frozenset(
    ["br", "hr", "img", "input", "meta", "link", "base", "col", "embed", "source", "track", "wbr", "area"]
)
_DEEPEST = 200
_SPACES = re.compile(r"[ \t\r\f\v\u00a0]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_LOOKS_LIKE_HTML = re.compile(r"<(?:[a-z][a-z0-9]*|/[a-z]+)\b[^<>]{0,2000}>|&(?:[a-z]{2,8}|#\d{1,6});", re.IGNORECASE)


# Far more than anybody reads; longer markup is read so far.
_LONGEST = 2_000_000
# A tag that does not end before the next one begins is none.
_NO_TAG = re.compile(r"<(?=[^<>]*(?:<|\Z))")


def text_of_html(markup: str) -> str:
    """The text of a piece of HTML. Linear in its length; broken markup is read as far as it goes."""
    reader = _Reader()
    reader.feed(_NO_TAG.sub("&lt;", _without_comments(markup[:_LONGEST])))
    reader.close()
    lines = (_SPACES.sub(" ", line).strip() for line in "".join(reader.parts).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def text_of(value: str) -> str:
    """The text of what may or may not be HTML."""
    return text_of_html(value) if _LOOKS_LIKE_HTML.search(value) else html.unescape(value)


def _without_comments(markup: str) -> str:
    """What the parser would look for the end of again and again goes first: comments, declarations, instructions."""
    kept: list[str] = []
    place = 0
    for found in re.finditer(r"<!--|<[!?]", markup):
        if found.start() < place:
            continue
        end = markup.find("-->" if found[0] == "<!--" else ">", found.end())
        kept.append(markup[place : found.start()])
        if end < 0:
            return "".join(kept)
        place = end + (3 if found[0] == "<!--" else 1)
    return "".join([*kept, markup[place:]])


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNREAD and len(self._hidden) < _DEEPEST:
            self._hidden.append(tag)
        elif not self._hidden:
            if tag in _BREAKS:
                self.parts.append("\n\n" if tag == "p" else "\n")
            if tag == "li":
                self.parts.append("- ")
            if tag in ("td", "th"):
                self.parts.append(" ")
            if tag == "img" and (said := dict(attrs).get("alt")):
                self.parts.append(said)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _UNREAD:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag in self._hidden:
                del self._hidden[self._hidden.index(tag) :]
        elif tag in _BREAKS and tag not in _VOID:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data.replace("\n", " "))
