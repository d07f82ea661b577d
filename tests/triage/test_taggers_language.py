import pytest

from triage.taggers import Taxonomy, Text, taggers
from triage.taggers.language import UNKNOWN, detect

SENTENCES = {
    "en": "The handle came off while I was pouring hot water.",
    "de": "Der Griff ist abgefallen, während ich heißes Wasser eingegossen habe.",
    "fr": "La poignée s'est détachée pendant que je versais de l'eau chaude.",
    "es": "El mango se soltó mientras echaba agua caliente.",
    "pt": "A pega soltou-se enquanto eu despejava água quente.",
    "it": "Il manico si è staccato mentre versavo l'acqua calda.",
    "nl": "Het handvat brak af terwijl ik heet water aan het schenken was.",
    "sv": "Handtaget lossnade medan jag hällde upp varmt vatten.",
    "da": "Håndtaget faldt af, mens jeg hældte varmt vand op.",
    "pl": "Uchwyt odpadł, kiedy nalewałam gorącą wodę.",
    "cs": "Držadlo upadlo, když jsem nalévala horkou vodu.",
    "fi": "Kahva irtosi, kun kaadoin kuumaa vettä.",
    "ro": "Mânerul s-a desprins în timp ce turnam apă fierbinte.",
    "hu": "A fogantyú letört, miközben forró vizet öntöttem.",
    "tr": "Sıcak su dökerken kulp yerinden çıktı.",
    "vi": "Tay cầm bị rơi ra khi tôi đang rót nước nóng.",
    "id": "Gagangnya lepas ketika saya menuangkan air panas.",
    "ru": "Ручка отвалилась, когда я наливала горячую воду.",
    "uk": "Ручка відпала, коли я наливала гарячу воду.",
    "el": "Το χερούλι έσπασε ενώ έβαζα ζεστό νερό.",
    "he": "הידית נשברה בזמן שמזגתי מים חמים.",
    "ar": "انكسر المقبض بينما كنت أصب الماء الساخن.",
    "fa": "هنگامی که آب داغ می‌ریختم دسته آن شکست.",
    "hi": "जब मैं गर्म पानी डाल रही थी तब हैंडल टूट गया।",
    "th": "ที่จับหลุดออกขณะที่ฉันกำลังเทน้ำร้อน",
    "ja": "お湯を注いでいるときに取っ手が外れました。",
    "zh": "我倒热水的时候把手掉了。",
    "ko": "뜨거운 물을 따르는 중에 손잡이가 떨어졌어요.",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_shows_its_language(language: str) -> None:
    guess = detect(Text(1, text=SENTENCES[language]))
    assert guess.language == language
    assert guess.confidence > 0.8


@pytest.mark.parametrize(
    "text", ["", " ", "12345", "!!! ???", "👍👍", "https://example.com/der-die-das", "@die_und_der"]
)
def test_without_words_the_language_is_not_known(text: str) -> None:
    assert detect(Text(1, text=text)).language == UNKNOWN
    assert taggers.get("language").tag([Text(1, text=text)], Taxonomy()) == [[]]


@pytest.mark.parametrize(
    ("text", "declared", "language"),
    [
        ("ok", "de", "de"),
        ("Information", "en", "en"),
        ("bon service", "fr", "fr"),
        ("", "de-AT", "de"),
        ("Super", "fr_CA", "fr"),
        ("Håndtaket falt av da jeg helte i varmt vann.", "nb", "nb"),
        (SENTENCES["de"], "en", "de"),
        (SENTENCES["ja"], "en", "ja"),
        (SENTENCES["en"], "nonsense", "en"),
        ("", "nonsense", UNKNOWN),
        ("", "\x00", UNKNOWN),
    ],
)
def test_what_was_declared_counts_where_the_text_says_little(text: str, declared: str, language: str) -> None:
    assert detect(Text(1, text=text, declared_language=declared)).language == language


def test_a_foreign_brand_in_a_text_of_another_script_does_not_change_it() -> None:
    assert detect(Text(1, text="Share to Kettle: 我的水壶漏水了，怎么办？")).language == "zh"
    assert detect(Text(1, text="My HarmonyKettle 水 leaks and nobody answers the phone.")).language == "en"


def test_accents_left_out_do_not_hide_a_language() -> None:
    assert detect(Text(1, text="Va rog sa imi trimiteti banii inapoi, nu functioneaza")).language == "ro"
    assert detect(Text(1, text="kerem segitsen")).language == "hu"
    assert detect(Text(1, text="Prosze o zwrot pieniedzy, bo urzadzenie nie dziala")).language == "pl"


def test_the_title_is_read_too() -> None:
    assert detect(Text(1, title="Wo ist meine Rechnung?", text="A-118")).language == "de"


def test_the_suggestion_names_the_language_and_the_words_that_told_it() -> None:
    [[suggestion]] = taggers.get("language").tag([Text(1, text=SENTENCES["de"])], Taxonomy())
    assert suggestion.reason == "The text is written in German."
    assert suggestion.evidence
    assert all(each.weight > 0 and each.span for each in suggestion.evidence)
