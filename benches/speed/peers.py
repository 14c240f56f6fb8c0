"""Reads devices with a tool that users have: peers.py TOOL AT_ONCE N_COMMANDS PORT,PORT,…

Prints one line a round, for each line of its input: seconds of wall time and of CPU, after the tool was imported.
"""

import asyncio
import concurrent.futures
import ctypes
import os
import resource
import shutil
import sys
import time
import warnings

TOOL, AT_ONCE, N_COMMANDS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
PORTS = [int(port) for port in sys.argv[4].split(",")]
PR_SET_CHILD_SUBREAPER = 36
COMMANDS = (["show version", "show clock", "show ip interface brief"] + ["show simulator bytes 11000"] * 7)[:N_COMMANDS]


def by_netmiko():
    from netmiko import ConnectHandler

    def read(port):
        with ConnectHandler(
            device_type="cisco_ios", host="127.0.0.1", port=port, username="demo", password="demo"
        ) as device:
            return sum(len(device.send_command(command)) for command in COMMANDS)

    def run():
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(read, PORTS))

    return run


def by_scrapli():
    from scrapli.driver.core import AsyncIOSXEDriver

    async def read(port, turns):
        async with turns, AsyncIOSXEDriver(
            host="127.0.0.1", port=port, auth_username="demo", auth_password="demo",
            auth_strict_key=False, transport="asyncssh",
        ) as device:
            return sum([len((await device.send_command(command)).result) for command in COMMANDS])

    async def read_all():
        turns = asyncio.Semaphore(AT_ONCE)
        return await asyncio.gather(*(read(port, turns) for port in PORTS))

    return lambda: asyncio.run(read_all())


def by_unicon(configures):
    """As pyats-ro-api reads devices: one after another, by an ssh of its own for each, with its settings.

    There it `configures` each device at login, as it does unless it is told not to. Kinder than there: no log of each
    session is written. Without `sshpass` the password is typed when ssh asks for it.
    """
    warnings.simplefilter("ignore")  # of its own arguments' names
    # What sshpass leaves behind counts too.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    from unicon import Connection

    arguments = {} if configures else {"init_config_commands": []}
    sshpass = "sshpass -p demo " if shutil.which("sshpass") else ""
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"

    def read(port):
        device = Connection(
            hostname="127.0.0.1", start=[f"{sshpass}ssh -p {port} {options} demo@127.0.0.1"], os="ios",
            username="demo", password="demo", learn_hostname=True, log_stdout=False, logfile="/dev/null",
            settings={"EXEC_TIMEOUT": 30, "POST_DISCONNECT_WAIT_SEC": 0}, **arguments,
        )
        device.connect()
        length = sum(len(device.execute(command)) for command in COMMANDS)
        device.disconnect()
        return length

    def run():
        lengths = [read(port) for port in PORTS]
        while reaped():
            pass
        return lengths

    return run


def reaped():
    """Waits for the end of a child; whether there was one."""
    try:
        os.wait()
    except ChildProcessError:
        return False
    return True


def cpu():
    """Of this process, and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


TOOLS = {
    "netmiko": by_netmiko,
    "scrapli": by_scrapli,
    "unicon": lambda: by_unicon(configures=True),
    "unicon, reading only": lambda: by_unicon(configures=False),
}
run = TOOLS[TOOL]()
for _ in sys.stdin:
    started, before = time.monotonic(), cpu()
    lengths = run()
    assert len(lengths) == len(PORTS) and min(lengths) > 100, lengths
    print(time.monotonic() - started, cpu() - before, flush=True)
