"""Runs Python's textfsm over pairs of template and text: JSON lines in, JSON lines out.

In: {"template": text, "text": text}. Out: {"rows": [...]} or {"error": true} or {"late": true}.
"""

import io
import json
import signal
import sys

import textfsm


class Late(Exception):
    """Python took too long: its expressions can hang."""


def late(_signal, _frame):
    raise Late


def main():
    signal.signal(signal.SIGALRM, late)
    machines = {}
    for line in sys.stdin:
        pair = json.loads(line)
        template = pair["template"]
        if template not in machines:
            machines[template] = textfsm.TextFSM(io.StringIO(template))
        machine = machines[template]
        machine.Reset()
        signal.setitimer(signal.ITIMER_REAL, 2)
        try:
            rows = machine.ParseText(pair["text"])
            answer = {"header": machine.header, "rows": rows}
        except Late:
            answer = {"late": True}
        except (textfsm.TextFSMError, TypeError):
            answer = {"error": True}
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


main()
