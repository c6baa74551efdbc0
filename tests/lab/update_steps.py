"""One step of an update as a program of its own, so that it can be killed: PLACES.json install | try | health | choice.

What is started is the real code of `fleet.update` with other places; nothing restarts a machine here.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from evidence.errors import EvidenceError
from fleet.errors import FleetError
from fleet.update import boot_choice
from fleet.update.kept import Places


def main(argv: list[str]) -> int:
    told = json.loads(Path(argv[0]).read_text("utf-8"))
    places = Places(**{name: Path(path) for name, path in told["places"].items()})
    try:
        if argv[1] == "choice":
            print(boot_choice.answer(places, argv[2], argv[3:]))
        elif argv[1] == "install":
            from fleet.update.install import Tools, install

            names = (told["bundle"], "wanted.p7s")
            # RAUC takes no bundle from a file system that a user mounted, as a simulated card is one.
            beside = places.cmdline.with_name("beside.raucb")
            tools = Tools(
                install=("sh", "-c", f'cp "$0" {beside} && exec rauc -c {places.system_conf} install {beside}'),
                stop=("true",),
            )
            print(install(places, names, owner=os.getuid(), tools=tools))
        elif argv[1] == "try":
            from fleet.update.trying import Restart, try_update

            print(try_update(places, Restart(trying=("true",), plain=("true",))))
        else:
            from fleet.update.health import Waiting, check_health
            from fleet.update.trying import Restart

            waiting = Waiting(
                within_s=told["health_s"], settle_s=0.1, every_s=0.05, agent_lives=lambda: told["agent_lives"]
            )
            print(check_health(places, waiting, Restart(trying=("true",), plain=("true",))))
    except (EvidenceError, FleetError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
