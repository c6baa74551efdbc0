"""``firsthand-dock accept``: let a file leave its camera although it does not verify (R38)."""

from __future__ import annotations

import argparse

from dock.cli import supervisors_command
from dock.verbs import Verb


def _run(options: argparse.Namespace) -> int:
    done = supervisors_command.hand_over(options, "accept")
    print(f"The acceptance of {done['file']} waits for {done['serial']} at its next contact.")
    return 0


VERB = Verb(
    "accept",
    "let a file leave its camera although it does not verify",
    """Takes a supervisor's signed acceptance (firsthand-fleet sign-command accept --file … --sha256 …). The store holds
    every byte of the file, with its findings; the camera deletes it only for these very bytes.""",
    _run,
    supervisors_command.arguments,
)
