"""Runs Python's textfsm over pairs of template and text: JSON lines in, JSON lines out.

In: {"template": text, "text": text}. Out: {"rows": [...]}, {"error": true}, {"late": true}, or {"refused": true} for a template.
"""

import io
import json
import signal
import sys
import warnings

import textfsm

# Expressions that will mean something else some day.
warnings.simplefilter("ignore")


class Late(Exception):
    """Python took too long: its expressions can hang."""


def late(_signal, _frame):
    raise Late


def read(template):
    """The template's machine; None if it is refused, which not every fault is with an error of its own."""
    try:
        return textfsm.TextFSM(io.StringIO(template))
    except (textfsm.TextFSMTemplateError, IndexError):
        return None


def main():
    signal.signal(signal.SIGALRM, late)
    machines = {}
    for line in sys.stdin:
        pair = json.loads(line)
        template = pair["template"]
        if template not in machines:
            machines[template] = read(template)
        machine = machines[template]
        if machine is None:
            sys.stdout.write('{"refused": true}\n')
            continue
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
