"""The camera daemon's command line: `firsthand-device run | check-config | doctor | status | …` (`device.verbs`)."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from device.board_verbs import BOARD_VERBS, act
from device.errors import CannotStart, DeviceError
from device.verbs import parser_of, request_of
from evidence.errors import EvidenceError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    The exit code: 0 done, 1 refused or failed, 2 blocked by the self-test, 20 switch the board off, 64 wrong usage.
    """
    arguments = parser_of().parse_args(argv)
    try:
        if arguments.verb == "run":
            return _run(arguments)
        if arguments.verb == "check-config":
            from device.check_config import check_config

            return check_config(
                arguments.config,
                allow_simulated=arguments.allow_simulated,
                draft=arguments.draft,
                as_json=arguments.json,
            )
        if arguments.verb == "doctor":
            return _doctor(arguments)
        if arguments.verb in BOARD_VERBS:
            return act(arguments)
        return _ask(arguments)
    except (DeviceError, EvidenceError) as error:
        print(f"firsthand-device: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _ask(arguments: argparse.Namespace) -> int:
    """Send a verb's request to the daemon and show the answer."""
    from device.answers import show
    from device.client import ask, follow
    from device.prompts import show_prompts
    from evidence.requests import SelfTestRequest

    request = request_of(arguments)
    if isinstance(request, SelfTestRequest) and (request.extended or request.clip):
        show_prompts(arguments.socket)
    if arguments.verb != "events":
        return show(ask(arguments.socket, request), as_json=arguments.json)
    code = 0
    for answer in follow(arguments.socket):
        code = show(answer, as_json=arguments.json) or code
    return code


def _doctor(arguments: argparse.Namespace) -> int:
    from device.config import load_settings
    from device.support import pack

    print(pack(load_settings(arguments.config), arguments.config, arguments.out))
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from device.config import load_settings
    from device.daemon import Daemon
    from device.hardware import load_hardware
    from device.identity import load_identity
    from device.profile import load_profile, vault_faults
    from device.service import thread_excepthook

    logging.basicConfig(
        level=arguments.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    threading.excepthook = thread_excepthook
    settings = load_settings(arguments.config)
    try:
        identity = load_identity(settings, allow_simulated=arguments.allow_simulated)
    except CannotStart as error:
        from device.cannot_start import show_cannot_start

        print(f"firsthand-device: {error}", file=sys.stderr, flush=True)
        show_cannot_start(settings, allow_simulated=arguments.allow_simulated)
        return 1
    profile, complaints = load_profile(Path(settings.profile), Path(settings.state) / "profile.p7s", identity.trust)
    for complaint in complaints:
        logging.getLogger("firsthand.device").warning("%s", complaint)
    wanted = profile.profile.drivers
    hardware = load_hardware(settings, allow_simulated=arguments.allow_simulated, wanted=wanted)

    async def serve() -> int:
        daemon = Daemon(settings, identity, profile, hardware)
        for complaint in complaints:
            daemon.log("profile_refused", details={"why": complaint[:500]})
        now = dt.datetime.fromtimestamp(max(0, hardware.clock.utc().middle_ns) // 10**9, dt.UTC)
        for fault in vault_faults(profile.profile, identity.recipients, now):
            logging.getLogger("firsthand.device").error("%s", fault)
            daemon.log("fault", word="vault", details={"text": fault[:500]})
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, daemon.shut_down)
        await daemon.run()
        return daemon.exit_code

    return asyncio.run(serve())


if __name__ == "__main__":
    raise SystemExit(main())
