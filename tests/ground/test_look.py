"""What the style sheets, icons and scripts must hold on every page, checked without a browser."""

import gzip
import re
from pathlib import Path

import django_htmx
import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "feedback_portal" / "static"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))

TEXT = ("ink", "ink2", "ink3", "acc")
SIGNS = ("bad", "warn", "good", "vio")
SURFACES = ("bg", "panel", "sunk", "hover", "sel", "acc-bg", "card")


def tokens(selector: str) -> dict[str, str]:
    """The colours one block of base.css sets, as #rrggbb."""
    sheet = (STATIC / "base.css").read_text(encoding="utf-8")
    block = sheet[sheet.index(selector + " {") :].split("}")[0]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block))
    return {
        name: colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
        for name, colour in found.items()
    }


LIGHT = tokens(":root")
DARK = tokens(":root[data-theme=dark]")


def linear(colour: str) -> tuple[float, ...]:
    """Red, green and blue of an sRGB colour as amounts of light, 0 to 1."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_on_every_surface(theme: dict[str, str]) -> None:
    for surface in SURFACES:
        for ink in TEXT:
            assert contrast(theme[ink], theme[surface]) >= 4.5, f"{ink} on {surface}"
    for sign in SIGNS:
        for surface in ("bg", "panel", "sel", f"{sign}-bg"):
            assert contrast(theme[sign], theme[surface]) >= 4.5, f"{sign} on {surface}"
        assert contrast(theme["ink"], theme[f"{sign}-bg"]) >= 4.5, f"ink on {sign}-bg"
        assert contrast(theme["ink3"], theme[f"{sign}-bg"]) >= 4.5, f"ink3 on {sign}-bg"
    assert contrast(theme["on-acc"], theme["acc"]) >= 4.5
    assert contrast(theme["on-acc"], theme["acc-h"]) >= 4.5
    for edge in ("bg", "panel"):
        assert contrast(theme["ctl"], theme[edge]) >= 3, f"the edge of a field on {edge}"


def test_initials_can_be_read_on_every_face() -> None:
    for number in range(1, 9):
        assert contrast("#ffffff", LIGHT[f"a{number}"]) >= 4.5


def test_dark_is_the_same_by_device_and_by_choice() -> None:
    assert tokens(":root:not([data-theme=light])") == DARK


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_holds_nothing_the_content_security_policy_blocks(template: Path) -> None:
    text = re.sub(r"{% comment %}.*?{% endcomment %}", "", template.read_text(encoding="utf-8"), flags=re.S)

    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"<style|<script(?![^>]*\ssrc=)|javascript:|\son[a-z]+\s*=|hx-on|hx-vals=.js:", text)
    assert not re.search(r"(src|href)=\"(https?:)?//", text)


def test_every_icon_that_is_asked_for_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "icons.svg").read_text(encoding="utf-8")))
    asked = {
        name
        for template in TEMPLATES
        for name in re.findall(
            r"(?:_icon\.html\" with name=\"|\bicon=\"|icons }}#)([\w-]+)(?=\")", template.read_text(encoding="utf-8")
        )
    }

    assert asked - {"face-"} <= drawn
    assert {f"face-{number}" for number in range(1, 6)} | {"neg", "neu", "pos", "none"} <= drawn


def test_scripts_stay_within_their_budget() -> None:
    htmx = Path(django_htmx.__file__).parent / "static" / "django_htmx" / "htmx-2.min.js"
    weight = sum(len(gzip.compress(path.read_bytes())) for path in (htmx, STATIC / "portal.js"))

    assert weight <= 30_000
