"""The camera daemon's command line: `firsthand-device run | status | selftest | events | mark | check-config`."""

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

from device.errors import DeviceError
from evidence.errors import EvidenceError
from evidence.usage import UsageParser


def _parser() -> UsageParser:
    parser = UsageParser(
        prog="firsthand-device",
        description="The camera daemon: self-test, triggers, and signed, sealed recordings.",
        epilog="Example: firsthand-device run --config /etc/firsthand/device.toml",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=UsageParser)
    run = verbs.add_parser("run", help="run the daemon until SIGTERM")
    check = verbs.add_parser("check-config", help="check device.toml and the policy profile, and say what is wrong")
    for one in (run, check):
        one.add_argument("--config", type=Path, required=True, metavar="FILE", help="device.toml")
        one.add_argument(
            "--allow-simulated",
            action="store_true",
            help="allow drivers of the simulator; needs a simulated certificate, and nothing it records is evidence",
        )
    check.add_argument("--draft", type=Path, metavar="FILE.toml", help="a profile to check before it is signed")
    check.add_argument("--json", action="store_true", help="machine-readable output")
    run.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    for name, text in (
        ("status", "show what the camera is doing"),
        ("selftest", "run the self-test and show each check"),
        ("events", "follow what happens, a JSON line each, until Ctrl-C"),
        ("mark", "put a marker into the running recording"),
    ):
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("--socket", type=Path, required=True, metavar="PATH", help="the daemon's Unix socket")
        verb.add_argument("--json", action="store_true", help="machine-readable output")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code: 0 done, 1 refused or failed, 20 switch the board off, 64 wrong usage."""
    arguments = _parser().parse_args(argv)
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
        from device.client import ask

        return ask(arguments.verb, arguments.socket, as_json=arguments.json)
    except (DeviceError, EvidenceError) as error:
        print(f"firsthand-device: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


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
    identity = load_identity(settings, allow_simulated=arguments.allow_simulated)
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
