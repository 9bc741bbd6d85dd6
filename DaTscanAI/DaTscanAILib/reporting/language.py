"""The languages of the report: plain files of keys and texts, one a language, that a translator can edit.

`Resources/Languages/en.json` is the measure of the others: every key must be there, with the same placeholders.
"""

import json
import re
import string
from dataclasses import dataclass
from functools import lru_cache

from ..base.errors import DaTscanError
from ..base.resources import resource_path

DEFAULT = "en"
_NUMBER = re.compile(r"(?<=\d)\.(?=\d)")


@dataclass(frozen=True)
class Language:
    """Texts of one language by key; the file is read when the first text is asked for.

    Attributes:
        name: of the file, without its suffix: a language tag such as "en" or "de".
    """

    name: str = DEFAULT

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with its placeholders filled; numbers among the values are texts already.

        Raises:
            DaTscanError: the language is not there, or its file lacks something.
        """
        return self.texts[key].format(**values)

    @property
    def title(self) -> str:
        """The language's own name."""
        return self.texts["language"]

    @property
    def texts(self) -> dict[str, str]:
        """All texts by key."""
        return _texts(self.name)

    def numbers_of(self, text: str) -> str:
        """A text with the decimal sign of the language."""
        return _NUMBER.sub(self.texts["decimal_sign"], text)


ENGLISH = Language()


def language_names() -> tuple[str, ...]:
    """Names of the languages that are there, the default first."""
    names = {path.stem for path in resource_path("Languages").glob("*.json")}
    return tuple(sorted(names, key=lambda name: (name != DEFAULT, name)))


def find_language(name: str | None = None) -> Language:
    """A language whose file is whole; the default for None.

    Raises:
        DaTscanError: there is none of this name, or its file lacks something.
    """
    language = Language(name or DEFAULT)
    language.texts  # noqa: B018 - read now, so that a file that lacks something is no surprise of the first report
    return language


def placeholders(text: str) -> set[str]:
    """Names in braces.

    Raises:
        ValueError: the braces do not match.
    """
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@lru_cache(maxsize=8)
def _texts(name):
    known = language_names()
    if name not in known:
        raise DaTscanError(f"There is no report language {name!r}: choose among {', '.join(sorted(known))}.")
    texts = _read(name)
    return texts if name == DEFAULT else _checked(f"{name}.json", texts, _texts(DEFAULT))


def _read(name):
    try:
        texts = json.loads(resource_path("Languages", f"{name}.json").read_bytes())
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise ValueError
    except (OSError, ValueError, RecursionError) as error:
        raise DaTscanError(
            f"{name}.json is no table of texts in JSON: put its quotes and commas right, or install again."
        ) from error
    return texts


def _checked(file, texts, english):
    """The texts, if no key is missing and each has the placeholders of the English text."""
    for key, text in english.items():
        if not texts.get(key):
            raise DaTscanError(f"{file} has no translation of {key}: add it as en.json has it.")
        try:
            same = placeholders(texts[key]) == placeholders(text)
        except ValueError:
            same = False
        if not same:
            raise DaTscanError(f"{file}: {key} has other placeholders than en.json: keep the names in braces.")
    return texts
