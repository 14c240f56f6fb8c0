"""Reads a simulated device with the client that openapi-python-client has made."""

import sys

from showrunner_client import Client
from showrunner_client.api.show_commands import execute
from showrunner_client.models import DeviceRequest, ExecuteRequest, ExecuteResponse

url, port = sys.argv[1], int(sys.argv[2])
device = DeviceRequest(hostname="127.0.0.1", port=port, username="demo", password="demo", os="ios")
body = ExecuteRequest(devices=[device], commands=["show version | include uptime"])
answer = execute.sync(client=Client(base_url=url), body=body)
assert isinstance(answer, ExecuteResponse), answer
assert answer.successful_devices == 1, answer
print(answer.results[0].commands[0].output)
