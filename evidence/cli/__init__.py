"""The verbs of `firsthand-evidence`, one file each."""
