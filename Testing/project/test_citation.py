"""The citation file: what the format asks for, this version, and every paper whose method can be run."""

from pathlib import Path

import yaml

from DaTscanAILib.base.version import VERSION
from DaTscanAILib.studies.run import STUDIES

CITATION = yaml.safe_load((Path(__file__).resolve().parents[2] / "CITATION.cff").read_text(encoding="utf-8"))


def test_what_the_format_asks_for_is_there():
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["version"] == VERSION
    for one in (CITATION, *CITATION["references"]):
        assert {"title", "authors", "type"} <= set(one)
        assert all("name" in author or "family-names" in author for author in one["authors"])
    assert CITATION["message"]


def test_every_study_has_its_paper():
    found = [
        f"{one['authors'][0]['family-names']}{one['year']}".lower()
        for one in CITATION["references"]
        if one.get("doi") or one.get("url")
    ]
    assert sorted(found) == sorted(name.partition("-")[0] for name in STUDIES)
