"""``firsthand-dock found``: a lost camera is back (R11)."""

from __future__ import annotations

import argparse

from dock.cli import supervisors_command
from dock.verbs import Verb


def _run(options: argparse.Namespace) -> int:
    done = supervisors_command.hand_over(options, "found")
    print(f"{done['serial']} counts as found. Its unlock waits for it at its next contact.")
    print("If its certificates were revoked it needs new ones: firsthand-fleet enrol")
    return 0


VERB = Verb(
    "found",
    "a lost camera was found: hand on the supervisor's unlock",
    """Takes a supervisor's signed unlock (firsthand-fleet sign-command unlock), which the camera itself checks as well.
    What the camera brought meanwhile stays in quarantine.""",
    _run,
    supervisors_command.arguments,
)
