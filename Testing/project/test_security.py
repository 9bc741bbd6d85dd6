"""What comes from elsewhere may be hostile: weights, metadata, manifests, compressed files; nothing of it is run."""

import csv
import json
import pickle
import shutil
import subprocess
import sys
import zipfile

import batch_stub
import numpy as np
import pytest
import torch
from batch_stub import write_scans
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_factory import write_tiny_model

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.batch.options import Options
from DaTscanAILib.batch.run import analyze_batch
from DaTscanAILib.classification import model_folder as models
from DaTscanAILib.classification.model_folder import find_model
from DaTscanAILib.classification.networks import build_network
from DaTscanAILib.classification.weights import file_sha256, read_weights, write_weights
from DaTscanAILib.mni.atlas import GRID_SHAPE, load_atlas
from DaTscanAILib.reading.inputs import collect_cases
from DaTscanAILib.reporting.result_files import COLUMNS, table_row, write_table

BOUNDED = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny", members=1).folder


@pytest.fixture
def copy(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "tiny")


def metadata_of(folder):
    return json.loads((folder / "configs" / "metadata.json").read_text())


def write_metadata(folder, metadata):
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))


def replace_weights(folder, write):
    """Put another file in the place of the weights and let the metadata agree with it."""
    path = folder / "models" / "member_0.safetensors"
    path.unlink()
    write(path)
    metadata = metadata_of(folder)
    metadata["datscanai"]["weights"][0]["sha256"] = file_sha256(path)
    write_metadata(folder, metadata)


def refusal(folder) -> str:
    with pytest.raises(DaTscanError) as caught:
        find_model(folder).load_networks()
    return str(caught.value)


# --- weights ----------------------------------------------------------------------------------------------


class Hostile:
    """Unpickling it would write a file."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (exec, (f"open({str(self.mark)!r}, 'w')",))


def as_pickle(path, hostile):
    path.write_bytes(pickle.dumps({"weight": hostile}))


def as_torch_file(path, hostile):
    torch.save({"weight": hostile}, path)


def as_numpy_file(path, hostile):
    with path.open("wb") as file:
        np.save(file, np.array([hostile], object), allow_pickle=True)


def as_zip(path, hostile):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(hostile))


@pytest.mark.parametrize("write", [as_pickle, as_torch_file, as_numpy_file, as_zip])
def test_a_hostile_pickle_is_refused_and_not_run(write, copy, tmp_path):
    """With a matching checksum: whoever made the folder made that too."""
    hostile = Hostile(tmp_path / "was run")
    replace_weights(copy, lambda path: write(path, hostile))
    assert "this is not a safetensors file" in refusal(copy)
    assert not (tmp_path / "was run").exists()


def test_no_module_of_the_package_unpickles_files():
    """The Slicer adapters speak so with their own worker, through a pipe."""
    package = batch_stub.LIBRARY / "DaTscanAILib"
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "import pickle" not in text or path.parent.name == "slicer_adapters", path
        assert "allow_pickle=True" not in text, path
        assert all("weights_only=True" in line for line in text.splitlines() if "torch.load(" in line), path


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value, copy):
    """NaN is not above the threshold, so such a network would call every scan normal."""
    state = find_model(copy).load_networks()[0].state_dict()
    state[next(iter(state))].view(-1)[0] = value
    replace_weights(copy, lambda path: write_weights(path, state))
    assert refusal(copy) == "tiny: the weights models/member_0.safetensors are not finite: use another model."


def test_weights_of_another_shape_are_refused(copy):
    replace_weights(copy, lambda path: write_weights(path, build_network("compact").state_dict()))
    assert "are of another network than wenzel2019" in refusal(copy)


def test_weights_larger_than_any_network_are_not_even_hashed(copy, monkeypatch):
    monkeypatch.setattr(models, "_LARGEST_WEIGHTS", 1000)
    monkeypatch.setattr(models, "file_sha256", lambda path: pytest.fail("read"))
    assert "do not match their checksum" in refusal(copy)


def test_altered_weights_are_one_error_before_any_scan(copy, tmp_path):
    path = copy / "models" / "member_0.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    scans = write_scans(tmp_path / "scans", ["a"])
    with pytest.raises(DaTscanError, match="do not match their checksum"):
        analyze_batch(collect_cases([scans]), Options(output=tmp_path / "out", model=str(copy)))
    assert not (tmp_path / "out").exists()


def test_a_link_out_of_the_models_folder_is_refused(copy, tmp_path):
    path = copy / "models" / "member_0.safetensors"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert "lie outside the model's folder" in refusal(copy)


def test_bytes_of_weights_flipped(model_folder, tmp_path):
    """The header is where a reader can be led astray; the checksum is not asked here."""
    whole = (model_folder / "models" / "member_0.safetensors").read_bytes()[:20_000]
    path, generator, sentences = tmp_path / "w.safetensors", np.random.default_rng(5), []
    header = 8 + int.from_bytes(whole[:8], "little")
    for _ in range(600):
        data = bytearray(whole)
        for place in generator.integers(0, header, generator.integers(1, 6)):
            data[place] = generator.integers(256)
        path.write_bytes(data)
        try:
            read_weights(path)
        except DaTscanError as error:
            sentences.append(str(error))
    assert len(sentences) > 300
    assert all(sentence.startswith("w.safetensors: ") for sentence in sentences)


HEADERS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.sampled_from(["F32", "I64", "PICKLE", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets", "__metadata__", "a"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(BOUNDED, max_examples=250)
@given(HEADERS)
def test_any_header_of_weights(tmp_path_factory, header):
    path = tmp_path_factory.getbasetemp() / "header.safetensors"
    text = json.dumps({"a": header} if not isinstance(header, dict) else header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(64))
    try:
        state = read_weights(path)
    except DaTscanError:
        return
    assert sum(tensor.numel() * tensor.element_size() for tensor in state.values()) <= 64 * max(1, len(state))


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000], ids=["lists", "objects"])
def test_a_deeply_nested_header_is_refused(text, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(DaTscanError, match="header of the weights is damaged"):
        read_weights(path)


# --- metadata ---------------------------------------------------------------------------------------------

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**12),
    st.floats(),
    st.sampled_from(["", "slab", "full", "../../etc/passwd", "compact", "x" * 1000, "\0"]),
    st.lists(st.integers() | st.floats() | st.text(max_size=3), max_size=3),
    st.dictionaries(st.sampled_from(["balanced", "box", "file", "sha256"]), st.integers() | st.none(), max_size=3),
)
VOXELS = np.ones(GRID_SHAPE, np.float32)
PLACES = [
    (),
    ("version",),
    ("datscanai",),
    *(("datscanai", key) for key in ("format", "architecture", "preprocessing", "rule", "weights", "trained_on")),
    *(("datscanai", "preprocessing", key) for key in ("box", "striatum_masked", "window", "offset", "scale")),
    *(("datscanai", "preprocessing", key) for key in ("slab_center", "brain_margin", "from_reference")),
    *(("datscanai", *keys) for keys in (("reference",), ("reference", "name"), ("reference", "sha256"))),
    *(("datscanai", "rule", key) for key in ("slope", "intercept", "threshold", "doubt", "heads", "sensitive_votes")),
    ("datscanai", "weights", 0),
    *(("datscanai", "weights", 0, key) for key in ("file", "sha256")),
]


@settings(BOUNDED, max_examples=300)
@given(st.sampled_from(PLACES), ANYTHING)
def test_any_value_in_the_metadata(model_folder, tmp_path_factory, place, value):
    folder = tmp_path_factory.getbasetemp() / "any metadata"
    metadata = metadata_of(model_folder)
    if not folder.exists():
        shutil.copytree(model_folder, folder, ignore=lambda *_: ["member_0.safetensors"])
        (folder / "models" / "member_0.safetensors").write_bytes(b"small, to be quick")
    metadata["datscanai"]["weights"][0]["sha256"] = file_sha256(folder / "models" / "member_0.safetensors")
    target = metadata
    for key in place[:-1]:
        target = target[key]
    if place:
        target[place[-1]] = value
    write_metadata(folder, metadata if place else value)
    try:
        model = find_model(folder)
        model.check_weights()
        if "preprocessing" in place:
            model.network_input(VOXELS, load_atlas())
    except DaTscanError as error:
        sentence = str(error)
    else:
        sentence = "any metadata: fine"
    assert sentence.startswith("any metadata: ")
    assert len(sentence) < 1500


@pytest.mark.parametrize("text", ["[" * 100_000, "", "\0", '{"datscanai": []}', "[]", "null"])
def test_metadata_that_is_none(text, copy):
    (copy / "configs" / "metadata.json").write_text(text)
    assert "this folder is not a model of DaTscanAI" in refusal(copy)


def test_metadata_of_a_gigabyte_is_not_read_whole(copy):
    path = copy / "configs" / "metadata.json"
    with path.open("r+b") as file:
        file.truncate(2**30)
    assert "this folder is not a model of DaTscanAI" in refusal(copy)


def test_heads_beyond_the_networks_outputs_are_refused(copy):
    metadata = metadata_of(copy)
    metadata["datscanai"]["rule"]["heads"] = {"balanced": [0, 7]}
    write_metadata(copy, metadata)
    assert "needs another version of DaTscanAI" in refusal(copy)


# --- what spreadsheet programs would run ------------------------------------------------------------------


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_the_table_begins_a_formula(text, tmp_path):
    result = {"classification": {"label": text, "model": text}, "warnings": [text]}
    write_table(tmp_path, [table_row("case", result, text)])
    with (tmp_path / "results.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row) == list(COLUMNS)
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    assert row["error"] == "'" + text.replace("\t", " ").replace("\r", " ")


def test_a_scan_whose_name_is_a_formula(tmp_path):
    scans = write_scans(tmp_path / "scans", ["a"])
    (scans / "=cmd|'calc'!A1.nii").write_bytes(b"")
    (scans / "a.nii").unlink()
    with pytest.MonkeyPatch().context() as patch:
        batch_stub.install(patch.setattr)
        analyze_batch(collect_cases([scans]), Options(output=tmp_path / "out"))
    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["case"] == "cmd_calc_A1"
    assert row["error"].startswith("'=cmd|")


def test_names_that_are_no_text_do_not_stop_the_batch(tmp_path):
    """Linux allows any bytes: Latin-1, line ends, terminal codes."""
    scans = write_scans(tmp_path / "scans", ["a"])
    names = [b"caf\xe9.nii", b"two\nlines.nii", b"\x1b[31mred.nii"]
    try:
        for name in names:
            shutil.copy(scans / "a.nii", bytes(scans) + b"/" + name)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.MonkeyPatch().context() as patch:
        batch_stub.install(patch.setattr)
        outcomes = analyze_batch(collect_cases([scans]), Options(output=tmp_path / "out"))
    assert [outcome.failed for outcome in outcomes] == [False] * 4
    for outcome in outcomes:
        assert outcome.case.isprintable()
        json.loads((tmp_path / "out" / outcome.case / "result.json").read_bytes().decode("utf-8"))


# --- the network ------------------------------------------------------------------------------------------

NO_NETWORK = """
import sys
from pathlib import Path

def refuse(event, arguments):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        raise AssertionError(f"network: {event} {arguments}")

sys.addaudithook(refuse)
from DaTscanAILib.cli.main import main

status = main(["analyze", sys.argv[1], "--output", sys.argv[2], "--model", sys.argv[3], "--device", "cpu"])
assert (Path(sys.argv[2]) / "reduced" / "report.pdf").exists()
sys.exit(status)
"""


def test_analysis_uses_no_network(model_folder, tmp_path):
    """Every connection, look-up of a name and opened port would raise."""
    sample = batch_stub.LIBRARY.parent / "Resources" / "Samples" / "reduced.dcm"
    done = subprocess.run(
        [sys.executable, "-c", NO_NETWORK, str(sample), str(tmp_path / "out"), str(model_folder)],
        env=batch_stub.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
