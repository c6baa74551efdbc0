"""The world: simulated hardware behind the hal seam, scenarios, faults."""
