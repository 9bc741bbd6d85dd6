"""Heads that the field of view cuts: what was smoothed beside the end of an image is not believed."""

import numpy as np
import pytest

from DaTscanAILib.registration import template_fit
from DaTscanAILib.registration.landmarks import landmark_error
from DaTscanAILib.registration.parameters import parameters_from_affine
from DaTscanAILib.registration.smooth_scan import SmoothScan
from DaTscanAILib.registration.template import load_template
from DaTscanAILib.registration.template_fit import TemplateFitter
from DaTscanAILib.simulation.anatomy import HELD_OUT
from DaTscanAILib.simulation.simulator import Settings, simulate_scan

CUT = 390_012  # turned so that the image ends through forehead and cerebellum


@pytest.fixture(scope="module")
def cut_head():
    scan = simulate_scan(CUT, Settings(anatomies=HELD_OUT, families=("chang", "osem_ac_rr")))
    template = load_template()
    return scan, SmoothScan(scan.voxels, scan.affine).smoothed(template.fwhm), template


def fitted(cut_head):
    scan, smooth, template = cut_head
    return TemplateFitter(smooth, template).finish(parameters_from_affine(scan.pose.scanner_from_mni))


def test_a_head_cut_above_and_below_is_not_squeezed_into_the_image(cut_head):
    fit, truth = fitted(cut_head), cut_head[0].pose.scanner_from_mni
    assert landmark_error(fit.scanner_from_mni, truth) < 4
    height, true_height = (np.linalg.norm(affine[:3, 2]) for affine in (fit.scanner_from_mni, truth))
    assert height / true_height > 0.95
    assert 0.7 < fit.features["coverage"] < 0.99  # of the whole image, its margin counted


def test_without_the_margin_it_is(cut_head, monkeypatch):
    monkeypatch.setattr(template_fit, "_MARGIN", 0.0)
    assert landmark_error(fitted(cut_head).scanner_from_mni, cut_head[0].pose.scanner_from_mni) > 7


def test_the_margin_is_in_millimetres_from_the_first_and_last_voxels():
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    scan = SmoothScan(np.ones((11, 11, 11), np.float32), affine)
    points = np.array([[0, 15, 20], [5.9, 15, 20], [6.1, 15, 20], [10, 5.9, 20], [10, 15, 34.1]], np.float32)
    for margin, covered in ((0.0, [1, 1, 1, 1, 1]), (6.0, [0, 0, 1, 0, 0])):
        np.testing.assert_array_equal(scan.sample(np.eye(4), points, margin)[2], np.array(covered, bool))
