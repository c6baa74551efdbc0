"""One request to the recorder, one line of answer. Runs in the machine, with Python alone: that starts in a second."""

from __future__ import annotations

import json
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
    line.settimeout(50)
    try:
        line.connect("/run/firsthand/device.sock")
    except OSError as error:
        sys.exit(f"the recorder does not answer: {error}")
    line.sendall(json.dumps({"op": sys.argv[1]}).encode() + b"\n")
    with line.makefile("rb") as answers:
        sys.stdout.buffer.write(answers.readline())
