"""The docking station: takes files in, verifies, stores and signs receipts."""
