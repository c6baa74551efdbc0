"""A simulated department in a test: what the fixtures of pytest-firsthand hand out (docs/simulator/pytest.md)."""
