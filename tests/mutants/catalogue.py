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

COURT: Final = (
    Mutant(
        "no-power-off-order", "at 0 % it does not close in order: the power simply goes", "R22", "device/energy.py",
        text='        if self.level == "empty" and not self._ending:\n            self._switch_off()\n',
        instead="",
        scenarios=("battery-dying",), fits="expected .*(battery_empty|closed)",
    ),
    Mutant(
        "no-gap-after-a-stall", "pictures that were lost are not signed as a gap", "R29", "device/session.py",
        text='            self.losses.add(Gap("frames_lost", last.captured_ns, frame.captured_ns, missing))\n',
        instead="",
        scenarios=("stalled-encoder",), fits="expected (gap frames_lost|loss at least)",
    ),
    Mutant(
        "wrong-name-for-a-stall", "a stalled encoder is told as a dead sensor", "R29", "device/channel_senses.py",
        text='    return ("encoder", "encoder_stalled") if alive else ("sensor", "camera_silent")\n',
        instead='    return ("sensor", "camera_silent")\n',
        scenarios=("stalled-encoder",), fits="expected .*encoder_stalled",
    ),
    Mutant(
        "no-reason-window", "a stop waits for no reason", "R26", "device/states.py",
        text="            State.STATING_REASON: self.reason_ns,\n",
        instead="            State.STATING_REASON: 0,\n",
        scenarios=("traffic-stop", "strip-search"), fits="expected (state stating reason|log stop_reason|recording)",
    ),
    Mutant(
        "no-confirmation", "one hold stops a recording", "R25", "device/states.py",
        text="            State.CONFIRMING_STOP: self.confirm_ns,\n",
        instead="            State.CONFIRMING_STOP: 0,\n",
        scenarios=("first-stop", "traffic-stop"), fits="expected state confirming stop",
    ),
    Mutant(
        "trigger-off-stops", "the light bar going off ends the recording", "R15", "device/gestures.py",
        text="        self._note_recording(change.at_ns, change.line, int(change.active))\n        if change.kind",
        instead="        self._note_recording(change.at_ns, change.line, int(change.active))\n"
        '        if not change.active and change.kind not in ("record_button", "function_button", "dock"):\n'
        '            self._daemon.conduct.stop("record_button")\n        if change.kind',
        scenarios=("first-stop", "traffic-stop"), fits="expected recording for",
    ),
    Mutant(
        "forged-peer-accepted", "a start is taken from a camera of any agency", "R23", "device/peers.py",
        text='        self.daemon.identity.others.check(signed, role="camera", serial=message.serial, '
        "at=at if trusted else None)\n",
        instead="        assert at\n",
        scenarios=("false-colleague", "forged-peer"), fits="expected (log peer_start_refused|no recording)",
    ),
    Mutant(
        "replayed-peer-accepted", "an announcement that was taken is taken again", "R23", "device/peers.py",
        text="        if message.nonce in self._seen:\n",
        instead="        if not message.nonce:\n",
        scenarios=("false-colleague",), fits="expected (log peer_start_refused|no recording)",
    ),
    Mutant(
        "clock-step-not-told", "somebody sets the clock, and nothing says so", "R5", "device/timekeeping.py",
        text='            cause = "stepped_back" if moved_ns < 0 else "stepped_forward"\n',
        instead="            return None\n",
        scenarios=("clock-set-in-mid-recording",), fits="expected .*clock",
    ),
    Mutant(
        "override-never-ends", "a supervisor's permission for one shift lasts for ever", "R9", "device/examination.py",
        text="        ended = self.overrides.end()\n",
        instead="        ended: tuple[Override, ...] = ()  # not ended\n",
        scenarios=("override-for-one-shift",), fits="expected .*override_ended|expected (state )?out of service",
    ),
    Mutant(
        "hold-ignored", "a file on hold is deleted as any other", "R35", "device/appended.py",
        text="        return free and not (about is not None and about.holds)\n",
        instead="        return free\n",
        scenarios=("held-for-court",), fits="expected .*(tombstone|deleted on camera)",
    ),
    Mutant(
        "log-not-chained", "a new segment of the log does not name the one before: one could be taken out", "R11",
        "device/device_log.py",
        text="            self._previous = facts.close_hash\n",
        instead="            self._previous = None\n",
        scenarios=("two-shifts",), fits="expected evidence valid.*previous",
    ),
    Mutant(
        "suppressed-not-logged", "a trigger that started nothing leaves no word", "R28", "device/conduct.py",
        text='            daemon.log("suppressed", word=word, details={"name": start.trigger, "at_ns": start.at_ns})\n',
        instead="            assert word\n",
        scenarios=("medical-facility",), fits="expected log suppressed",
    ),
    Mutant(
        "muted-sound-kept", "a mute is shown and written down, and the sound is kept all the same", "R24",
        "device/recorder.py",
        text="            if not self._mutes.cover(sound.captured_ns):\n",
        instead="            if sound is not None:\n",
        scenarios=("domestic-call",), fits="expected .*muted sound",
    ),
    Mutant(
        "no-going-on-after-a-cut", "after a power cut the camera waits for somebody to start it", "R29",
        "device/conduct.py",
        text="            self.happen(Event.BUTTON, start=start)\n        finally:\n            self._resumes = None\n",
        instead="            pass\n        finally:\n            self._resumes = None\n",
        scenarios=("cut-in-mid-recording",), fits="expected (recording within|log recording_recovered)",
    ),
    Mutant(
        "no-tombstone", "a file is deleted without a signed word about it", "R38", "device/receipts.py",
        text='                lambda: self._log_entry("tombstone", known, document) if self._unheld(name) else None,\n',
        instead="                lambda: None,\n",
        scenarios=("two-shifts", "first-stop"), fits="expected .*(tombstone|deleted on camera)",
    ),
    Mutant(
        "crash-not-felt", "a crash starts nothing", "R18", "device/sensor_triggers.py",
        text="        if self._hard < CRASH_SAMPLES or recently:\n",
        instead="        if self._hard >= 0 or recently:\n",
        scenarios=("pursuit-crash",), fits="expected .*(recording|trigger|crash)",
    ),
)  # fmt: skip

MUTANTS: Final = (*FIVE, *COURT)
