"""Turning verified evidence into files that other people's programs play."""
