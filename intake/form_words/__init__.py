"""What a public form says around its own questions, in the languages it can say it in; a language more is a file more."""

from intake.form_words import ar, de, en, es, fr, it, nl, sv
from intake.form_words.shape import Words

WORDS = {
    "ar": ar.WORDS,
    "de": de.WORDS,
    "en": en.WORDS,
    "es": es.WORDS,
    "fr": fr.WORDS,
    "it": it.WORDS,
    "nl": nl.WORDS,
    "sv": sv.WORDS,
}


def words_in(language: str) -> Words:
    """Those of this language, "de-AT" included; English where nobody has written them yet."""
    return WORDS.get(language.lower().partition("-")[0], en.WORDS)


__all__ = ["WORDS", "Words", "words_in"]
