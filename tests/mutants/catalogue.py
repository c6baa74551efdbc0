"""All mutants. The first five are those of issue 6; each of the others is a lie that a court would have to live with.

`text` is exact source, so that a mutant whose target has moved on fails loudly instead of testing nothing.
"""

from __future__ import annotations

from typing import Final

from mutant import Mutant

FIVE: Final = (
    Mutant(
        "no-pre-event-flush", "the ring is not written at the trigger", "R19", "device/recorder.py",
        text="            for frame in frames:\n                self._feed(session, frame)\n        return session\n",
        instead="        return session\n",
        scenarios=("before-the-trigger",), fits="expected .*pre-event",
    ),
    Mutant(
        "no-debounce", "every bounce of a contact counts", "R15", "device/triggers.py",
        text="        if line.raw == line.level or now_ns - line.since_ns < line.settle_ns:\n",
        instead="        if line.raw == line.level:\n",
        scenarios=("bouncing-relay",), fits="expected no recording for",
    ),
    Mutant(
        "no-receipt-check", "any receipt is taken, whoever signed it and for what", "R38", "device/receipts.py",
        text='            self._trust.check(message, role="receipt", at=issued)\n',
        instead="            return receipt\n",
        scenarios=("worthless-receipt",), fits="expected (log receipt_refused|not deleted|no log tombstone)",
    ),
    Mutant(
        "no-sync", "what is written is not synced", "R38", "evidence/durable.py",
        text="            _layer.sync(self._descriptor)\n        except OSError:\n            self._torn = True\n",
        instead="        except OSError:\n            self._torn = True\n",
        scenarios=("cut-in-mid-recording",),
        fits="expected (recording within|log recording_|.*(recordings|recovered|duration|loss|evidence valid))",
    ),
    Mutant(
        "no-mute-alarm", "nobody is reminded that the sound is muted", "R24", "device/signals.py",
        text='            ("muted", profile.mute_alarm_s),\n',
        instead="",
        scenarios=("forgotten-mute",), fits="expected (tone|haptic)",
    ),
)  # fmt: skip

MUTANTS: Final = FIVE
