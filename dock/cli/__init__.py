"""The verbs of ``firsthand-dock``, one a module."""
