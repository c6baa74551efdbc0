"""Telemetry: a durable outbox and the messages in it."""
