# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""A headless Chromium, driven over its debugging pipe: opens a file, runs expressions in it, presses
keys, and keeps what went wrong and what was fetched."""
import base64
import contextlib
import fcntl
import json
import os
import re
import select
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator, Optional

from lib import DEADLINE_S, find_program, stop_process, wait_for

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
         "--disable-background-networking", "--window-size=1300,900", "--remote-debugging-pipe"]
# The pipe's ends are where Chromium expects them.
START = 'in=$1 out=$2; shift 2; exec "$@" 3<&"$in" 4>&"$out"'


def find_browser() -> Optional[str]:
    return find_program("chromium", "chromium-browser", "google-chrome")


def is_without_browsers() -> bool:
    """Whether this distribution has no browser to install: Ubuntu has them as snaps only."""
    return bool(re.search(r"^ID=ubuntu$", Path("/etc/os-release").read_text(), re.M))


class Browser:
    """One page; see browser()."""

    def __init__(self, to_fd: int, from_fd: int):
        self.to_fd, self.from_fd = to_fd, from_fd
        self.rest = b""
        self.last_id = 0
        self.session = ""
        self.faults: list[str] = []   # exceptions, and what the page's policy refused
        self.fetched: list[str] = []  # addresses

    def read_message(self) -> dict[str, Any]:
        end = time.monotonic() + DEADLINE_S
        while b"\0" not in self.rest:
            if not select.select([self.from_fd], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"the browser said nothing for {DEADLINE_S} s")
            data = os.read(self.from_fd, 1 << 20)
            if not data:
                raise EOFError("the browser has ended")
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message["method"] == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(params["exceptionDetails"]))
        elif message["method"] == "Log.entryAdded":
            self.faults.append(params["entry"]["text"])
        elif message["method"] == "Network.requestWillBeSent":
            self.fetched.append(params["request"]["url"])

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.last_id += 1
        request = {"id": self.last_id, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.to_fd, json.dumps(request).encode() + b"\0")
        while True:
            message = self.read_message()
            if message.get("id") == self.last_id:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            if "method" in message:
                self.note(message)

    def attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, path: Path, hash_part: str = "") -> None:
        """Opens @path and waits until its scripts have run."""
        self.call("Page.navigate", url="about:blank")
        self.faults, self.fetched = [], []
        self.call("Page.navigate", url=path.as_uri() + hash_part)
        self.wait("the page to be loaded",
                  "location.protocol === 'file:' && document.readyState === 'complete'")

    def wait(self, what: str, expression: str) -> None:
        wait_for(what, lambda: self.value(expression))

    def value(self, expression: str) -> Any:
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def texts(self, selector: str) -> list[str]:
        """Returns the text of each element that @selector finds."""
        return self.value(f"[...document.querySelectorAll({json.dumps(selector)})]"
                          ".map(one => one.textContent)")

    def press(self, key: str) -> None:
        params: dict[str, Any] = {"key": key}
        if len(key) == 1 or key == "Enter":
            params["text"] = "\r" if key == "Enter" else key
        self.call("Input.dispatchKeyEvent", type="keyDown", **params)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def media(self, media: str = "", **features: str) -> None:
        self.call("Emulation.setEmulatedMedia", media=media, features=[
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextlib.contextmanager
def browser(scratch: Path) -> Iterator[Browser]:
    """Runs a browser that keeps its things in @scratch."""
    child_in, to_fd = os.pipe()
    from_fd, child_out = os.pipe()
    # Above those that the shell moves them to.
    ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (child_in, child_out)]
    argv = ["bash", "-c", START, "bash", *map(str, ends), find_browser() or "chromium", *FLAGS,
            f"--user-data-dir={scratch / 'browser'}"]
    with open(scratch / "browser.log", "wb") as log:
        proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                pass_fds=ends, env=dict(os.environ, HOME=str(scratch)))
    for fd in (child_in, child_out, *ends):
        os.close(fd)
    made = Browser(to_fd, from_fd)
    try:
        made.attach()
        yield made
        made.session = ""
        with contextlib.suppress(OSError, EOFError):
            made.call("Browser.close")
        proc.wait(DEADLINE_S)
    finally:
        stop_process(proc)
        os.close(to_fd)
        os.close(from_fd)
