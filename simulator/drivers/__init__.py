"""Simulated hardware behind the hal seam. Allowed only with --allow-simulated."""
