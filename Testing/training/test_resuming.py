"""What training finds in its folder: inputs and networks of the same scans and options, or of others."""

from dataclasses import replace

import numpy as np
import pytest
from training_factory import write_prepared_cohort

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reading.inputs import collect_cases
from DaTscanAILib.training import input_sets, preparation
from DaTscanAILib.training.input_sets import write_set
from DaTscanAILib.training.plans import PLANS
from DaTscanAILib.training.preparation import prepare_cases
from DaTscanAILib.training.recipe import check_recipe

PLAN = replace(PLANS["compact"], copies=1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    manifest, cache = write_prepared_cohort(tmp_path_factory.mktemp("cohort") / "scans", 3)
    return prepare_cases(collect_cases([manifest]), cache)[0]


def test_inputs_half_overwritten_by_another_plan_are_written_again(prepared, tmp_path, monkeypatch):
    """The other plan's run is killed before it notes anything."""
    path = tmp_path / "inputs"
    before = np.array(write_set(path, prepared, PLAN, copies=1).images)

    def killed_at_the_second(make, numbered, _workers):
        yield make(numbered[0])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(input_sets, "in_order", killed_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            write_set(path, prepared, replace(PLAN, seed=1), copies=1)
    np.testing.assert_array_equal(write_set(path, prepared, PLAN, copies=1).images, before)


def test_a_folder_resumes_its_own_training_alone(prepared, tmp_path):
    (tmp_path / "model" / "work").mkdir(parents=True)
    for _ in range(2):
        check_recipe(tmp_path / "model", PLAN, prepared, None)
    check_recipe(tmp_path / "model", replace(PLAN, members=7, doubt_share=0.2), prepared, None)
    sentence = "model holds a training of other scans or options: choose another folder with --output"
    for plan, scans in ((replace(PLAN, epochs=9), prepared), (PLAN, prepared[:2])):
        with pytest.raises(DaTscanError, match=sentence):
            check_recipe(tmp_path / "model", plan, scans, None)


def test_another_scan_under_the_same_name_is_prepared_anew(tmp_path, monkeypatch):
    read, facts = [], {"accepted": True, "quality": 1.0}
    monkeypatch.setattr(preparation, "read_scan", lambda path, *_: read.append(path) or path)
    monkeypatch.setattr(preparation, "prepare_scan", lambda path: (np.full(3, path.stat().st_size), dict(facts)))
    for name, content in (("a.nii", b"1"), ("b.nii", b"12")):
        (tmp_path / name).write_bytes(content)
        (tmp_path / f"{name}.csv").write_text(f"case,scan,label\none,{name},normal\n")
    loaded = []
    for name in ("a.nii", "a.nii", "b.nii", "a.nii"):
        (one,), failed = prepare_cases(collect_cases([tmp_path / f"{name}.csv"]), tmp_path / "cache")
        assert not failed
        loaded.append(float(one.load()[0]))
    assert loaded == [1, 1, 2, 1]
    assert [path.name for path in read] == ["a.nii", "b.nii", "a.nii"]
