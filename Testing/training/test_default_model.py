"""The script that builds the default model: its cohorts, and the page that it writes."""

import json
import shutil
import sys

import pytest

from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.classification.model_folder import find_model
from DaTscanAILib.simulation.anatomy import HELD_OUT, TRAINING_ANATOMIES

sys.path.insert(0, str(resource_path("Models")))
import build_default_model as build
import default_model_card as card
import refit_relevance_cut as refit


def span(one):
    return range(one.seed, one.seed + one.count)


def test_no_scan_heads_or_cameras_of_the_training_are_called_unseen():
    training = range(build.TRAINING_SEED, build.TRAINING_SEED + build.TRAINING_SCANS)
    for one in build.cohorts():
        assert one.seed not in training
        assert span(one)[-1] not in training
        unseen = one.seen.startswith("neither")
        assert unseen == set(one.settings.anatomies).isdisjoint(TRAINING_ANATOMIES)
        assert unseen == set(one.settings.families).isdisjoint(build.SEEN_CAMERAS)
        assert unseen == (one.settings.anatomies == HELD_OUT)
    assert build.TRAINING_SCANS >= 4000


def test_cohorts_share_no_seed_but_where_one_is_the_other_smoothed():
    cohorts = build.cohorts()
    assert {"unseen", "unseen_smoothed", "seen"} < {one.name for one in cohorts}
    for k, one in enumerate(cohorts):
        for other in cohorts[k + 1 :]:
            if {one.name, other.name} != {"unseen", "unseen_smoothed"}:
                assert set(span(one)).isdisjoint(span(other)), (one.name, other.name)


@pytest.fixture
def found():
    share = {"value": 0.9876, "low": 0.95, "high": 1.0, "n": 80}
    keys = {key: share for _, key in card.ROWS}
    sources = {
        source: dict.fromkeys(
            ("errors_caught", "errors_caught_by_it_alone", "right_doubted", "right_doubted_by_it_alone"), 3
        )
        for source in card.SOURCES
    }
    parts = {
        "doubt": {"errors": 4, "right": 76, "sources": sources},
        "grades": {"all": {"exact": share, "within_one": share}},
        "atypical_by_subtype": {"focal": share, "normal": share},
        "strong_loss_called_normal": None,
        "members_disagree": share,
    }
    one = {
        **keys,
        "seen": "neither heads nor cameras",
        "answered": 80,
        "failed": 2,
        "expected_calibration_error": 0.0123,
        "groups": {"subtype": {}},
        "parts": parts,
    }
    return dict.fromkeys(("unseen", "unseen_smoothed", "seen", "stored_mni", "stored_few", "pattern_focal"), one)


def test_the_page_says_of_each_figure_what_training_has_seen_and_what_real_scans_allow(found):
    metadata = {
        "parameters": 1455644,
        "eval_metrics": {"calibration_scans": 420},
        "training": {"validation_share": 0.2, "epochs": 3, "copies": 3, "members": 5, "spares": 1},
        "datscanai": {
            "architecture": "compact-regional",
            "weights": [{}] * 5,
            "trained_on": "Trained on simulated scans.",
            "rule": {"doubt": [0.1, 0.9]},
        },
    }
    page = card.page(metadata, found, "# Gates\nSimulated scans.\n\n| gate | measured |\n|---|---|\n| sign | 0.9 |\n")
    assert "| seen in training | neither heads nor cameras |" in page
    assert "0.988 (0.950-1.000) of 80" in page
    assert "about\n0.95 (DaT-Park" in page
    assert "measured on simulated scans" in page
    # Badly stored cohorts are added up: 3 of each source in either.
    assert "| unlike the training scans | 3 (3) / 3 (3) | 3 (3) / 3 (3) | 3 (3) / 3 (3) | 6 (6) / 6 (6) |" in page
    assert "| sign | 0.9 |" in page


def test_a_new_cut_changes_nothing_else_of_the_model(tmp_path):
    """Read again with all checks; hashes, weights and the other limits are those that it had."""
    folder = tmp_path / "model"
    shutil.copytree(resource_path("Models", "wenzel2019"), folder)
    path, before = folder / "configs" / "metadata.json", find_model(folder)
    old = json.loads(path.read_text())
    for cut in (0.002, 0.001):  # the second time in the place of the first
        refit.write_rule(path, cut, (0.0005, 0.0015), "9.9.9", "cut learned anew")
    new, after = json.loads(path.read_text()), find_model(folder)
    assert (after.version, after.rule.relevance_cut, after.rule.relevance_band) == ("9.9.9", 0.001, (0.0005, 0.0015))
    assert list(new["changelog"]) == ["9.9.9", *old.get("changelog", {})]
    rule = old["datscanai"]["rule"]
    assert new["datscanai"]["rule"] == {**rule, "relevance_cut": 0.001, "relevance_band": [0.0005, 0.0015]}
    assert (after.weights, after.reference.sha256) == (before.weights, before.reference.sha256)
    changed = dict.fromkeys(("datscanai", "version", "changelog"))
    assert {**new, **changed} == {**old, **changed}


def test_no_scan_that_the_cut_is_learned_on_is_of_another_cohort():
    learned = range(refit.FIRST_SEED, refit.FIRST_SEED + 210)
    training = range(build.TRAINING_SEED, build.TRAINING_SEED + build.TRAINING_SCANS)
    for other in (training, *(span(one) for one in build.cohorts())):
        assert set(learned).isdisjoint(other)
    assert set(refit.TRAINING_LIKE.families).isdisjoint(build.UNSEEN_CAMERAS)
    assert set(refit.TRAINING_LIKE.anatomies).isdisjoint(HELD_OUT)
