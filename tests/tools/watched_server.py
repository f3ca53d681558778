"""Draws hostile formulas under observation: `python -m tests.tools.watched_server FOLDER < formulas.json`.

Speaks the server's own protocol, so nothing of ours stands between a formula and the process that draws
it. Prints as JSON what was used and, where strace is installed, which forbidden system calls succeeded
in the children after they took their limits on.
"""

import json
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from tools.catalog._formula import SERVER

# A child's last limit; everything it does afterwards is watched.
CONFINED = re.compile(r"^(?P<pid>\d+) .*RLIMIT_CORE")
FORBIDDEN = re.compile(
    r"^(?P<pid>\d+) (?P<call>(?:open|openat|openat2|socket|connect|execve|fork|vfork|clone|clone3)\(.*) = \d+"
)


def main(folder: Path) -> None:
    formulas = json.load(sys.stdin)
    log = folder / "calls"
    calls = "open,openat,openat2,socket,connect,execve,fork,vfork,clone,clone3,prlimit64,setrlimit"
    strace = ["strace", "-f", "-o", str(log), "-e", f"trace={calls}"] if shutil.which("strace") else []
    control, theirs = socket.socketpair()
    server = subprocess.Popen([*strace, sys.executable, "-I", str(SERVER)], stdin=theirs.fileno(), env={})
    theirs.close()
    slowest = 0.0
    for latex in formulas:
        began = time.monotonic()
        ours, its = socket.socketpair()
        socket.send_fds(control, [b"\0"], [its.fileno()])
        its.close()
        ours.sendall(json.dumps({"latex": latex, "dpi": 300}).encode())
        ours.shutdown(socket.SHUT_WR)
        while ours.recv(65536):
            pass
        ours.close()
        slowest = max(slowest, time.monotonic() - began)
    control.close()
    server.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    confined, forbidden = observed(log.read_text()) if strace else (None, None)
    report = {
        "inputs": len(formulas),
        "memory_mb": used.ru_maxrss / 1024,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "slowest": slowest,
        "confined": confined,
        "calls": forbidden,
    }
    print(json.dumps(report))


def observed(calls: str) -> tuple[int, list[str]]:
    """How many children took their limits on, and what they managed afterwards that they must not."""
    confined: set[str] = set()
    forbidden = []
    for line in calls.splitlines():
        if found := CONFINED.match(line):
            confined.add(found["pid"])
        elif (found := FORBIDDEN.match(line)) and found["pid"] in confined:
            forbidden.append(found["call"])
    return len(confined), forbidden


if __name__ == "__main__":
    main(Path(sys.argv[1]))
