"""Opens /docs in a headless browser, clicks "Try it out" and "Execute", and prints what the device said.

Speaks the DevTools protocol. Pictures of the page go to the folder that is named last.
"""

import base64
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import websocket

browser, url, folder = sys.argv[1:]
LIMIT = 60


class Page:
    """One page of the browser."""

    def __init__(self, socket):
        self.socket, self.number, self.requested, self.errors = socket, 0, [], []

    def call(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("method") == "Network.requestWillBeSent":
                self.requested.append(answer["params"]["request"]["url"])
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(answer["params"]["exceptionDetails"]["text"])
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, address):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Network", "Runtime"]:
            self.call(f"{domain}.enable", self.session)
        self.call("Page.navigate", self.session, url=address)

    def value(self, script):
        result = self.call("Runtime.evaluate", self.session, expression=script, returnByValue=True)
        return result["result"].get("value")

    def wait_for(self, what, script):
        until = time.monotonic() + LIMIT
        while time.monotonic() < until:
            found = self.value(script)
            if found:
                return found
            time.sleep(0.1)
        raise SystemExit(f"never seen: {what}\n{self.value('document.body.innerText')[:3000]}")

    def picture(self, name):
        size = self.call("Page.getLayoutMetrics", self.session)["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": 1400, "height": min(size["height"], 4000), "scale": 1}
        shot = self.call("Page.captureScreenshot", self.session, clip=clip, captureBeyondViewport=True)
        (pathlib.Path(folder) / name).write_bytes(base64.b64decode(shot["data"]))


def button(block, words):
    """The button of a block that says one of the words."""
    return (
        f"[...document.querySelectorAll('{block} button')]"
        f".find(button => {json.dumps(words)}.includes(button.innerText.trim()))"
    )


def visit(socket):
    page = Page(socket)
    page.open(f"{url}/docs")
    block = '.opblock[id$="-execute"]'
    page.wait_for("the calls", f"document.querySelector('{block}') !== null")
    title = page.value("document.querySelector('.info .title').innerText")
    page.picture("swagger-ui-closed.png")
    page.value(f"document.querySelector('{block} .opblock-summary-control').click()")
    page.wait_for("the call's buttons", f"{button(block, ['Try it out', 'Cancel'])} !== undefined")
    page.value(f"({button(block, ['Try it out'])} || {{click() {{}}}}).click()")
    page.wait_for("Execute", f"{button(block, ['Execute'])} !== undefined")
    page.value(f"{button(block, ['Execute'])}.click()")
    said = page.wait_for(
        "the answer", f"(document.querySelector('{block} .live-responses-table tbody .response-col_description') || {{}}).innerText"
    )
    page.picture("swagger-ui.png")
    foreign = [one for one in page.requested if not re.match(re.escape(url) + "|data:|blob:", one)]
    assert not foreign, f"the page asks others: {foreign}"
    assert not page.errors, page.errors
    assert any(one.endswith("/api/v1/execute") for one in page.requested), page.requested
    print(title, said, sep="\n")


with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--window-size=1400,1000"]
    arguments += ["--disable-background-networking", "--disable-component-update", "--remote-allow-origins=*"]
    arguments += ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--remote-debugging-port=0"]
    process = subprocess.Popen([browser, *arguments, f"--user-data-dir={profile}"], stderr=subprocess.PIPE, text=True)
    try:
        found = (re.search(r"ws://\S+", line) for line in process.stderr)
        visit(websocket.create_connection(next(one.group(0) for one in found if one), timeout=LIMIT))
    finally:
        process.terminate()
        process.wait(LIMIT)
