"""Blank cards into cards of known cameras: verified image, identity, label, and a line in the asset log."""
