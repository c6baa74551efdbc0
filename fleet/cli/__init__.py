"""The verbs of ``firsthand-fleet`` for keys and certificates, a family of them in each module."""
