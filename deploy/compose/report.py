"""A script with Showrunner beside it: prints the uptime of two devices. Standard library only."""

import json
import os
import sys
import urllib.request

host, user, password = (os.environ[f"DEVICE_{name}"] for name in ["HOST", "USER", "PASSWORD"])
first_port = int(os.environ.get("DEVICE_FIRST_PORT", "2201"))
body = {
    "devices": [
        {"hostname": host, "port": first_port, "os": "ios", "username": user, "password": password},
        {"hostname": host, "port": first_port + 2, "os": "nxos", "username": user, "password": password},
    ],
    "commands": [{"command": "show version", "pipe_option": "include", "pipe_value": "uptime"}],
}
request = urllib.request.Request(
    os.environ["SHOWRUNNER_URL"] + "/api/v1/execute", json.dumps(body).encode(), {"Content-Type": "application/json"}
)
with urllib.request.urlopen(request, timeout=300) as answer:
    results = json.load(answer)["results"]
for device in results:
    print(device["os"], device["error"] or device["commands"][0]["output"].strip())
sys.exit(any(not device["success"] for device in results))
