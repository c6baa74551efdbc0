"""Technicians' tools: certificate authority, enrolment, images."""
