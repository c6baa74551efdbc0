"""``firsthand-dock supervise``: a supervisor's signed command for a camera (R9, R33)."""

from __future__ import annotations

import argparse

from dock.cli.supervisors_command import arguments, hand_over
from dock.verbs import Verb


def _run(options: argparse.Namespace) -> int:
    done = hand_over(options, "supervise")
    print(f"{done['command']} of {done['signer']} waits for {done['serial']}, which gets it at its next contact")
    return 0


VERB = Verb(
    "supervise",
    "hand a supervisor's signed command to a camera",
    """Takes an override, an officer correction, the beginning or end of a critical incident, or an inspection, signed
    by a supervisor with firsthand-fleet sign-command. The camera's recorder judges it; its answer stands in the
    custody ledger.""",
    _run,
    arguments,
)
