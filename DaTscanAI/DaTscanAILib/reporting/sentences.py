"""The sentences that the chain writes into `result.json`, which stay English there, in the report's language.

A sentence is found by the English text of its key in the language file, whose placeholders stand for any text; what
they held goes into the translation, translated itself where it is a phrase or a number. An unknown sentence stays as
it is: an English warning is better than none.
"""

import re
from functools import lru_cache

from .language import ENGLISH, Language, placeholders

PREFIXES = ("sentence.", "phrase.")
_FIGURE = re.compile(r"[-+<>]?\d+(\.\d+)?( ?%)?")
_SEPARATORS = ("; ", ", ", " and ")


def translated(sentence: str, words: Language) -> str:
    """A sentence or several of them, in another language."""
    if words.name == ENGLISH.name or not sentence:
        return sentence
    found = _translated_whole(sentence, words)
    if found is None and ". " in sentence:
        head, tail = sentence.split(". ", 1)
        return f"{translated(head + '.', words)} {translated(tail, words)}"
    return sentence if found is None else found


def _translated_whole(sentence, words):
    for key, pattern in _patterns():
        match = pattern.fullmatch(sentence)
        if match:
            values = {name: _part(value, words) for name, value in match.groupdict().items()}
            return words(key, **values)
    return None


def _part(value, words):
    """What a placeholder held: a number, a phrase, or several of them; else a name, which stays."""
    if _FIGURE.fullmatch(value):
        return words.numbers_of(value).replace(" %", "%").replace("%", " %")
    whole = _translated_whole(value, words)
    if whole is not None:
        return whole
    for separator in _SEPARATORS:
        if separator in value:
            joint = f" {words('and')} " if separator == " and " else separator
            return joint.join(_part(part, words) for part in value.split(separator))
    return value


@lru_cache(maxsize=1)
def _patterns():
    """`(key, pattern)` of every English sentence, those with the most fixed letters first."""
    known = [(key, text) for key, text in ENGLISH.texts.items() if key.startswith(PREFIXES)]
    known.sort(key=lambda entry: (-len(re.sub(r"\{\w+\}", "", entry[1])), entry[0]))
    return tuple((key, _pattern(text)) for key, text in known)


def _pattern(text):
    parts = re.split(r"(\{\w+\})", text)
    names = placeholders(text)
    return re.compile("".join(f"(?P<{part[1:-1]}>.+?)" if part[1:-1] in names else re.escape(part) for part in parts))
