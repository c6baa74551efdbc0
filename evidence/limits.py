"""Size limits of everything that is read from outside. One table, quoted in docs/evidence-format.md."""

from __future__ import annotations

from typing import Final

STATEMENT_BYTES: Final = 64 * 1024
"""One statement, as DER."""
OBJECT_BYTES: Final = 32 * 1024 * 1024
"""One sealed object, as DER."""
CERTIFICATE_BYTES: Final = 8 * 1024
CERTIFICATES: Final = 4
"""Certificates in one statement: the signer and its intermediates, without the root."""
RECIPIENTS: Final = 8
"""Vault certificates that one object can be sealed to."""
SIGNED_DOCUMENT_BYTES: Final = 256 * 1024
"""A profile, receipt or contact document, as DER."""
COMMAND_BYTES: Final = 64 * 1024
"""A signed command, as DER."""
PROOF_BYTES: Final = 32 * 1024
"""A vault proof, as DER."""
LOG_SEGMENT_BYTES: Final = 1024 * 1024
"""A device log segment is closed when it passes this size."""
KEY_FILE_BYTES: Final = 64 * 1024
