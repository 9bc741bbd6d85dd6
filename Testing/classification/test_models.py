"""Weights and model folders: the safetensors package as oracle, and everything that may be wrong with a folder."""

import json
import struct

import numpy as np
import pytest
import safetensors.torch
import torch
from scipy import ndimage

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.classification.answer_rule import AnswerRule
from DaTscanAILib.classification.model_folder import find_model, read_model, shipped_models, write_model
from DaTscanAILib.classification.networks import build_network
from DaTscanAILib.classification.preprocessing import Preprocessing
from DaTscanAILib.classification.weights import file_sha256, read_weights, write_weights
from DaTscanAILib.explanation.reference import shipped_reference
from DaTscanAILib.mni.atlas import FULL_BOX, GRID_SHAPE, load_atlas
from DaTscanAILib.reading.scan import read_scan, write_volume
from DaTscanAILib.training.preparation import prepare_scan

MIDWAY = shipped_reference("midway").voxels
STATE = {
    "a.weight": torch.arange(24.0).reshape(2, 3, 4),
    "a.bias": torch.tensor([-1.5, 2.5]),
    "count": torch.tensor(7),
    "half": torch.ones(3, dtype=torch.float16),
}


@pytest.fixture
def model_folder(tmp_path):
    torch.manual_seed(0)
    networks = [build_network("wenzel2019") for _ in range(2)]
    write_model(
        tmp_path / "tiny",
        "wenzel2019",
        networks,
        Preprocessing(box="slab"),
        AnswerRule(slope=2.0),
        trained_on="nothing at all",
        card="# A model",
    )
    return tmp_path / "tiny"


# ---- weights


def test_written_weights_are_read_by_the_safetensors_package(tmp_path):
    write_weights(tmp_path / "w.safetensors", STATE)
    theirs = safetensors.torch.load_file(tmp_path / "w.safetensors")
    assert theirs.keys() == STATE.keys()
    for name, tensor in STATE.items():
        assert theirs[name].dtype == tensor.dtype
        assert torch.equal(theirs[name], tensor)


def test_weights_of_the_safetensors_package_are_read(tmp_path):
    safetensors.torch.save_file(STATE, tmp_path / "w.safetensors", metadata={"format": "pt"})
    ours = read_weights(tmp_path / "w.safetensors")
    assert ours.keys() == STATE.keys()
    for name, tensor in STATE.items():
        assert torch.equal(ours[name], tensor)


def test_the_same_weights_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_weights(tmp_path / name, STATE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def header_file(path, header, data=b"\0" * 64):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.mark.parametrize(
    "content",
    [
        {"a": {"dtype": "F32", "shape": [100], "data_offsets": [0, 400]}},  # beyond the file
        {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8]}},  # fewer bytes than values
        {"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}},
        {"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 16]}},
        {"a": {"dtype": "PICKLE", "shape": [4], "data_offsets": [0, 16]}},
        {"a": "nonsense"},
        [1, 2, 3],
        b"{not json",
        b"\xff\xfe",
    ],
    ids=["beyond", "short", "negative", "overflow", "dtype", "text", "list", "no json", "no text"],
)
def test_damaged_weights_are_refused(tmp_path, content):
    with pytest.raises(DaTscanError, match=r"w\.safetensors: .*damaged"):
        read_weights(header_file(tmp_path / "w.safetensors", content))


@pytest.mark.parametrize("content", [b"", b"1234", b"\x80\x02" + b"\xff" * 40, struct.pack("<Q", 2**62) + b"{}"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(DaTscanError, match=r"w\.safetensors"):
        read_weights(path)


# ---- model folders


def test_a_written_model_is_read_back(model_folder):
    model = find_model(model_folder)
    assert model == read_model(model_folder)
    assert (model.name, model.architecture, model.rule.slope) == ("tiny", "wenzel2019", 2.0)
    torch.manual_seed(0)
    originals = [build_network("wenzel2019") for _ in range(2)]
    image = torch.rand(1, 1, 91, 109)
    for network, original in zip(model.load_networks(), originals, strict=True):
        state, expected = network.state_dict(), original.state_dict()
        assert all(torch.equal(state[key], expected[key]) for key in expected)
        # Equal weights at another place in memory may be added up in another order.
        torch.testing.assert_close(network(image), original(image), rtol=1e-5, atol=1e-6)


def edit(folder, change):
    path = folder / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    change(metadata["datscanai"])
    path.write_text(json.dumps(metadata))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda own: own["weights"][0].update(sha256="0" * 64), "checksum"),
        (lambda own: own["weights"][0].update(file="models/none.safetensors"), "missing"),
        (lambda own: own["weights"][0].update(file="../../../etc/passwd"), "outside"),
        (lambda own: own.update(architecture="compact"), "another network"),
    ],
)
def test_wrong_weights_are_refused(model_folder, change, message):
    edit(model_folder, change)
    with pytest.raises(DaTscanError, match=message):
        find_model(model_folder).load_networks()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda own: own.update(format=99), "another version"),
        (lambda own: own.update(architecture="resnet9000"), "another version"),
        (lambda own: own.pop("rule"), "not a model"),
        (lambda own: own["preprocessing"].update(surprise=1), "not a model"),
        (lambda own: own.update(weights=[]), "another version"),
        (lambda own: own["rule"].update(relevance_band=[0.1]), "not a model"),
        (lambda own: own["rule"].update(relevance_band=[0.1, "high"]), "not a model"),
    ],
)
def test_unusable_metadata_is_refused(model_folder, change, message):
    edit(model_folder, change)
    with pytest.raises(DaTscanError, match=message):
        find_model(model_folder)


def test_a_truncated_weights_file_is_refused(model_folder):
    path = model_folder / "models" / "member_1.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DaTscanError, match="checksum"):
        find_model(model_folder).load_networks()


def test_unknown_models_are_refused(tmp_path):
    with pytest.raises(DaTscanError, match="no model 'none'"):
        find_model("none")
    with pytest.raises(DaTscanError, match="not a model"):
        find_model(tmp_path)


# ---- preprocessing


@pytest.mark.parametrize(("box", "shape"), [("full", (71, 90, 72)), ("striatum", (61, 44, 35)), ("slab", (91, 109))])
def test_preprocessing_cuts_windows_and_scales(box, shape):
    voxels = np.random.default_rng(0).uniform(-1, 9, GRID_SHAPE).astype(np.float32)
    image = Preprocessing(box=box, window=(0, 6), offset=1.0, scale=2.0).apply(voxels, load_atlas(), MIDWAY)
    assert image.shape == shape
    assert image.dtype == np.float32
    assert image.min() >= -0.5
    assert image.max() <= 2.5


def test_the_slab_is_12_mm_around_its_center():
    voxels = np.zeros(GRID_SHAPE, np.float32)
    voxels[:, :, 35:41] = 6  # centers at z = -2 ... 8 mm: the slab -3 ... 9 mm, its middle at 3 mm
    preprocessing = Preprocessing(box="slab", offset=0, slab_center=4)
    assert preprocessing.apply(voxels, load_atlas(), MIDWAY)[45, 54] == pytest.approx(6)
    assert np.flatnonzero(preprocessing.restore(np.ones((91, 109), np.float32))[45, 54]).tolist() == [*range(35, 41)]


@pytest.mark.parametrize("box", ["full", "striatum", "slab"])
def test_restoring_keeps_the_sum(box):
    preprocessing = Preprocessing(box=box)
    relevance = np.random.default_rng(1).normal(
        size=preprocessing.apply(np.ones(GRID_SHAPE, np.float32), load_atlas(), MIDWAY).shape
    )
    assert preprocessing.restore(relevance).sum() == pytest.approx(relevance.sum(), rel=1e-9)


@pytest.mark.parametrize("from_reference", [False, True])
@pytest.mark.parametrize("box", ["full", "striatum", "slab"])
def test_the_input_tells_the_uptake(box, from_reference):
    voxels = np.random.default_rng(3).uniform(0, 6, GRID_SHAPE).astype(np.float32)
    preprocessing = Preprocessing(box=box, from_reference=from_reference, scale=2.0)
    plain, reference = (
        Preprocessing(box=box, offset=0.0).apply(image, load_atlas(), MIDWAY) for image in (voxels, MIDWAY)
    )
    difference = 2 * preprocessing.apply(voxels, load_atlas(), MIDWAY)
    np.testing.assert_allclose(reference - difference if from_reference else 1 + difference, plain, atol=2e-6)


def test_loss_is_positive_and_normal_uptake_negative_seen_from_reference():
    """Two scans of another simulator, in the anatomical putamen of the lower side."""
    atlas, found = load_atlas(), {}
    putamen = (
        Preprocessing(offset=0.0).apply(atlas.anatomical_region("putamen", "left").astype(np.float32), atlas, MIDWAY)
        > 0
    )
    for name in ("normal", "reduced"):
        voxels, _ = prepare_scan(read_scan(resource_path("Samples", f"{name}.dcm")))
        found[name] = (
            Preprocessing(from_reference=True).apply(voxels.astype(np.float32), atlas, MIDWAY)[putamen].mean()
        )
    assert found["reduced"] > 0.3
    assert found["normal"] < -0.3


def test_masking_removes_the_striatum_only():
    voxels = np.random.default_rng(2).uniform(2, 3, GRID_SHAPE).astype(np.float32)
    atlas = load_atlas()
    masked = Preprocessing(striatum_masked=True).apply(voxels, atlas, MIDWAY)
    plain = Preprocessing().apply(voxels, atlas, MIDWAY)
    striatum = (
        Preprocessing(offset=0, window=(0, 9)).apply(
            ((atlas.regions >= 1) & (atlas.regions <= 4)).astype(np.float32), atlas, MIDWAY
        )
        > 0
    )
    assert (masked[striatum] == 0).all()
    np.testing.assert_array_equal(masked[~striatum], plain[~striatum])
    assert (
        Preprocessing(striatum_masked=True, from_reference=True).apply(voxels, atlas, MIDWAY)[striatum] == 0
    ).all()


def test_without_striatum_is_the_papers_box_and_nothing_else():
    """61 x 44 x 35 voxels of nothing: thalamus and amygdala are gone with the striatum, the frontal lobe is whole."""
    voxels = np.random.default_rng(2).uniform(2, 3, GRID_SHAPE).astype(np.float32)
    atlas = load_atlas()
    image = Preprocessing(box="without_striatum").apply(voxels, atlas, MIDWAY)
    away = image == 0
    assert image.shape == (71, 90, 72)
    assert away.sum() == 61 * 44 * 35
    np.testing.assert_array_equal(image[~away], Preprocessing().apply(voxels, atlas, MIDWAY)[~away])
    on_grid = Preprocessing(box="without_striatum").restore(away.astype(np.float32)) > 0
    for label in (*range(71, 79), 41, 42):  # striatum, thalamus, amygdala
        assert on_grid[atlas.labels == label].all()
    difference = Preprocessing(box="without_striatum", from_reference=True).apply(voxels, atlas, MIDWAY)
    assert (difference[away] == 0).all()
    assert (difference[~away] != 0).all()


def test_beyond_the_margin_of_the_brain_nothing_is_seen():
    """Uptake of 6 everywhere: whole up to 5 mm from the brain, none beyond."""
    atlas, voxels = load_atlas(), np.full(GRID_SHAPE, 6, np.float32)
    image = Preprocessing(brain_margin=5.0).apply(voxels, atlas, MIDWAY)
    away = ndimage.distance_transform_edt(~atlas.brain, sampling=2)[FULL_BOX]
    assert (image[away <= 5] == 5).all()
    assert (image[away > 5] == 0).all()
    seen = Preprocessing(brain_margin=0.0, from_reference=True).apply(voxels, atlas, MIDWAY)
    np.testing.assert_allclose(seen, np.where(atlas.brain, MIDWAY - 6, 0)[FULL_BOX])


def test_a_model_carries_its_reference(model_folder):
    own = json.loads((model_folder / "configs" / "metadata.json").read_text())["datscanai"]
    assert own["reference"]["sha256"] == file_sha256(model_folder / "reference.nii.gz")
    model = find_model(model_folder)
    assert model.reference.describe() == own["reference"]
    np.testing.assert_array_equal(model.reference.voxels, MIDWAY)


def test_an_altered_reference_is_refused(model_folder):
    path = model_folder / "reference.nii.gz"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DaTscanError, match="tiny: the model's reference scan is missing or altered"):
        _ = find_model(model_folder).reference.voxels


def test_a_reference_on_another_grid_is_refused(model_folder):
    path = model_folder / "reference.nii.gz"
    write_volume(path, np.ones((4, 5, 6), np.int16), np.eye(4))
    edit(model_folder, lambda own: own["reference"].update(sha256=file_sha256(path)))
    with pytest.raises(DaTscanError, match="no template of this grid"):
        _ = find_model(model_folder).reference.voxels


def test_models_of_the_first_version_are_read(model_folder):
    """They name no reference: all were compared with the shipped one, whose option had another name."""
    edit(model_folder, lambda own: (own.pop("reference"), own["preprocessing"].pop("from_reference")))
    edit(
        model_folder,
        lambda own: (own["preprocessing"].pop("brain_margin"), own["preprocessing"].update(from_midway=True)),
    )
    model = find_model(model_folder)
    assert model.preprocessing == Preprocessing(box="slab", from_reference=True)
    assert model.reference == shipped_reference("midway")


def test_shipped_models_load_and_are_small():
    assert shipped_models()
    for name in shipped_models():
        model = find_model(name)
        assert model.load_networks()
        sizes = [(model.folder / file).stat().st_size for file, _ in model.weights]
        assert max(sizes) < 20e6
        assert "simulated" in model.trained_on
