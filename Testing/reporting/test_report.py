"""The report: its numbers and sentences can be read back, nothing leaves the page, edge inputs, atomic writing."""

import re

import numpy as np
import pytest
from pdf_reader import PdfFile
from picture_factory import GRID_SHAPE, MRI_AFFINE, RESULT, blob, gray_mri, result_with

from DaTscanAILib.base.files import atomic_write_bytes
from DaTscanAILib.reporting.panels import paint_panels
from DaTscanAILib.reporting.pdf import text_width
from DaTscanAILib.reporting.report import FOOTER_TOP, LEFT, RIGHT, report_bytes, write_report


@pytest.fixture(scope="module")
def panels():
    scan = 5 * blob((27.0, 2.0, 4.0))
    return paint_panels(scan, blob((-27.0, 2.0, 4.0)), gray_mri(), MRI_AFFINE)


def lines_of(result, panels=None, patient=None) -> list[str]:
    """The report's text by lines, from above; the parts of a line from the left, two spaces between them."""
    rows = {}
    for text in PdfFile(report_bytes(result, panels, patient)).texts():
        rows.setdefault(-text.y, []).append((text.x, text.text))
    return ["  ".join(part for _, part in sorted(parts)) for _, parts in sorted(rows.items())]


def test_table_has_every_number_on_its_side():
    lines = lines_of(RESULT)
    assert "Specific binding ratio (SBR)  Right  Left  Asymmetry" in lines
    assert "Caudate  2.91  2.24  26.0 %" in lines
    assert "Putamen  2.13  1.02  70.5 %" in lines
    assert any(line.split("  ")[:3] == ["Striatum", "2.46", "1.57"] for line in lines)
    assert "Caudate/putamen ratio  1.37  2.20" in lines


def test_answer_registration_explanation_and_statements():
    text = " ".join(lines_of(RESULT, patient={"age": 67.0, "sex": "F", "name": "Doe^Jane"}))
    for part in (
        "Case: case-17",
        "Reduced  Probability of reduced uptake: 97 %",
        "Model: compact",
        "age 67 years, female",
        "The striatal uptake is classified as reduced.",
        "Votes for reduced of 5 networks: balanced 5, specific 4.",
        "the putamen with the lower uptake (left) argues for reduced (relevance +0.0021); the region marked most",
        "(left posterior putamen) is one whose normal uptake would change the answer most.",
        "With a normal left posterior putamen the answer would be normal (p 0.12).",
        "L caudate  L post. putamen  thalamus",
        "96 %  12 %  97 %",
        "quality 0.93 (0 to 1), accepted.",
        "Warnings (1)",
        "The head is cut.",
        "Research use only. Not a medical device. Default weights were trained on simulated scans.",
        "75th percentile",
        "caudate (5 ml), putamen (10 ml), striatum (15 ml)",
        "LRP",
        "datscanai 9.8.7",
    ):
        assert part in text
    assert "Doe" not in text


@pytest.mark.parametrize(
    ("label", "heading", "sentence"),
    [
        ("normal", "Normal", "classified as normal"),
        ("uncertain", "Uncertain", "No answer is given"),
        (None, "Not classified", "has not been classified"),
    ],
)
def test_every_label_has_its_words(label, heading, sentence):
    text = " ".join(lines_of(result_with(classification={"label": label, "probability_reduced": 0.5})))
    assert heading in text
    assert sentence in text


def test_the_reason_for_no_answer_is_given():
    text = " ".join(lines_of(result_with(classification=None, error="scan.nii: no brain found.")))
    assert "scan.nii: no brain found." in text


def test_an_inconsistent_map_is_said_to_be():
    explanation = {"ipsilateral_putamen_relevance": -4e-7, "consistent": False}
    text = " ".join(lines_of(result_with(explanation=explanation)))
    assert "argues for normal (relevance -4e-07); the region marked most is NOT the one whose normal uptake" in text


@pytest.mark.parametrize(
    ("relevance", "argues"),
    [(0.00089, "hardly argues for either answer"), (0.0004, "argues for normal"), (0.0021, "argues for reduced")],
)
def test_what_the_lower_putamen_argues_for_is_said_with_the_cut(relevance, argues):
    """0.00089 lies between 0 and the cut: neither sign nor side of the cut alone tells what it argues for."""
    explanation = {
        "ipsilateral_putamen_relevance": relevance,
        "relevance_cut": 0.00114,
        "relevance_band": [0.0006, 0.0016],
    }
    text = " ".join(lines_of(result_with(explanation=explanation)))
    assert f"{argues} (relevance {relevance:+.2g}; this model's cut is +0.0011)" in text


def test_a_rejected_registration_is_framed_in_red():
    data = report_bytes(result_with(registration={"quality": 0.214, "accepted": False}), None)
    text = " ".join(shown.text for shown in PdfFile(data).texts())
    assert "The registration to the template was NOT accepted (quality 0.21)" in text
    assert re.search(rb"0.816 0.094 0.157 RG 1.5 w [\d. -]+ re S", PdfFile(data).page_content())
    assert b"0.816 0.094 0.157 RG" not in PdfFile(report_bytes(RESULT, None)).page_content()


def test_what_is_null_is_not_available():
    nothing = dict.fromkeys(RESULT)
    lines = lines_of(nothing)
    assert "Putamen  not available  not available  not available" in lines
    assert "Caudate/putamen ratio  not available  not available" in lines
    assert "Not classified  Probability of reduced uptake: not available  Model: not available" in lines
    assert "Warnings: none" in lines
    assert lines_of({}) == lines
    some = result_with(quantification={"sbr": {**RESULT["quantification"]["sbr"], "putamen_left": None}})
    assert "Putamen  2.13  not available  not available" in lines_of(some)


def test_numbers_stand_against_normals():
    entry = {"z": -4.56, "percent_deviation": -57.4, "percentile": 0.02}
    measures = {"putamen_left": entry, "asymmetry_putamen": {"z": -3.14, "percentile": 99.9}}
    normals = {"fits": True, "source": "Site: 44 normal scans.", "measures": measures}
    lines = lines_of(result_with(quantification={**RESULT["quantification"], "normals": normals}))
    assert "Putamen  2.13  1.02  70.5 % (z 3.1)  not available  z -4.6, -57 %, P <1" in lines
    assert any("Site: 44 normal scans." in line for line in lines)
    assert not any("normals" in line for line in lines_of(RESULT))


def test_normals_that_do_not_fit_are_a_sentence_and_no_number():
    normals = {"fits": False, "why_not": "No z-scores by the normals Site: other voxels.", "measures": {}}
    lines = lines_of(result_with(quantification={**RESULT["quantification"], "normals": normals}))
    assert "No z-scores by the normals Site: other voxels." in lines
    assert "Putamen  2.13  1.02  70.5 %" in lines
    assert not any("z -" in line for line in lines)


def test_grades_name_a_close_neighbour():
    probabilities = {"normal": 0.02, "borderline": 0.1, "moderate": 0.48, "strong": 0.35, "almost missing": 0.05}
    clear = {"normal": 0.9, "borderline": 0.08, "moderate": 0.02, "strong": 0.0, "almost missing": 0.0}
    grades = {
        "putamen_posterior_left": {"grade": "moderate", "probabilities": probabilities},
        "putamen_posterior_right": {"grade": "normal", "probabilities": clear},
    }
    lines = lines_of(result_with(quantification={**RESULT["quantification"], "grades": grades}))
    assert "Back of the putamen  R  normal (90 %)  L  moderate or strong (48 %, 35 %)" in lines
    assert not any("Grade of loss" in line for line in lines_of(RESULT))


def test_no_date_unless_the_result_has_one():
    pattern = re.compile(rb"\b(19|20)\d\d\b|Date")
    assert not pattern.search(PdfFile(report_bytes(RESULT, None)).page_content())
    assert "2026-11-21" in " ".join(lines_of(result_with(date="2026-11-21")))


@pytest.mark.parametrize("warning", ["Odd.", "long words " * 60, "x" * 100_000])
def test_many_warnings_stay_on_the_page_and_are_counted(panels, warning):
    result = result_with(warnings=[f"{number} {warning}" for number in range(200)])
    texts = PdfFile(report_bytes(result, panels)).texts()
    (note,) = (text for text in texts if text.text.endswith("more, see result.json"))
    shown = sum(text.text == "•" for text in texts)
    assert note.text == f"... and {200 - shown} more, see result.json"
    assert shown >= 2
    assert 841.89 - note.y < FOOTER_TOP
    assert_inside_the_page(texts)


def test_as_many_warnings_as_fit_are_all_shown():
    texts = PdfFile(report_bytes(result_with(warnings=[f"Warning {number}." for number in range(20)]), None)).texts()
    assert sum(text.text == "•" for text in texts) == 20
    assert not any("more, see" in text.text for text in texts)


@pytest.mark.parametrize("case", ["日本 😀", "Žluťoučký kůň", "(((\\", "long " * 500, "y" * 5000, "\ud800 half"])
def test_any_case_name(panels, case):
    long = {"label": "reduced", "probability_reduced": 0.9, "model": "m" * 500}
    data = report_bytes(result_with(case=case, classification=long, error="e" * 9000), panels)
    assert_inside_the_page(PdfFile(data).texts())
    assert PdfFile(data).title().startswith("DaTscanAI report: ")


def test_pictures_and_their_places_are_labeled(panels):
    pdf = PdfFile(report_bytes(RESULT, panels))
    texts = [text.text for text in pdf.texts()]
    assert len(pdf.images()) == 5  # three strips and two color bars
    assert texts.count("z = +6 mm") == 2
    assert texts.count("R") == texts.count("L") == 7 + 7 + 2
    assert "argues for reduced" in texts
    assert "Compared with: a mean of nothing" in texts
    assert "Radiological view: the patient's right (R) is on the left of axial and coronal slices." in texts
    assert_inside_the_page(pdf.texts())


def test_without_a_relevance_map():
    panels = paint_panels(np.zeros(GRID_SHAPE, np.float32), None, gray_mri(), MRI_AFFINE)
    pdf = PdfFile(report_bytes(result_with(explanation=None), panels))
    assert any(text.text.startswith("No relevance map") for text in pdf.texts())
    assert len(pdf.images()) == 3
    assert_inside_the_page(pdf.texts())


def test_one_page_and_always_the_same_bytes(panels):
    data = report_bytes(RESULT, panels)
    assert len(PdfFile(data).pages()) == 1
    assert data == report_bytes(RESULT, panels)
    assert len(data) < 1_000_000


def test_writing_replaces_a_file_and_leaves_nothing_else(tmp_path, panels):
    path = tmp_path / "report.pdf"
    path.write_bytes(b"old")
    write_report(path, RESULT, panels)
    assert path.read_bytes() == report_bytes(RESULT, panels)
    assert list(tmp_path.iterdir()) == [path]


def test_failed_writing_keeps_the_old_file_and_no_temporary_one(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        atomic_write_bytes(path, "text is not bytes")
    assert path.read_bytes() == b"old"
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError):
        atomic_write_bytes(folder, b"data")
    assert sorted(tmp_path.iterdir()) == [path, folder]
    with pytest.raises(FileNotFoundError):
        atomic_write_bytes(tmp_path / "missing" / "file", b"data")


def test_a_name_of_the_longest_length_can_be_written(tmp_path):
    path = tmp_path / ("n" * 255)
    atomic_write_bytes(path, b"data")
    assert path.read_bytes() == b"data"


def assert_inside_the_page(texts):
    for text in texts:
        width = text_width(text.text, text.size, bold=text.font == "F2")
        assert text.x >= LEFT - 0.1, text
        assert text.x + width <= RIGHT + 0.5, text
        assert 20 <= text.y <= 810, text


def test_a_map_of_a_doubtful_answer_says_so(panels):
    result = result_with(classification={**RESULT["classification"], "label": "uncertain"})
    assert "The network is uncertain. Compared with: a mean of nothing" in lines_of(result, panels)


def test_no_what_if_sentence_for_a_normal_answer():
    classification = {**RESULT["classification"], "label": "normal"}
    assert "With a normal" not in " ".join(lines_of(result_with(classification=classification)))


def test_a_whole_striatum_is_named_only_where_its_parts_fall_short():
    """Both putamina and the caudate of one side are lost: no part alone brings the answer back, the striatum does."""
    part = {"region": "caudate", "side": "left", "probability_reduced": 0.95, "change": -0.02, "answer": "reduced"}
    striatum = {**part, "region": "striatum", "probability_reduced": 0.05, "change": -0.92, "answer": "normal"}
    explanation = {**RESULT["explanation"], "what_if": [part, striatum]}
    text = " ".join(lines_of(result_with(explanation=explanation)))
    assert "With a normal left striatum the answer would be normal (p 0.05)." in text


def test_where_no_region_decides_the_report_says_so():
    part = {"region": "caudate", "side": "left", "probability_reduced": 0.95, "change": -0.02, "answer": "reduced"}
    text = " ".join(lines_of(result_with(explanation={**RESULT["explanation"], "what_if": [part]})))
    assert "No single region decides: even with a normal left caudate the answer would stay (p 0.95)." in text


def test_the_difference_from_normal_is_plainly_no_explanation():
    lost = -4 * blob((27.0, 2.0, 4.0))
    scan = np.zeros(GRID_SHAPE, np.float32)
    panels = paint_panels(scan, blob((-27.0, 2.0, 4.0)), gray_mri(), MRI_AFFINE, difference=lost)
    pdf = PdfFile(report_bytes(RESULT, panels))
    headings = [text.text for text in pdf.texts() if "mean normal scan in standard deviations" in text.text]
    assert len(headings) == 1
    assert headings[0].startswith("No explanation of the network")
    assert_inside_the_page(pdf.texts())
    red, green, blue = np.asarray(panels.difference.image, int).reshape(-1, 3).T
    assert ((red - green > 60) & (blue - green > 60)).sum() > 20  # magenta: less than normal
    assert not ((green - red > 40) & (green - blue > 40)).any()  # nothing is more
