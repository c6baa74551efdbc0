"""The evidence file: open, append, seal, sign, verify, recover, export."""
