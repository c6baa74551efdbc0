"""The simulated card: what it makes durable, what a power cut leaves, and the faults of storage (R22 R29 R30 R38)."""
