"""Pages for others who test this software or repeat its studies: their commands exist, their intervals are right."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from DaTscanAILib.cli.main import build_parser
from DaTscanAILib.evaluation.evaluate import Answers, summarize
from DaTscanAILib.evaluation.metrics import share

PAGES = Path(__file__).resolve().parents[2] / "Resources" / "Documentation"
NAMES = ("validation.md", "dat_park_plan.md", "studies_at_size.md")
COMMAND = re.compile(r"python -m DaTscanAILib ([^`\n]+)")


@pytest.mark.parametrize("name", NAMES)
def test_every_command_of_the_page_can_be_given(name):
    commands = COMMAND.findall((PAGES / name).read_text(encoding="utf-8"))
    assert len(commands) >= 3
    for command in commands:
        build_parser().parse_args(shlex.split(command))


def test_the_intervals_of_the_page_are_exact():
    rows = re.findall(r"\| (\d+) of (\d+) \| ([\d.]+) to ([\d.]+) \|", (PAGES / "validation.md").read_text())
    assert len(rows) == 4
    for right, count, low, high in rows:
        found = share(int(right), int(count))
        assert (f"{found.low:.3f}", f"{found.high:.3f}") == (low, high)


def test_what_is_sent_back_names_no_case():
    """`evaluation.json` is a summary and its groups, which are named by the column `site` alone."""
    names = np.array(["Dupont_1938", "Durand_1951", "Petit_1960"])
    truth, ones = np.array([True, False, True]), np.ones(3)
    answers = Answers(names, truth, ones * 0.7, np.array(["reduced"] * 3), ones, np.array(["true"] * 3), {})
    text = json.dumps(summarize(answers))
    assert not any(part in text for name in names for part in name.split("_"))
