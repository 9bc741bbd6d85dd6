"""Languages: all files say the same, what lacks is named, the chain's sentences are known, nothing overlaps."""

import ast
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from normals_factory import FINGERPRINT, database_of_people
from pdf_reader import PdfFile
from picture_factory import GRID_SHAPE, MRI_AFFINE, RESULT, blob, gray_mri, result_with

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.quantification.against_normals import against_normals
from DaTscanAILib.quantification.measures import measures_of
from DaTscanAILib.reporting import language as language_module
from DaTscanAILib.reporting.graph_drawing import patient_graphs
from DaTscanAILib.reporting.language import ENGLISH, Language, find_language, language_names, placeholders
from DaTscanAILib.reporting.panels import paint_panels
from DaTscanAILib.reporting.pdf import text_width
from DaTscanAILib.reporting.report import FOOTER_TOP, LEFT, RIGHT, report_bytes
from DaTscanAILib.reporting.sentences import _patterns, translated

PACKAGE = Path(__file__).resolve().parents[2] / "DaTscanAI" / "DaTscanAILib"
GERMAN = Language("de")


# ---- the files


def test_english_and_german_are_there():
    assert {"de", "en"} <= set(language_names())


@pytest.mark.parametrize("name", language_names())
def test_every_language_has_the_keys_and_placeholders_of_english(name):
    texts, english = Language(name).texts, ENGLISH.texts
    assert list(texts) == list(english)  # in one order, so that a translator finds them
    for key, text in english.items():
        assert placeholders(texts[key]) == placeholders(text), key


def test_no_key_is_written_twice():
    for name in language_names():
        lines = resource_path("Languages", f"{name}.json").read_text(encoding="utf-8").splitlines()
        keys = [line.split('": "')[0] for line in lines if '": "' in line]
        assert len(keys) == len(set(keys)) == len(Language(name).texts)


@pytest.mark.parametrize(
    "term", ["Spezifische Bindungsratio", "Nucleus caudatus", "unauffällig", "kein Medizinprodukt"]
)
def test_german_speaks_as_nuclear_medicine_does(term):
    assert any(term in text for text in GERMAN.texts.values())


@pytest.fixture
def languages(tmp_path, monkeypatch):
    """A folder of languages that a test may spoil."""
    for name in ("en", "de"):
        (tmp_path / f"{name}.json").write_bytes(resource_path("Languages", f"{name}.json").read_bytes())
    monkeypatch.setattr(language_module, "resource_path", lambda _folder, *parts: tmp_path.joinpath(*parts))
    language_module._texts.cache_clear()
    yield tmp_path
    language_module._texts.cache_clear()


def spoil(folder, **changes):
    path = folder / "de.json"
    texts = {**json.loads(path.read_bytes()), **changes}
    path.write_text(json.dumps({key: text for key, text in texts.items() if text is not None}), encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": None}, "de.json has no translation of title"),
        ({"title": ""}, "de.json has no translation of title"),
        ({"case": "Fall"}, "de.json: case has other placeholders"),
        ({"case": "Fall {case"}, "de.json: case has other placeholders"),
        ({"title": 3}, "de.json is no table of texts"),
    ],
)
def test_what_a_translation_lacks_is_named(languages, changes, message):
    spoil(languages, **changes)
    with pytest.raises(DaTscanError, match=re.escape(message)):
        find_language("de")


def test_a_language_that_is_not_there_is_refused(languages):
    with pytest.raises(DaTscanError, match="no report language 'fr': choose among de, en"):
        find_language("fr")


def test_a_translators_file_is_a_language(languages):
    texts = {**ENGLISH.texts, "title": "Compte rendu DaTscanAI"}
    (languages / "fr.json").write_text(json.dumps(texts), encoding="utf-8")
    assert find_language("fr")("title") == "Compte rendu DaTscanAI"


# ---- sentences of the chain


def sentences_of(path):
    """Whole sentences that a module may write into a result: no docstrings, no errors, no other texts."""
    tree, passed_over = ast.parse(path.read_text(encoding="utf-8")), set()
    for node in ast.walk(tree):
        is_error = isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith("Error")
        if (
            isinstance(node, ast.Raise)
            or is_error
            or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        ):
            passed_over |= {id(inner) for inner in ast.walk(node)}
        if isinstance(node, ast.JoinedStr):
            passed_over |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        text = "" if id(node) in passed_over else _sample(node)
        if len(text.split()) > 3 and text.endswith(".") and (text[0].isupper() or text[0].isdigit()):
            yield node.lineno, text


def _sample(node):
    """A literal text with something in the place of each placeholder."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{[^}]*\}", "7", node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "7" for part in node.values)
    return ""


NOT_OF_A_RESULT = {"reading/inputs.py", "quantification/normals.py", "quantification/change.py"}


def test_every_sentence_of_a_result_has_a_translation():
    files = [PACKAGE / "analysis.py"]
    files += [
        path for room in ("reading", "registration", "quantification") for path in (PACKAGE / room).glob("*.py")
    ]
    files += [
        PACKAGE / "classification" / f"{name}.py" for name in ("atypical", "doubt", "explained", "second_reader")
    ]
    files += [PACKAGE / "classification" / "torch_problems.py"]
    known, missing = [pattern for _, pattern in _patterns()], []
    for path in files:
        name = path.relative_to(PACKAGE).as_posix()
        for line, text in sentences_of(path) if name not in NOT_OF_A_RESULT else ():
            if not any(pattern.fullmatch(text) for pattern in known):
                missing.append(f"{name}:{line}: {text}")
    assert not missing, "add to Resources/Languages/*.json as sentence.*:\n" + "\n".join(missing)


def test_the_search_for_sentences_sees_them():
    assert len(list(sentences_of(PACKAGE / "quantification" / "reference_check.py"))) == 4
    assert len(list(sentences_of(PACKAGE / "classification" / "doubt.py"))) == 7


@pytest.mark.parametrize(
    ("english", "german"),
    [
        (
            "The registration is doubtful (quality 0.62): check it by eye, and by hand if it is off.",
            "Die Registrierung ist zweifelhaft (Güte 0,62): visuell prüfen und bei Abweichung von Hand korrigieren.",
        ),
        (
            "The field of view cuts 12% off the right caudate region.",
            "Das Gesichtsfeld schneidet 12 % der Region Nucleus caudatus rechts ab.",
        ),
        (
            "The caudate is worse than the putamen (left and right), unlike in Parkinson's disease.",
            "Der Nucleus caudatus ist stärker vermindert als das Putamen (links und rechts), anders als beim Morbus "
            "Parkinson.",
        ),
        (
            "x.dcm: the registration to the FP-CIT template was not accepted (quality 0.10), no head was found: "
            "check that this is a DAT scan, or give a transform by hand.",
            "x.dcm: Die Registrierung auf das FP-CIT-Template wurde nicht akzeptiert (Güte 0,10), es wurde kein Kopf "
            "gefunden: prüfen, ob dies eine DAT-Aufnahme ist, oder eine Transformation von Hand vorgeben.",
        ),
        ("Camera A: 30 normal scans, 45 to 85 years.", "Camera A: 30 Normalbefunde, 45 bis 85 Jahre."),
        ("Nobody has translated this.", "Nobody has translated this."),
    ],
)
def test_sentences_of_the_chain_are_translated_with_what_they_hold(english, german):
    assert translated(english, GERMAN) == german
    assert translated(english, ENGLISH) == english


def test_reasons_of_normals_that_do_not_fit_are_translated_one_by_one():
    sentence = (
        "No z-scores by the normals Site: its camera is B, the normals' A; its smoothness is 9.1 mm, the normals' "
        "10.0 to 14.0 mm."
    )
    assert translated(sentence, GERMAN) == (
        "Keine z-Werte nach den Normalwerten Site: Kamera: B, bei den Normalwerten A; die Glätte beträgt 9,1 mm, die "
        "der Normalwerte 10,0 bis 14,0 mm."
    )


# ---- the page


def shares(*values):
    return dict(zip(("normal", "borderline", "moderate", "strong", "almost missing"), values, strict=True))


def full_result():
    """Everything that a page may have to hold at once."""
    result = result_with(
        patient={"age": 61.0, "sex": "F"},
        camera={"manufacturer": "Maker", "model": "Camera A", "collimator": "LEHR", "corrections": ["ATTN", "SCAT"]},
        scan={"shape": [128, 128, 72], "affine_ras": [[3.9, 0, 0, 0], [0, 3.9, 0, 0], [0, 0, 4.42, 0], [0, 0, 0, 1]]},
        clinical={
            "indication": "Tremor of the right hand for two years: essential tremor or a parkinsonian syndrome? " * 2,
            "drugs": "Levodopa 3 x 100 mg, bupropion stopped eight days ago",
            "tracer": "I-123 ioflupane",
            "dose_mbq": 183.4,
            "injection_to_scan_min": 214.0,
            "prior_case": "case-3",
            "prior_years": 2.1,
            "from_dicom": ["tracer", "dose_mbq"],
        },
        warnings=[f"Warning number {number} on something that a reader has to know." for number in range(9)],
    )
    kept, lost = shares(0.9, 0.08, 0.02, 0, 0), shares(0, 0.1, 0.48, 0.41, 0.01)
    parts = ("caudate", "putamen_anterior", "putamen_posterior")
    grades = {f"{part}_{side}": lost if side == "left" else kept for part in parts for side in ("left", "right")}
    result["quantification"]["grades"] = {
        key: {"grade": max(entry, key=entry.get), "probabilities": entry} for key, entry in grades.items()
    }
    database = database_of_people()
    compared = against_normals(measures_of(result["quantification"]), 61.0, "F", FINGERPRINT, database)
    result["quantification"].update(normals=compared.to_json(), z=compared.z)
    return result, database


@pytest.fixture(scope="module")
def panels():
    lost = -4 * blob((27.0, 2.0, 4.0))
    return paint_panels(5 * blob((27.0, 2.0, 4.0)), blob((-27.0, 2.0, 4.0)), gray_mri(), MRI_AFFINE, difference=lost)


def full_page(panels, words):
    result, database = full_result()
    graphs = patient_graphs(result, database, words=words)
    return PdfFile(report_bytes(result, panels, result["patient"], graphs, words))


@pytest.mark.parametrize("name", language_names())
def test_a_full_page_holds_all_and_nothing_overlaps(panels, name):
    pdf = full_page(panels, Language(name))
    assert len(pdf.pages()) == 1
    assert len(pdf.images()) >= 5  # graphs, scan and relevance with their bars
    boxes = [
        (text.x, text.x + text_width(text.text, text.size, text.font == "F2"), 841.89 - text.y, text)
        for text in pdf.texts()
        if text.text
    ]
    for left, right, y, text in boxes:
        assert left >= LEFT - 0.1, text
        assert right <= RIGHT + 0.5, text
        assert 30 < y < 825, text
    for line in {y for *_, y, _ in boxes}:
        row = sorted(box for box in boxes if abs(box[2] - line) < 3)
        for (_, end, _, first), (start, _, _, second) in pairwise(row):
            assert end <= start + 0.5, (first, second)
    assert max(y for *_, y, text in boxes if text.text == "•") < FOOTER_TOP


def test_the_german_page_is_german(panels):
    pdf = full_page(panels, GERMAN)
    text = " ".join(shown.text for shown in pdf.texts()).replace("\N{MULTIPLICATION SIGN}", "x")
    for part in (
        "Nur für Forschungszwecke, kein Medizinprodukt",
        "61 Jahre, weiblich",
        "Radiopharmakon I-123 ioflupane *, 183,4 MBq *",
        "3 h 34 min",
        "Maker Camera A, Kollimator LEHR, 128 x 128 x 72 Voxel, 3,9 x 3,9 x 4,42 mm",
        "Korrekturen ATTN, SCAT",
        "case-3, 2,1 Jahre zuvor",
        "Vermindert Wahrscheinlichkeit einer verminderten Bindung: 97 %",
        "2,13 1,02 70,5 % (z",
        "mittelgradig oder hochgradig (48 %, 41 %)",
        "Verminderte striatale Dopamintransporter-Bindung. Am geringsten im linken Putamen (SBR 1,02, z -",
        "Aus Platzmangel weggelassen:",
    ):
        assert part in text
    for word in ("uptake", "Putamen with", "Research", "warning:", "not stated"):
        assert word not in text
    assert b"/Lang (de)" in pdf.content_of(1)


# ---- what the page says


def text_of(result, words=ENGLISH):
    return " ".join(shown.text for shown in PdfFile(report_bytes(result, None, language=words)).texts())


def test_what_nobody_stated_is_left_open():
    text = text_of(RESULT)
    assert "Indication not stated Drugs not stated Tracer not stated Injection to scan not stated" in text
    assert "Comparison no earlier scan stated" in text


def test_identifiers_stand_on_the_page_only_if_the_result_has_them():
    identifiers = {"name": "Muster^Erika", "id": "4711", "birth_date": "19600131", "accession_number": "A-22"}
    shown = "Patient: Muster, Erika, Pat.-ID 4711, geb. 31.01.1960, Auftragsnummer A-22"
    assert shown in text_of(result_with(identifiers=identifiers), GERMAN)
    assert "Muster" not in text_of(result_with(patient=identifiers), GERMAN)


@pytest.mark.parametrize(
    ("changes", "proposal"),
    [
        ({}, "Reduced striatal dopamine transporter binding. Lowest in the left putamen (SBR 1.02)."),
        (
            {"classification": {"label": "normal"}},
            "Unremarkable striatal dopamine transporter binding on both sides.",
        ),
        ({"classification": {"label": "uncertain"}}, "No proposal: the answer is uncertain."),
        ({"classification": None}, "No proposal: there is no answer."),
        ({"registration": {"quality": 0.2, "accepted": False}}, "No proposal: the registration was not accepted."),
    ],
)
def test_the_interpretation_is_a_proposal_with_room_for_the_readers(changes, proposal):
    text = text_of(result_with(**changes))
    assert f"Interpretation: a proposal, to be completed by the reader {proposal} Reader's interpretation:" in text


def test_only_a_neighbouring_grade_is_named_as_close():
    from DaTscanAILib.reporting.numbers import grade_text

    assert grade_text({"probabilities": shares(0.4, 0.1, 0.1, 0.0, 0.4)}) == "normal (40 %)"
    assert grade_text({"probabilities": shares(0.1, 0.3, 0.5, 0.1, 0.0)}, GERMAN) == (
        "mittelgradig oder grenzwertig (50 %, 30 %)"
    )
    assert grade_text({"grade": "strong"}) == "strong"
    assert grade_text(None) == "not available"


def test_what_has_no_room_is_named(panels):
    text = " ".join(shown.text for shown in full_page(panels, ENGLISH).texts())
    assert "Left out for lack of room: coronal and sagittal slices, difference from the mean normal scan." in text
    assert "Left out" not in " ".join(shown.text for shown in PdfFile(report_bytes(RESULT, panels)).texts())
    assert GRID_SHAPE == (91, 109, 91)
