"""Model cards answer CLAIM by its numbers, and what they answer is what the metadata say."""

import json
import sys

import pytest

from DaTscanAILib.base.resources import resource_path

sys.path.insert(0, str(resource_path("Models")))
import claim

MODELS = resource_path("Models")

FOLDERS = sorted(path.parents[1] for path in MODELS.glob("*/configs/metadata.json"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_item_is_answered_with_the_models_own_numbers(folder):
    metadata = json.loads((folder / "configs" / "metadata.json").read_text())
    found = claim.items(metadata)
    assert [number for number, *_ in found] == list(range(1, 43))
    assert all(what and answer for _, what, answer in found)
    answers = {number: answer for number, _, answer in found}
    assert f"{metadata['parameters']:,} parameters" in answers[22]
    assert metadata["datscanai"]["trained_on"] in answers[7]
    assert answers[27].startswith("None") == (len(metadata["datscanai"]["weights"]) == 1)
    assert "no patient" in answers[32]
    assert answers[38].startswith("Simulated scans alone")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_shipped_cards_hold_what_the_script_writes(folder):
    card = (folder / "docs" / "README.md").read_text()
    metadata = json.loads((folder / "configs" / "metadata.json").read_text())
    if folder.name == "compact-ensemble" and claim.START not in card:
        pytest.skip("made before build_default_model.py put the section into the card")
    assert claim.with_section(card, metadata) == card


def test_the_section_goes_to_the_end_once_and_leaves_the_rest_as_it_is():
    metadata = json.loads((FOLDERS[0] / "configs" / "metadata.json").read_text())
    card = claim.with_section("# name\ntext\n", metadata)
    assert card.startswith("# name\ntext\n\n" + claim.START)
    assert claim.with_section(card, metadata) == card
    assert claim.with_section(card.replace("Not registered.", "old"), metadata) == card
