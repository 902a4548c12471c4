"""Pages in a real browser: headless Chromium, driven over its DevTools pipe, which needs no library and no port."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any, Final

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",  # only our own pages are opened, and a container's root has no sandbox
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_PATIENCE_S: Final = 60
_IN_BROWSER, _OUT_OF_BROWSER = 3, 4  # the file descriptors that Chromium's pipe is


def find_chromium() -> str | None:
    """Return the browser's path; the environment's TRACELENS_CHROMIUM before what is installed."""
    return os.environ.get("TRACELENS_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


class Chromium:
    """A browser with one page.

    Attributes:
        events: what the browser has told, in order, since the page was opened.
    """

    def __init__(self, executable: str) -> None:
        self.events: list[dict[str, Any]] = []
        self._folder = Path(tempfile.mkdtemp(prefix="chromium-"))
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self._process = self._start(executable)
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def _start(self, executable: str) -> int:
        theirs_in, self._write_fd = os.pipe()
        self._read_fd, theirs_out = os.pipe()
        # Out of the way of 3 and 4, so that neither is overwritten before it is copied.
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (theirs_in, theirs_out)]
        nothing = os.open(os.devnull, os.O_RDWR)
        actions = [(os.POSIX_SPAWN_DUP2, nothing, fd) for fd in (0, 1, 2)]
        actions += [
            (os.POSIX_SPAWN_DUP2, fd, place) for fd, place in zip(theirs, (_IN_BROWSER, _OUT_OF_BROWSER), strict=True)
        ]
        arguments = [executable, *_FLAGS, f"--user-data-dir={self._folder}", "about:blank"]
        process = os.posix_spawn(executable, arguments, os.environ, file_actions=actions, setpgroup=0)
        for fd in (theirs_in, theirs_out, *theirs, nothing):
            os.close(fd)
        return process

    def close(self) -> None:
        """End the browser and remove what it kept."""
        os.close(self._write_fd)
        os.close(self._read_fd)
        os.killpg(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        shutil.rmtree(self._folder, ignore_errors=True)

    def open(
        self, page: Path | str, *, width: int = 1280, height: int = 900, script: bool = True, dark: bool = False
    ) -> None:
        """Open a file, or a URL, and wait until it is loaded."""
        self.resize(width, height)
        self._call("Emulation.setScriptExecutionDisabled", value=not script)
        self.emulate(dark=dark)
        for url in ("about:blank", page if isinstance(page, str) else page.as_uri()):
            self.events.clear()
            self._call("Page.navigate", url=url)
            self._until("Page.loadEventFired")

    def resize(self, width: int, height: int = 900) -> None:
        """Make the window this large; under 600 pixels it is a phone's."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def emulate(self, *, dark: bool = False, media: str = "") -> None:
        """Show what a reader who prefers dark gets, or what a printer gets (`media="print"`)."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; promises are waited for."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true: for what the page does in its own time."""
        end = time.monotonic() + _PATIENCE_S
        while not self.evaluate(expression):
            assert time.monotonic() < end, f"never true: {expression}"

    def click(self, selector: str) -> None:
        """Click with the mouse in the middle of what a selector names, scrolled into view and at rest."""
        place = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{place}.scrollIntoView({{block: 'center'}})")
        # What comes into view is laid out with the next frame, and a picture needs a frame.
        self._call("Page.captureScreenshot", clip={"x": 0, "y": 0, "width": 1, "height": 1, "scale": 1})
        x, y = self.evaluate(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({place}.getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Type text where the focus is."""
        self._call("Input.insertText", text=text)

    def press(self, key: str, code: int) -> None:
        """Press a key: its name and its Windows virtual key code."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        self._call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, text=text)
        self._call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def complaints(self) -> list[str]:
        """Return errors, warnings and dialogs since the page was opened, console output too."""
        self.evaluate("0")  # the browser tells in order: what happened before is told before the answer
        texts = []
        for event in self.events:
            about = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                texts.append(about["exceptionDetails"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled":
                texts.append(f"{about['type']}: {about['args']}")
            elif event["method"] == "Log.entryAdded":
                texts.append(about["entry"]["text"])
            elif event["method"] == "Page.javascriptDialogOpening":
                texts.append(f"dialog: {about['message']}")
        return texts

    def requested_urls(self) -> list[str]:
        """Return what the page asked for over the network, itself included; data: and the like are left out."""
        self.evaluate("0")
        urls = [
            each["params"]["request"]["url"] for each in self.events if each["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith("data:")]

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as a PNG file."""
        answer = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def pdf(self, path: Path) -> None:
        """Write the page as it is printed."""
        path.write_bytes(base64.b64decode(self._call("Page.printToPDF")["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write_fd, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                found: dict[str, Any] = answer["result"]
                return found

    def _until(self, method: str) -> None:
        while all(event["method"] != method for event in self.events):
            self._read()

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read_fd], [], [], _PATIENCE_S)
            assert ready, f"the browser has not answered for {_PATIENCE_S} s"
            piece = os.read(self._read_fd, 1 << 20)
            assert piece, "the browser has ended"
            self._buffer += piece
        line, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        if "id" not in message:
            self.events.append(message)
        return message
