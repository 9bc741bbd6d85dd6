"""What is no DAT scan is refused with what it looks like; what is one is not."""

from dataclasses import replace

import numpy as np
import pytest
from other_image_factory import KINDS, simulate_other_image

from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.mni.atlas import load_mri
from DaTscanAILib.mni.geometry import translation
from DaTscanAILib.reading.scan import Scan, read_scan
from DaTscanAILib.registration.affine import register
from DaTscanAILib.registration.content import Content, content_of
from DaTscanAILib.registration.other_images import CHECKS, looks_like
from DaTscanAILib.registration.own_templates import own_template
from DaTscanAILib.simulation.pose import rotation
from DaTscanAILib.simulation.simulator import Settings, simulate_scan

DAT = Content(
    levels=2000,
    equal_neighbors=0.0,
    jumps=0.0,
    edge_width=9.0,
    parts={
        "white": 1.0,
        "ventricles": 1.1,
        "striatum": 2.5,
        "thalamus": 1.3,
        "stem": 1.0,
        "cerebellum": 1.0,
        "occipital": 1.0,
    },
    around=0.5,
    air=0.0,
)
NAMED = {
    "t1": "T1-weighted",
    "t2": "T2-weighted",
    "white_matter_map": "white matter",
    "grey_matter_map": "grey matter",
    "tissue_labels": "tissue map",
    "region_labels": "map of labels",
    "brain_mask": "a mask",
    "d2": "receptor",
    "amyloid": "gathers in white matter",
}


def registered(voxels, affine):
    return register(Scan(np.ascontiguousarray(voxels, np.float32), affine, path=None, format="NIfTI"))


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_of_a_head_that_is_no_dat_scan_is_refused(kind):
    found = registered(*simulate_other_image(kind, 31, spacing=3, fwhm=4.0 if len(kind) % 2 else 0.0))
    assert not found.accepted
    assert found.quality < 0.5
    if kind in NAMED:
        assert NAMED[kind] in found.looks_like


@pytest.mark.parametrize("turned", [False, True])
def test_the_projects_own_mri_is_refused(turned):
    """It was answered "reduced, p > 0.9999, quality 0.99, no warning" once."""
    voxels, affine = load_mri()
    turn = np.eye(4)
    turn[:3, :3] = rotation(15, 5, -10)
    affine = translation((30, -20, 100)) @ turn @ affine if turned else affine
    found = registered(voxels[::2, ::2, ::2], affine @ np.diag([2.0, 2, 2, 1]))
    assert not found.accepted
    assert "T1-weighted MRI" in found.looks_like


@pytest.mark.parametrize("name", ["fpcit_template_2mm", "fpcit_normal_2mm"])
def test_the_projects_own_mean_scan_is_refused(name):
    """A template looks like a DAT scan and fits perfectly, but is nobody's."""
    scan = read_scan(resource_path("Templates", f"{name}.nii.gz"))
    assert own_template(scan.voxels * 3, scan.affine) == "this software's template, the mean of many scans"
    noisy = scan.voxels * np.random.default_rng(0).normal(1, 0.05, scan.voxels.shape)
    assert own_template(noisy, scan.affine) is None
    assert own_template(scan.voxels[1:], scan.affine) is None
    found = register(scan)
    assert not found.accepted
    assert "this software's template" in found.looks_like


@pytest.mark.parametrize("loss", [None, "burst"])
def test_a_dat_scan_looks_like_nothing_else(loss):
    label = "reduced" if loss else "normal"
    scan = simulate_scan(700_002, Settings(label=label, subtype=loss, families=("osem",), field="camera"))
    content = content_of(scan.voxels, scan.affine, scan.pose.scanner_from_mni)
    assert looks_like(content, accepted=True) is None
    assert content.edge_width > 5.2
    assert content.parts["striatum"] > (1.0 if loss else 2.0)


def test_the_check_of_each_kind_can_fail():
    """The content of an ordinary DAT scan meets none of them, and each has its own limit."""
    assert looks_like(DAT, accepted=True) is None
    assert not any(check.holds(DAT) for check in CHECKS)
    assert "T1" in looks_like(with_parts(white=1.35), accepted=True)
    assert looks_like(with_parts(white=1.30), accepted=True) is None  # the striatum's 2.5 spills 0.15 over
    assert "T2" in looks_like(with_parts(ventricles=1.2, striatum=1.0), accepted=True)
    assert "sharper" in looks_like(replace(DAT, edge_width=4.0), accepted=True)
    assert "mask" in looks_like(replace(DAT, levels=2), accepted=True)
    assert "labels" in looks_like(replace(DAT, levels=90, equal_neighbors=0.9, jumps=0.8), accepted=True)


def test_some_kinds_are_named_only_when_the_fit_was_refused():
    pale = with_parts(white=0.91, ventricles=0.88, striatum=1.2, thalamus=1.1)
    assert looks_like(pale, accepted=True) is None
    assert "blood flow" in looks_like(pale, accepted=False)


def test_striata_that_are_all_but_gone_are_no_tracer_of_serotonin():
    """As measured in a simulated scan with burst striata, refused once, and in a tracer of serotonin."""
    gone = with_parts(white=1.01, ventricles=0.84, striatum=1.265, thalamus=1.34, stem=1.27, cerebellum=1.05)
    assert looks_like(gone, accepted=True) is None
    assert "serotonin" in looks_like(with_parts(striatum=2.7, thalamus=2.5, stem=3.8), accepted=True)


def test_what_the_field_of_view_lacks_decides_nothing():
    nothing = with_parts(**dict.fromkeys(DAT.parts, np.nan))
    assert looks_like(nothing, accepted=False) is None


def with_parts(**parts):
    return replace(DAT, parts={**DAT.parts, **parts})
