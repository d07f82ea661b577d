"""A mark for words that are translated where they are shown: for code that knows no Django, such as connectors."""


def marked(words: str) -> str:
    """These words as they are; being called here puts them into the catalogues (see `docs/languages.md`)."""
    return words
