"""Every error sentence of the package has a heading in the troubleshooting page, and every heading a sentence."""

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "DaTscanAI" / "DaTscanAILib"
PAGE = ROOT / "Resources" / "Documentation" / "troubleshooting.md"
# Functions that give a sentence without raising it.
GIVING_SENTENCES = {
    ("analysis.py", "refusal"),
    ("classification/torch_problems.py", "torch_problem"),
    ("quantification/overflow.py", "overflow_of"),
    ("quantification/stored_values.py", "refusal"),
    ("quantification/stored_values.py", "fault_of_image"),
}
_FEWEST_LETTERS = 15  # of a template: with fewer, the values of its constants are put in


def sources():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def sentences():
    """(file, line, message node) of every `DaTscanError(...)`, of classes derived from it, and of given sentences."""
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith(ERRORS) and node.args:
                yield name, node.lineno, node.args[0]
            if isinstance(node, ast.FunctionDef) and (name, node.name) in GIVING_SENTENCES:
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Return) and isinstance(inner.value, ast.JoinedStr):
                        yield name, inner.lineno, inner.value


ERRORS = ("DaTscanError", "NotWrittenError")


def patterns(name, message):
    """Regular expressions of a message: one, or one for each value of a constant that makes up most of it."""
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    texts = [str(part.value) for part in parts if isinstance(part, ast.Constant)]
    letters = sum(character.isalpha() for text in texts for character in text)
    found = [""]
    for part in parts:
        if isinstance(part, ast.Constant):
            choices = [re.escape(str(part.value))]
        elif letters < _FEWEST_LETTERS or "_MODALITY_NAMES" in ast.unparse(part):
            choices = [re.escape(value) for value in constant_values(name, part)] or [".+?"]
        else:
            choices = [".+?"]
        found = [start + choice for start in found for choice in choices]
    return found


def constant_values(name, part):
    """Texts of the module's constant that a placeholder shows: itself, or the values of the dictionary."""
    expression = getattr(part, "value", part)
    expression = expression.value if isinstance(expression, ast.Subscript) else expression
    if not isinstance(expression, ast.Name) or not expression.id.lstrip("_").isupper():
        return []
    module = importlib.import_module("DaTscanAILib." + name.removesuffix(".py").replace("/", "."))
    value = getattr(module, expression.id)
    return list(dict.fromkeys([value] if isinstance(value, str) else value.values()))


@cache
def all_patterns():
    return [(f"{name}:{line}", pattern) for name, line, message in sentences() for pattern in patterns(name, message)]


def headings():
    return [line[4:].strip() for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("### ")]


def test_every_error_sentence_has_a_heading():
    known = headings()
    missing = [
        f"{place}: {pattern}"
        for place, pattern in all_patterns()
        if not any(re.fullmatch(pattern, heading) for heading in known)
    ]
    assert missing == []


def test_every_heading_is_an_error_sentence():
    known = [pattern for _, pattern in all_patterns()]
    assert [heading for heading in headings() if not any(re.fullmatch(pattern, heading) for pattern in known)] == []


def test_no_heading_stands_twice_and_each_has_a_text():
    known = headings()
    assert len(set(known)) == len(known)
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines):
        if line.startswith("### "):
            assert len(lines[index + 1]) > 10, line


def test_the_sentences_are_found():
    """If the search went blind, the other tests would pass."""
    places = {name for name, *_ in sentences()}
    assert {
        "analysis.py",
        "batch/run.py",
        "classification/model_folder.py",
        "reading/dicom.py",
        "reading/manifest.py",
    } <= places
    assert len(all_patterns()) > 100


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("reading/scan.py", 'f"{name} is bad: {x!r}."', [r".+?\ is\ bad:\ .+?\."]),
        ("reading/dicom_kinds.py", 'f"{name} {_PLANAR}"', None),
    ],
)
def test_placeholders(name, code, expected):
    found = patterns(name, ast.parse(code, mode="eval").body)
    if expected is None:
        (found,) = found
        assert re.fullmatch(
            found,
            "scan.dcm is a planar image, not a reconstruction: give the tomographic reconstruction (RECON TOMO).",
        )
    else:
        assert [re.sub(r"(?<!\\) ", r"\\ ", pattern) for pattern in found] == expected
