"""Reads devices with a tool that users have: peers.py TOOL AT_ONCE N_COMMANDS PORT,PORT,…

Prints one line a round, for each line of its input: seconds of wall time and of CPU, after the tool was imported.
"""

import asyncio
import concurrent.futures
import resource
import sys
import time

TOOL, AT_ONCE, N_COMMANDS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
PORTS = [int(port) for port in sys.argv[4].split(",")]
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
    """As pyats-ro-api reads devices: one after another, by an ssh of its own for each.

    There it `configures` each device at login, as it does unless it is told not to. Kinder than there: without the
    pause of 10 s behind the logout.
    """
    from pyats.topology import loader

    arguments = {"learn_hostname": False}
    if not configures:
        arguments["init_config_commands"] = []

    def read(port):
        ssh = {
            "protocol": "ssh", "ip": "127.0.0.1", "port": port,
            "ssh_options": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            "settings": {"POST_DISCONNECT_WAIT_SEC": 0},
            "arguments": dict(arguments),
        }
        device = loader.load({"devices": {"edge1": {
            "os": "ios", "type": "router", "connections": {"cli": ssh},
            "credentials": {"default": {"username": "demo", "password": "demo"}},
        }}}).devices["edge1"]
        device.connect(log_stdout=False, logfile="/dev/null")
        length = sum(len(device.execute(command)) for command in COMMANDS)
        device.disconnect()
        return length

    return lambda: [read(port) for port in PORTS]


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
