"""Every word the portal shows, found in its code, and its catalogue in each language: gettext's files without gettext's programs."""

import ast
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from django.utils.translation.template import templatize

PLURALS: Final[Mapping[str, str]] = {
    "de": "nplurals=2; plural=(n != 1);",
    "es": "nplurals=2; plural=(n != 1);",
    "ar": "nplurals=6; plural=n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 && n%100<=99 ? 4 : 5;",
}
"""How each language counts, as in the catalogues of Django itself. English is written in the code and needs no catalogue."""

_CALLS: Final = {
    **dict.fromkeys(("gettext", "gettext_lazy", "gettext_noop", "marked", "worded", "_"), ("id",)),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), ("id", "plural")),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ("context", "id")),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ("context", "id", "plural")),
}
_SKIPPED: Final = {"migrations", "static", "locale"}
_LITERAL: Final = r"""u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
_CALLED: Final = re.compile(rf"\b(n?p?gettext|_)\(\s*((?:{_LITERAL}\s*,\s*)*{_LITERAL})")
_PLACEHOLDER: Final = re.compile(r"%\(\w+\)[sdif]|\{\w*\}")


@dataclass(frozen=True)
class Message:
    """One text of the code, and what it is in one language: `said` has one entry, or one for each plural form."""

    id: str
    plural: str = ""
    context: str = ""
    said: tuple[str, ...] = ()
    files: tuple[str, ...] = field(default=(), compare=False)

    @property
    def key(self) -> tuple[str, str]:
        return self.context, self.id

    @property
    def placeholders(self) -> frozenset[str]:
        """What is filled in."""
        return frozenset(_PLACEHOLDER.findall(f"{self.id} {self.plural}"))


def plural_forms(language: str) -> int:
    return int(PLURALS[language].removeprefix("nplurals=").partition(";")[0])


def path_of(root: Path, language: str) -> Path:
    return root / "feedback_portal" / "locale" / language / "LC_MESSAGES" / "django.po"


def used(root: Path) -> list[Message]:
    """Every text that code or a page of the portal marks, once, in the order of files and of their words."""
    found: dict[tuple[str, str], Message] = {}
    for name, message in _marked(root):
        known = found.setdefault(message.key, message)
        if message.plural and known.plural and message.plural != known.plural:
            raise ValueError(f"{name}: {message.id!r} has another plural elsewhere. One text has one plural.")
        files = (*known.files, name) if name not in known.files else known.files
        found[message.key] = replace(known, plural=known.plural or message.plural, files=files)
    return sorted(found.values(), key=lambda message: (message.files[0], message.id, message.context))


def read(text: str) -> list[Message]:
    """The messages of a catalogue, without its head; obsolete ones (`#~`) are read as comments, fuzzy ones as not said."""
    messages: list[Message] = []
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
        lines = [line for line in block.split("\n") if line and not line.startswith("#")]
        parts: dict[str, str] = {}
        name = ""
        for line in lines:
            keyword, _, rest = line.partition(" ") if not line.startswith('"') else (name, "", line)
            name = keyword
            parts[name] = parts.get(name, "") + str(ast.literal_eval(rest))
        if parts.get("msgid"):
            said = tuple(value for keyword, value in parts.items() if keyword.startswith("msgstr"))
            is_fuzzy = any(line.startswith("#,") and "fuzzy" in line for line in block.split("\n"))
            messages.append(
                Message(
                    parts["msgid"], parts.get("msgid_plural", ""), parts.get("msgctxt", ""), () if is_fuzzy else said
                )
            )
    return messages


def merged(wanted: Iterable[Message], known: Iterable[Message], language: str) -> list[Message]:
    """The texts of the code with what the catalogue says of them: empty where it says nothing, and without what nobody uses."""
    said = {message.key: message for message in known}
    result = []
    for message in wanted:
        before = said.get(message.key)
        forms = plural_forms(language) if message.plural else 1
        fits = before is not None and len(before.said) == forms and before.plural == message.plural
        result.append(replace(message, said=before.said if before and fits else ("",) * forms))
    return result


def written(messages: Iterable[Message], language: str) -> str:
    """A catalogue as it is kept: in order, each with the files that use it, so that two branches rarely touch one line."""
    blocks = [f'msgid ""\nmsgstr ""\n{_quoted(_head(language))}']
    for message in messages:
        lines = [f"#: {name}" for name in message.files]
        if "%(" in message.id + message.plural:
            lines.append("#, python-format")
        if message.context:
            lines.append(f"msgctxt {_quoted(message.context)}")
        lines.append(f"msgid {_quoted(message.id)}")
        if message.plural:
            lines.append(f"msgid_plural {_quoted(message.plural)}")
            lines += [f"msgstr[{form}] {_quoted(said)}" for form, said in enumerate(message.said)]
        else:
            lines.append(f"msgstr {_quoted(message.said[0])}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def compiled(messages: Iterable[Message], language: str) -> bytes:
    """The same as programs read it: GNU's .mo, sorted, without what is not said yet."""
    pairs = [("", _head(language))]
    for message in messages:
        if all(message.said):
            start = f"{message.context}\x04" if message.context else ""
            end = f"\0{message.plural}" if message.plural else ""
            pairs.append((start + message.id + end, "\0".join(message.said)))
    encoded = sorted((key.encode(), said.encode()) for key, said in pairs)
    first = 28 + 16 * len(encoded)
    keys, strings = b"", b""
    places: list[tuple[int, int, int, int]] = []
    for key, said in encoded:
        places.append((len(key), len(keys), len(said), len(strings)))
        keys += key + b"\0"
        strings += said + b"\0"
    table = [(size, first + at) for size, at, _, _ in places]
    table += [(size, first + len(keys) + at) for _, _, size, at in places]
    head = struct.pack("<7I", 0x950412DE, 0, len(encoded), 28, 28 + 8 * len(encoded), 0, 0)
    return head + b"".join(struct.pack("<2I", *entry) for entry in table) + keys + strings


def problems(wanted: Iterable[Message], known: Iterable[Message], language: str) -> list[str]:
    """What keeps a catalogue from being complete and right; nothing if it is."""
    wanted, said = list(wanted), {message.key: message for message in known}
    found = [f"nobody uses {message.id!r}" for key, message in said.items() if key not in {each.key for each in wanted}]
    for message in wanted:
        kept = said.get(message.key)
        if kept is None:
            found.append(f"{message.id!r} of {message.files[0]} is missing")
        elif kept.plural != message.plural or len(kept.said) != (plural_forms(language) if message.plural else 1):
            found.append(f"{message.id!r} has not the forms of its plural")
        elif not all(kept.said):
            found.append(f"{message.id!r} of {message.files[0]} is not translated")
        else:
            found += [f"{message.id!r}: {wrong}" for text in kept.said for wrong in _misfits(message, text)]
    return found


def _misfits(message: Message, text: str) -> Iterator[str]:
    there = frozenset(_PLACEHOLDER.findall(text))
    if unknown := there - message.placeholders:
        yield f"{text!r} fills in {', '.join(sorted(unknown))}, which the code does not give"
    missing = message.placeholders - there
    # None, one or two of something is often said without its number.
    if len(missing) > bool(message.plural):
        yield f"{text!r} leaves out {', '.join(sorted(missing))}"
    if (message.id[:1], message.id[-1:]) != (text[:1], text[-1:]) and "\n" in (message.id[:1], message.id[-1:]):
        yield f"{text!r} does not begin and end its lines as the text does"


def _marked(root: Path) -> Iterator[tuple[str, Message]]:
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        yield from ((name, message) for message in (_in_code(text) if path.suffix == ".py" else _in_page(text, name)))


def _files(root: Path) -> list[Path]:
    code = [path for app in ("feedback_portal", "intake", "triage", "kpis") for path in (root / app).rglob("*.py")]
    pages = [path for kind in ("*.html", "*.txt") for path in (root / "templates").rglob(kind)]
    return sorted(path for path in code + pages if not _SKIPPED & set(path.relative_to(root).parts))


def _in_code(text: str) -> Iterator[Message]:
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        given = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        if called in _CALLS and len(given) >= len(_CALLS[called]):
            yield _message(called, given)
        elif called == "Setting":
            yield from (Message(words) for words in _asked(node))


def _asked(setting: ast.Call) -> Iterator[str]:
    """What a connector's `Setting` shows: its label, its help and the words of its choices."""
    named = {each.arg: each.value for each in setting.keywords}
    shown = [*setting.args[1:3], *(named[name] for name in ("label", "help") if name in named)]
    choices = named.get("choices")
    pairs = choices.elts if isinstance(choices, ast.Tuple) else []
    shown += [pair.elts[1] for pair in pairs if isinstance(pair, ast.Tuple) and len(pair.elts) == 2]
    yield from (node.value for node in shown if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _in_page(text: str, name: str) -> Iterator[Message]:
    for call in _CALLED.finditer(templatize(text, origin=name)):
        given = [ast.literal_eval(each.removeprefix("u")) for each in re.findall(_LITERAL, call[2])]
        yield _message(call[1], given)


def _message(called: str, given: list[str]) -> Message:
    said = dict(zip(_CALLS[called], given, strict=False))
    return Message(said["id"], said.get("plural", ""), said.get("context", ""))


def _head(language: str) -> str:
    return (
        f"Language: {language}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
        f"Content-Transfer-Encoding: 8bit\nPlural-Forms: {PLURALS[language]}\n"
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    lines = escaped.split("\n")
    if len(lines) == 1:
        return f'"{escaped}"'
    pieces = [f'"{line}\\n"' for line in lines[:-1]] + ([f'"{lines[-1]}"'] if lines[-1] else [])
    return "\n".join(['""', *pieces])
