"""A kernel of E2B's notebook server, as far as its wire shows: cells in, messages out, as lines of JSON.

Runs inside a machine of the stand-in, on the standard library alone.
"""

import ast
import base64
import builtins
import json
import os
import signal
import sys
import time
import traceback

WIRE = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
RED, PLAIN = "\x1b[0;31m", "\x1b[0m"
PICTURES = {"png": "_repr_png_", "jpeg": "_repr_jpeg_"}


def send(**message):
    WIRE.write(json.dumps(message) + "\n")


class Stream:
    """stdout or stderr: each write is a message, as of IPython's own."""

    def __init__(self, kind):
        self.kind = kind

    def write(self, text):
        if text:
            send(type=self.kind, text=text, timestamp=time.time_ns())
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return False


def show(value, is_main):
    """What IPython sends of a value: its text, and its pictures where it has any."""
    found = {"text": repr(value)}
    for kind, method in PICTURES.items():
        picture = getattr(value, method, lambda: None)()
        if picture:
            found[kind] = base64.b64encode(picture).decode()
    send(type="result", is_main_result=is_main, extra={}, **found)


def cell(code, names):
    tree = ast.parse(code, "/tmp/ipykernel/1.py")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "/tmp/ipykernel/1.py", "exec"), names)
    if last:
        value = eval(compile(ast.Expression(last.value), "/tmp/ipykernel/1.py", "eval"), names)
        if value is not None:
            show(value, True)


def main():
    sys.stdout, sys.stderr = Stream("stdout"), Stream("stderr")
    builtins.display = lambda value: show(value, False)
    names = {"__name__": "__main__"}
    count = 0
    while line := sys.stdin.readline():
        count += 1
        send(type="number_of_executions", execution_count=count)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            cell(json.loads(line)["code"], names)
        except BaseException as error:  # noqa: BLE001  whatever a cell raises is a message
            told = "".join(f"{RED}{line}{PLAIN}" for line in traceback.format_exception(error))
            send(type="error", name=type(error).__name__, value=str(error), traceback=told)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        send(type="end")


main()
