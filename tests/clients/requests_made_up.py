"""Hooks for schemathesis: a part of the requests name simulated devices, so that sessions are run too."""

import json
import os

import schemathesis

FIRST = int(os.environ["FIRST_PORT"])
PLATFORMS = ["ios", "iosxe", "nxos", "iosxr", "asa", "eos", "junos", "huawei_vrp", "fortinet", "paloalto_panos", "frr"]
COMMANDS = ["show version", "display version", "get system status", "show ip interface brief | include up"]


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    devices = body.get("devices")
    for device in devices if isinstance(devices, list) else []:
        if not isinstance(device, dict) or not isinstance(device.get("hostname"), str):
            continue
        # One text in three stays as it was made up; names are looked up nowhere else than here.
        seed = sum(map(ord, device["hostname"]))
        if seed % 3 == 0 and "." not in device["hostname"]:
            continue
        at = seed % len(PLATFORMS)
        device["hostname"] = "127.0.0.1"
        if isinstance(device.get("os"), str):
            device["os"] = PLATFORMS[at]
            device["port"] = FIRST + at
        if seed % 2 and isinstance(device.get("username"), str):
            device["username"] = "demo"
            device["password"] = "demo"
    for holder in [body] + (devices if isinstance(devices, list) else []):
        commands = holder.get("commands") if isinstance(holder, dict) else None
        if isinstance(commands, list):
            holder["commands"] = [
                COMMANDS[len(line) % len(COMMANDS)] if isinstance(line, str) and len(line) % 4 else line
                for line in commands
            ]
    if isinstance(body.get("timeout"), int) and body["timeout"] > 3:
        body["timeout"] = 3
    if isinstance(body.get("command"), str) and isinstance(body.get("os"), str):
        body["os"], body["command"] = "ios", "show ip interface brief"
    return body


@schemathesis.deserializer("application/x-ndjson")
def first_line(context, response):
    return json.loads(response.content.split(b"\n", 1)[0])
