"""What `--help` prints of every command."""

import argparse

import pytest

from DaTscanAILib.cli.main import COMMANDS, build_parser


def parsers(parser):
    """A parser and all below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


PARSERS = {parser.prog.removeprefix("python -m DaTscanAILib").strip(): parser for parser in parsers(build_parser())}


@pytest.mark.parametrize("command", PARSERS)
def test_help_can_be_printed_and_says_what_each_option_is(command):
    assert "--help" in PARSERS[command].format_help()  # a lone % in a text would raise
    options = [action for action in PARSERS[command]._actions if not isinstance(action, argparse._SubParsersAction)]
    silent = [action.dest for action in options if not action.help]
    assert silent == []


def test_every_command_is_there():
    assert len(PARSERS) == 1 + len(COMMANDS) + 3  # normals has three actions
