"""Lesions planted into scans: what they take, what becomes of truth, label and sides."""

from dataclasses import replace

import numpy as np
import pytest

from DaTscanAILib.classification.grades import REGIONS
from DaTscanAILib.mni.atlas import load_atlas
from DaTscanAILib.reading.inputs import Case
from DaTscanAILib.training import variants
from DaTscanAILib.training.lesions import fade, is_reduced, plant, region_shares
from DaTscanAILib.training.plans import PLANS
from DaTscanAILib.training.preparation import Prepared

NOTHING = np.zeros(6, np.float32)


def uniform_striata():
    """Level 1, 5 in caudate and putamen of both sides."""
    atlas = load_atlas()
    volume = np.ones((91, 109, 91), np.float32)
    for nucleus in ("caudate", "putamen"):
        for side in ("left", "right"):
            volume[atlas.anatomical_region(nucleus, side)] = 5.0
    return volume


def test_the_regions_share_what_the_striata_take_up():
    shares, atlas = region_shares(), load_atlas()
    inside = np.logical_or.reduce(
        [atlas.anatomical_region(n, s) for n in ("caudate", "putamen") for s in ("left", "right")]
    )
    assert shares.sum(axis=0).max() <= 1
    assert shares.sum(axis=0)[inside].min() > 0.8
    cerebellum = shares[:, 45, 30, 15]
    assert cerebellum.max() < 1e-3
    left = [shares[REGIONS.index(region)][atlas.anatomical_region("caudate", "left")].mean() for region in REGIONS]
    assert REGIONS[int(np.argmax(left))] == "caudate_left"


def test_a_fade_takes_specific_uptake_of_its_region_alone():
    volume, atlas = uniform_striata(), load_atlas()
    faded = fade(volume, {"caudate_right": 0.8})
    means = {s: float(faded[atlas.anatomical_region("caudate", s)].mean()) for s in ("left", "right")}
    assert means["left"] == pytest.approx(5.0, abs=0.05)
    assert means["right"] == pytest.approx(5.0 - 0.8 * 4, abs=0.5)
    assert (faded >= 1 - 1e-5).all()
    outside = ~np.any(region_shares() > 0.01, axis=0)
    np.testing.assert_allclose(faded[outside], volume[outside], atol=0.05)
    everything = fade(volume, dict.fromkeys(REGIONS, 1.0))
    assert everything[atlas.anatomical_region("putamen", "left")].mean() < 1.4


def test_losses_add_up_to_what_remains():
    random = np.random.default_rng(0)
    before = np.array([0.0, 0.2, 0.4, 0.0, 0.5, 0.9], np.float32)
    for _ in range(20):
        _, after = plant(uniform_striata(), before, random)
        assert (after >= before - 1e-6).all()
        assert (after < 1).all()
        changed = after > before + 1e-6
        remaining = (1 - after[changed]) / (1 - before[changed])
        assert changed.any()
        np.testing.assert_allclose(remaining, remaining[0], rtol=1e-4)


@pytest.mark.parametrize(
    ("losses", "reduced"),
    [
        (NOTHING, False),
        ([0.45, 0, 0, 0, 0, 0], False),
        ([0.55, 0, 0, 0, 0, 0], True),
        ([0, 0, 0.46, 0, 0, 0], True),
        ([0, 0, 0, 0, 0.41, 0], True),
        ([0.36] * 6, True),
        ([0.34] * 6, False),
    ],
)
def test_labels_of_planted_scans_are_those_of_the_simulator(losses, reduced):
    assert is_reduced(np.array(losses)) == reduced


def test_a_planted_scan_has_its_lower_putamen_left_and_its_own_label(tmp_path, monkeypatch):
    """The lesion hits the right putamen of a normal scan: scan and losses change sides, the label is reduced."""
    np.save(tmp_path / "one.npy", uniform_striata().astype(np.float16))
    other = {f"loss_{region}": "0" for region in REGIONS}
    facts = {"mirrored": False, "asymmetry_percent": {"putamen": 40.0}}
    one = Prepared(Case("one", None, label="normal", other=other), tmp_path / "one.npy", facts)
    right = {"putamen_anterior_right": 0.9, "putamen_posterior_right": 0.9}
    losses = np.array([right.get(region, 0.0) for region in REGIONS], np.float32)
    monkeypatch.setattr(variants, "plant", lambda voxels, _, random: (fade(voxels, right), losses))
    monkeypatch.setattr(variants, "augment", lambda voxels, reference, random: voxels)
    plan = replace(PLANS["compact-regional"], planted=1.0)
    (_, as_it_is), (image, target) = variants.variants_of((0, one), plan, 2, False, None)
    assert as_it_is.tolist() == [0.0] * 7
    assert target[0] == 1
    expected = [0.9 if region.startswith("putamen") and region.endswith("left") else 0.0 for region in REGIONS]
    np.testing.assert_allclose(target[1:], expected, rtol=1e-6)
    half = image.shape[0] // 2  # the input is the mean normal scan minus this one: high where uptake is lost
    assert image[:half].astype(float).sum() > image[half + 1 :].astype(float).sum()
