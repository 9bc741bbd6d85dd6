"""BIDS datasets: which of their images are cases, what is known of them, and what is wrong with the others."""

import json

import numpy as np
import pytest

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reading.inputs import collect_cases, survey
from DaTscanAILib.reading.scan import write_volume


def image(dataset, name, **sidecar):
    """An image `sub-01[_ses-1]..._pet.nii.gz` in its place, and its JSON file where there is something to say."""
    subject, *rest = name.split("_")
    sessions = [part for part in rest if part.startswith("ses-")]
    path = dataset.joinpath(subject, *sessions, "pet", f"{name}_pet.nii.gz")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(path, np.ones((20, 20, 20), np.uint8), np.diag([3.0, 3, 3, 1]))
    if sidecar:
        (path.parent / f"{name}_pet.json").write_text(json.dumps(sidecar))
    return path


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "dataset_description.json").write_text('{"Name": "made up", "BIDSVersion": "1.9.0"}')
    return folder


def table(path, *rows):
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n")


def errors_of(dataset):
    return {case.name: case.error for case in collect_cases([dataset])}


def test_participants_are_cases_with_what_is_known_of_them(dataset):
    image(dataset, "sub-01_trc-FPCIT")
    image(dataset, "sub-02_trc-123IFPCIT_rec-osem")
    image(dataset, "sub-03", TracerName="[123I]FP-CIT")
    image(dataset, "sub-04", TracerName="Ioflupane")
    table(
        dataset / "participants.tsv",
        ("participant_id", "age", "sex", "label", "site", "updrs"),
        ("sub-02", "n/a", "O", "n/a", "n/a", "12"),
        ("sub-01", "61.5", "female", "reduced", "Ulm", "30"),
        ("sub-03", "89+", "M", "normal", "Ulm", "n/a"),
    )
    cases = collect_cases([dataset])
    assert [(case.name, case.label, case.age, case.sex, case.site) for case in cases] == [
        ("sub-01", "reduced", 61.5, "F", "Ulm"),
        ("sub-02", None, None, None, None),
        ("sub-03", "normal", 89.0, "M", "Ulm"),
        ("sub-04", None, None, None, None),
    ]
    assert [case.error for case in cases] == [None] * 4
    assert cases[0].path == dataset / "sub-01" / "pet" / "sub-01_trc-FPCIT_pet.nii.gz"
    assert cases[1].other == {"patient": "sub-02", "updrs": "12"}


def test_each_session_is_a_case_and_its_own_table_goes_before(dataset):
    for session in ("1", "2"):
        image(dataset, f"sub-01_ses-{session}_trc-FPCIT")
    table(dataset / "participants.tsv", ("participant_id", "age", "sex"), ("sub-01", "60", "M"))
    table(
        dataset / "sub-01" / "sub-01_sessions.tsv",
        ("session_id", "acq_time", "age", "label"),
        ("ses-1", "2009-06-15T13:45:30", "n/a", "normal"),
        ("ses-2", "2012-06-15T13:45:30", "63", "reduced"),
    )
    first, second = collect_cases([dataset])
    assert (first.name, first.age, first.sex, first.label) == ("sub-01_ses-1", 60, "M", "normal")
    assert (second.name, second.age, second.sex, second.label) == ("sub-01_ses-2", 63, "M", "reduced")
    assert [(case.other["patient"], case.other["date"]) for case in (first, second)] == [
        ("sub-01", "2009-06-15"),
        ("sub-01", "2012-06-15"),
    ]


def test_nothing_is_passed_over_in_silence(dataset):
    image(dataset, "sub-01_trc-FPCIT")
    image(dataset, "sub-01_trc-FDG")
    image(dataset, "sub-02", TracerName="raclopride")
    (dataset / "sub-03" / "anat").mkdir(parents=True)
    table(dataset / "participants.tsv", ("participant_id",), ("sub-01",), ("sub-04",))
    found = survey([dataset])
    assert [case.name for case in found.cases] == ["sub-01"]
    assert found.passed_over() == (
        "Passed over: 2 files, 2 of other tracers.\n"
        "Participants of study without an FP-CIT scan: 3, sub-02, sub-03, sub-04."
    )
    (dataset / "participants.tsv").unlink()
    assert (
        survey([dataset])
        .passed_over()
        .endswith("study has no participants.tsv: ages, sexes and labels are not known.")
    )


def test_two_runs_of_one_session_are_an_error_of_that_case_alone(dataset):
    image(dataset, "sub-01_trc-FPCIT_run-1")
    image(dataset, "sub-01_trc-FPCIT_run-2")
    image(dataset, "sub-02_trc-FPCIT")
    assert errors_of(dataset) == {
        "sub-01": "sub-01 has 2 FP-CIT scans in one session (sub-01_trc-FPCIT_run-1_pet.nii.gz, "
        "sub-01_trc-FPCIT_run-2_pet.nii.gz): leave one, or name one in a manifest.",
        "sub-02": None,
    }


def test_an_unknown_tracer_is_an_error_and_the_datasets_own_sidecar_may_say_it(dataset):
    image(dataset, "sub-01")
    assert errors_of(dataset) == {
        "sub-01": "sub-01_pet.nii.gz does not say its tracer: add trc-FPCIT to its name, or TracerName to the JSON "
        "file beside it."
    }
    (dataset / "pet.json").write_text('{"TracerName": "DaTSCAN"}')
    assert errors_of(dataset) == {"sub-01": None}


@pytest.mark.parametrize(
    ("column", "cell", "sentence"),
    [
        ("label", "PD", 'has the unknown label "PD": use normal or reduced'),
        ("age", "sixty", 'has the age "sixty"'),
        ("sex", "X", 'has the sex "X"'),
    ],
)
def test_a_cell_that_cannot_be_used_names_the_participant(dataset, column, cell, sentence):
    image(dataset, "sub-01_trc-FPCIT")
    table(dataset / "participants.tsv", ("participant_id", column), ("sub-01", cell))
    assert f"participants.tsv, sub-01, {sentence}" in errors_of(dataset)["sub-01"]


def test_datasets_that_are_unusable_as_a_whole(dataset):
    def refused(pattern):
        with pytest.raises(DaTscanError, match=pattern):
            collect_cases([dataset])

    refused("study is a BIDS dataset without participants")
    (dataset / "sub-01" / "anat").mkdir(parents=True)
    refused(r"study has no FP-CIT scan: name the images sub-LABEL/pet/sub-LABEL_trc-FPCIT_pet\.nii\.gz")
    image(dataset, "sub-01_trc-FPCIT")
    table(dataset / "participants.tsv", ("id", "age"), ("sub-01", "60"))
    refused(r"participants\.tsv has no column participant_id")
    (dataset / "participants.tsv").write_bytes(b"participant_id\tage\nsub-01\t\xe4\n")
    refused(r"participants\.tsv is not UTF-8 text")
    (dataset / "dataset_description.json").write_text('{"DatasetType": "derivative"}')
    refused("study is a BIDS dataset of derivatives")


def test_an_ordinary_folder_is_none(dataset):
    (dataset / "dataset_description.json").unlink()
    image(dataset, "sub-01_trc-FDG")
    (case,) = collect_cases([dataset])
    assert case.name == "sub-01_pet_sub-01_trc-FDG_pet"
