"""A real browser for tests of pages: Chromium without a screen, by chromedriver's WebDriver interface.

https://www.w3.org/TR/webdriver2/ : JSON over HTTP on this host alone. Nothing is installed or fetched for it.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .shop import until

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
#: The one proxy setting that must not be obeyed: the driver is on this host.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Page:
    """One window of a browser."""

    def __init__(self, port: int, session: str) -> None:
        self._base = f"http://127.0.0.1:{port}/session/{session}"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return _call(method, self._base + path, body)

    def open(self, path: Path, fragment: str = "") -> None:
        """Open a file, and wait until its script says that it is ready."""
        self.call("POST", "/url", {"url": path.resolve().as_uri() + fragment})
        until(lambda: self.run("return document.documentElement.dataset.ready"), f"{path} to be ready")

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page; what it returns."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def click(self, selector: str) -> None:
        self.call("POST", f"/element/{self._find(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        self.call("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def text(self, selector: str) -> str:
        return str(self.call("GET", f"/element/{self._find(selector)}/text"))

    def complaints(self) -> list[str]:
        """What the console has been told since the last time."""
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})]

    def resize(self, width: int, height: int) -> None:
        self.call("POST", "/window/rect", {"width": width, "height": height})

    def dark(self, is_dark: bool = True) -> None:
        """Prefer dark colours, or light ones."""
        wish = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", {"features": [wish]})

    def devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))

    def _find(self, selector: str) -> str:
        return str(self.call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT])


def _call(method: str, url: str, body: Any) -> Any:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"}, method=method)
    try:
        with DIRECT.open(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as exc:
        raise AssertionError(f"{method} {url}: {json.load(exc)['value']['message']}") from exc


@contextmanager
def browser(width: int = 1400, height: int = 900) -> Iterator[Page]:
    """A browser with a profile of its own, ended and removed at the end."""
    profile = tempfile.mkdtemp(prefix="sq-browser-")
    log = Path(profile, "driver.log")
    with open(log, "wb") as file:
        command = [DRIVER or "chromedriver", "--port=0"]
        driver = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, "HOME": profile})
    try:
        port = until(lambda: _port(log), "chromedriver to start")
        arguments = [*FLAGS, f"--user-data-dir={profile}/profile", f"--window-size={width},{height}"]
        options = {
            "goog:chromeOptions": {"args": arguments, "binary": CHROMIUM},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        wish = {"capabilities": {"alwaysMatch": options}}
        session = _call("POST", f"http://127.0.0.1:{port}/session", wish)["sessionId"]
        page = Page(port, session)
        try:
            yield page
        finally:
            page.call("DELETE", "")
    finally:
        driver.terminate()
        driver.wait(20)
        shutil.rmtree(profile, ignore_errors=True)


def _port(log: Path) -> int | None:
    """Which port the driver says that it has been given."""
    for line in log.read_text(errors="replace").splitlines():
        if "started successfully on port" in line:
            return int(line.rstrip(".").rpartition(" ")[2])
    return None
