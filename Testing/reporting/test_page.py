"""The batch page: what it holds of a case, and that nothing in it can be more than text."""

import base64
import hashlib
import io
import json
import re

import numpy as np
import pytest
from page_factory import ANSWERS, HOSTILE, REFUSED, TRUNCATED, result_of, small_pictures, write_small_batch
from picture_factory import GRID_SHAPE, blob
from PIL import Image

from DaTscanAILib.mni.atlas import GRID_AFFINE, load_mri
from DaTscanAILib.reporting import page as page_module
from DaTscanAILib.reporting.page import Page, page_bytes
from DaTscanAILib.reporting.page_entry import page_entry
from DaTscanAILib.reporting.page_pictures import case_pictures, shared_pictures, sheet_size
from DaTscanAILib.reporting.panels import Cut, Volume, relevance_limit, relevance_slice, scan_limit, scan_slice
from DaTscanAILib.reporting.result_files import PAGE_PICTURES, table_row


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_small_batch(tmp_path_factory.mktemp("page"))


def data_of(page: bytes) -> dict:
    """The page's data, found as a browser finds them: up to the first end of a script."""
    text = page.decode()
    start = text.index('id="data">') + len('id="data">')
    return json.loads(text[start : text.index("</script", start)])


# --- one case ---------------------------------------------------------------------------------------------


def test_an_entry_has_the_numbers_of_the_result():
    result = result_of("case-2", *ANSWERS["case-2"])
    result["quantification"]["z"] = {"putamen_right": -1.234, "putamen_left": -4.56}
    entry = page_entry(table_row("case-2", result, None), result)
    assert (entry["answer"], entry["probability"], entry["percent"]) == ("reduced", 0.974, "97 %")
    assert entry["sbr"] == [1.02, 1.02, 2.91, 2.24]  # right putamen, left, right caudate, left
    assert entry["z"] == -4.56
    assert entry["texts"][0] == "The striatal uptake is classified as reduced."
    putamen = next(row for row in entry["tables"][0]["rows"] if row[0] == "Putamen")
    assert putamen == ["Putamen", "1.02", "1.02", "70.5 %"]
    assert entry["stamp"] == "5a" * 6


def test_a_refused_scan_has_a_sentence_and_no_numbers():
    result = result_of("refused", None, None, 0.4, 0.2) | {"refused": True, "error": REFUSED}
    entry = page_entry(table_row("refused", result, None), result)
    assert (entry["answer"], entry["error"]) == ("failed", REFUSED)
    assert entry["sbr"] == [None] * 4
    assert (entry["probability"], entry["z"], entry["tables"]) == (None, None, [])
    assert "slices.png" in entry["files"]  # so that a person sees why


def test_results_of_a_former_run_are_not_shown_as_this_ones():
    """The scan has gone since: its folder still holds what it once gave."""
    result = result_of("case-2", *ANSWERS["case-2"])
    entry = page_entry(table_row("case-2", None, "case-2.dcm cannot be opened (gone): check the path."), result)
    assert (entry["answer"], entry["files"], entry["texts"], entry["sbr"]) == ("failed", [], [], [None] * 4)


def test_a_case_with_a_lost_file_is_shown_without_its_results(tmp_path):
    written = write_small_batch(tmp_path)
    (tmp_path / "case-2" / "map.png").unlink()
    rows = [table_row("case-2", result_of("case-2", *ANSWERS["case-2"]), None)]
    Page(tmp_path).write(rows)
    assert data_of(written.read_bytes())["cases"][0]["files"] == []


# --- the file ---------------------------------------------------------------------------------------------


def test_hostile_text_cannot_leave_the_data(written):
    page = written.read_bytes()
    names = [entry["case"] for entry in data_of(page)["cases"]]
    assert names == ["case-2", "case-10", "case-1", "refused", "broken", HOSTILE]
    assert b"stolen" in page
    assert re.findall(rb"<script[^>]*>", page) == [b'<script type="application/json" id="data">', b"<script>"]
    assert b"onerror" not in re.sub(rb'(?s)<script type="application/json" id="data">.*?</script>', b"", page)


def test_placeholders_in_a_text_stay_as_they_are():
    row = table_row("%%SCRIPT%% %%DATA%%", None, TRUNCATED)
    (entry,) = data_of(page_bytes([page_entry(row, None)]))["cases"]
    assert entry["case"] == "%%SCRIPT%% %%DATA%%"


def test_the_policy_lets_only_our_script_and_style_run(written):
    text = written.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        content = re.search(rf"(?s)<{tag}>(.*?)</{tag}>", text)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"(src|href|action)=\"?https?:|@import|url\(\s*[\"']?https?:", text)


def test_the_statement_of_use_stands_in_it(written):
    data = data_of(written.read_bytes())
    assert data["research_statement"].startswith("Research use only")
    assert "simulated" in data["research_statement"]
    assert "Radiological view" in data["orientation"]["known"]
    assert "(R)" not in data["orientation"]["unknown"]


def test_the_same_results_give_the_same_bytes_and_other_results_other_ones(tmp_path):
    first = write_small_batch(tmp_path).read_bytes()
    assert write_small_batch(tmp_path).read_bytes() == first
    assert write_small_batch(tmp_path, stamp="6b" * 32).read_bytes() != first


def test_a_page_that_is_written_again_reads_only_what_has_changed(tmp_path, monkeypatch):
    write_small_batch(tmp_path)
    rows = [table_row(case, result_of(case, *facts), None) for case, facts in ANSWERS.items()]
    page, read = Page(tmp_path), []
    finished = page_module.finished_result
    monkeypatch.setattr(page_module, "finished_result", lambda folder: read.append(folder.name) or finished(folder))
    page.write(rows[:2])
    page.write(rows)
    assert read == ["case-2", "case-10", "case-1"]


def test_of_very_many_cases_the_last_ones_are_shown_and_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "MOST_CASES", 2)
    Page(tmp_path).write([table_row(f"case-{number}", None, TRUNCATED) for number in range(5)])
    data = data_of((tmp_path / "index.html").read_bytes())
    assert [entry["case"] for entry in data["cases"]] == ["case-3", "case-4"]
    assert data["total"] == 5


# --- pictures ---------------------------------------------------------------------------------------------


def opened(data: bytes, mode="RGBA") -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode)).astype(int)


def test_all_layers_have_one_size():
    pictures = small_pictures()
    assert set(pictures) == set(PAGE_PICTURES)
    sizes = {Image.open(io.BytesIO(data)).size for data in shared_pictures().values()}
    sizes |= {Image.open(io.BytesIO(pictures[name])).size for name in ("slices.png", "map.png")}
    assert sizes == {sheet_size()}
    assert Image.open(io.BytesIO(pictures["thumbnail.png"])).size == (120, 144)


def test_layers_over_each_other_are_the_overview_s_slices():
    """The browser's map over the template is what `relevance_slice` paints for overview and report."""
    scan = np.ones(GRID_SHAPE, np.float32) + 3 * blob((26.0, 4.0, 3.0))
    relevance = blob((-26.0, 4.0, 3.0)) - 0.5 * blob((26.0, 4.0, 3.0))
    pictures, cut, scale = case_pictures(scan, relevance), Cut("axial", -12.0), 1.25
    expected = scan_slice(Volume(scan, GRID_AFFINE), cut, scan_limit(scan), scale).astype(int)
    height, width = expected.shape[:2]
    assert np.array_equal(opened(pictures["slices.png"], "RGB")[:height, :width], expected)
    over = Image.open(io.BytesIO(shared_pictures()["mri"])).convert("RGBA")
    over.alpha_composite(Image.open(io.BytesIO(pictures["map.png"])).convert("RGBA"))
    cut, left = Cut("axial", 0.0), 2 * (width + 6)
    layers = Volume(relevance, GRID_AFFINE), Volume(*load_mri())
    expected = relevance_slice(*layers, cut, relevance_limit(relevance), scale).astype(int)
    found = np.asarray(over.convert("RGB")).astype(int)[:height, left : left + width]
    assert np.abs(found - expected).max() <= 1
    assert (opened(pictures["map.png"])[..., 3] > 0).any()


def test_without_a_map_there_is_no_picture_of_one():
    assert "map.png" not in case_pictures(np.ones(GRID_SHAPE, np.float32), None)


def test_a_scan_on_its_template_coincides_with_it_in_the_pictures():
    """What flickers is in one place: the template given as a scan is the template's picture."""
    from DaTscanAILib.mni.atlas import read_grid

    template = (read_grid("fpcit_template_2mm.nii.gz") / 1000).astype(np.float32)
    found = opened(case_pictures(template, None)["slices.png"], "RGB")
    expected = opened(shared_pictures()["template"], "RGB")
    assert (np.abs(found - expected).max(axis=-1) > 8).mean() < 1e-4
