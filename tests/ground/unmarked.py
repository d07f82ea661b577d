"""Words of pages and code that nobody could translate, since they are not marked."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_COMMENTS = re.compile(
    r"\{% comment %\}.*?\{% endcomment %\}|\{% block page_class %\}.*?\{% endblock %\}|\{#.*?#\}|<!--.*?-->|<(script|style|pre)\b.*?</\1>",
    re.DOTALL,
)
_TRANSLATED = re.compile(r"\{% blocktranslate\b.*?\{% endblocktranslate %\}|\{% translate\b.*?%\}", re.DOTALL)
_TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_NO_WORDS = re.compile(r"\{% (?:url|load|extends|include \"[^\"]+\" %|block|static|htmx_script|csrf_token)\b")
_QUOTED = re.compile(r"(?<!_\()\"([^\"]*)\"")
_ATTRIBUTE = re.compile(r"\b(?:aria-label|title|placeholder|alt|label|data-label|data-words)=\"([^\"]*)\"")
_HTML = re.compile(r"<[^>]*>")
_WORD = re.compile(r"[^\W\d_]{2,}")
# A sentence, or words that begin as one does: neither a name for programs nor an address.
_SAID = re.compile(r"[A-Z“][\w’'-]*(?: [\w’'(“-]+)|[A-Z][a-z]{2,}\Z|[a-z]+ [a-z]+ [a-z]+")
_OURS = re.compile(r"&\w+;|\b(?:width=device-width.*|UTF-8)")
# What tags take that is not read by anybody.
_FOR_PROGRAMS = re.compile(
    r"(?:\bunless|\basked|\bq|\bhere|\balso|\bicon|\bname|\bid|\btype|\bhref)=$| in $|\|(?:date|yesno|join|stringformat|add|slice|default_if_none|pluralize):$"
)


def in_page(text: str) -> Iterator[str]:
    """Words that stand in a page itself, in an attribute that is read out or shown, or in what a tag is given."""
    text = _TRANSLATED.sub("", _COMMENTS.sub("", text))
    for tag in _TAG.finditer(text):
        if not _NO_WORDS.match(tag[0]):
            for quoted in _QUOTED.finditer(tag[0]):
                if _SAID.match(quoted[1]) and not _FOR_PROGRAMS.search(tag[0][: quoted.start()]):
                    yield quoted[1]
    bare = _TAG.sub("", text)
    yield from (words[1] for words in _ATTRIBUTE.finditer(bare) if _WORD.search(words[1]))
    for line in _HTML.sub("\n", bare).split("\n"):
        if _WORD.search(_OURS.sub("", line)):
            yield line.strip()


_MARKS = {"gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy", "marked", "worded"}
# Where people read what is raised, said or shown.
_READ = {"success", "error", "warning", "info", "add_error", "ValidationError", "InputError", "error_at"}


def in_code(text: str) -> Iterator[str]:
    """Sentences that code raises or says without a mark, and the titles of refusals."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield from _unmarked(node.exc)
        elif isinstance(node, ast.Call) and _called(node) in _READ and not _is_log(node):
            yield from _unmarked(node)
        elif isinstance(node, ast.ClassDef):
            for line in node.body:
                if (
                    isinstance(line, ast.Assign)
                    and isinstance(line.targets[0], ast.Name)
                    and line.targets[0].id == "title"
                ):
                    yield from _unmarked(line.value)


def _unmarked(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and _called(node) in _MARKS:
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SAID.match(node.value):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        said = "".join(part.value for part in node.values if isinstance(part, ast.Constant))
        if _SAID.match(said.strip(' "“.,:')):
            yield said
    else:
        for child in ast.iter_child_nodes(node):
            yield from _unmarked(child)


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _is_log(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "log"


def words_of(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return list(in_code(text) if path.suffix == ".py" else in_page(text))
