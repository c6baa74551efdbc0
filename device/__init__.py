"""The camera daemon: triggers, state machine, recorder, self-test, policy, indicators."""
