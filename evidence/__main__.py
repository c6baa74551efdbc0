"""`firsthand-evidence`: verify, inspect, unpack, recover and export evidence files."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

from cryptography.utils import CryptographyDeprecationWarning

from evidence.cli import (
    audit,
    custody,
    disclose,
    export,
    inspect,
    ledger,
    log,
    media,
    prove_open,
    recover,
    unpack,
    verify,
)
from evidence.cli.arguments import EXIT_CODES, FORMATTER, INVALID, UNREADABLE, USAGE, Parser, complain
from evidence.errors import BadKey, EvidenceError, NotEvidence

_TEXT = """\
Work with evidence files of Firsthand cameras. Start with `verify`: it tells whether a file is whole and who signed it,
and needs only the agency's root certificate. `firsthand-evidence VERB --help` explains each verb with an example."""


def parser() -> Parser:
    """The whole command line."""
    made = Parser(
        prog="firsthand-evidence", description=_TEXT, epilog=EXIT_CODES, formatter_class=FORMATTER, allow_abbrev=False
    )
    verbs = made.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in (verify, audit, log, inspect, unpack, export, media, disclose, prove_open, ledger, custody, recover):
        verb.add(verbs)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; its exit code. Raises SystemExit(64) for wrong usage and SystemExit(0) after --help."""
    args = parser().parse_args(arguments)
    # a damaged certificate is told as a finding; the library's own words about it would only confuse
    warnings.simplefilter("ignore", CryptographyDeprecationWarning)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except BadKey as error:
        complain(str(error))
        return USAGE
    except NotEvidence as error:
        complain(str(error))
        return UNREADABLE
    except EvidenceError as error:
        complain(str(error))
        return INVALID
    except BrokenPipeError:  # the reader of our output (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREADABLE
    except OSError as error:
        complain(f"{error.filename or 'input or output'}: {error.strerror}")
        return UNREADABLE
    except KeyboardInterrupt:
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
