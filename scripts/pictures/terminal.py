"""Records a terminal as an animated SVG: `terminal.py RECORDING` with the environment that the shell in it gets.

The shell is real and so is what it prints; pauses are shortened, and the whole takes 20 seconds. The programs of this recording print lines only, so
nothing of a terminal is imitated but the line breaks.
"""

import html
import os
import pty
import re
import select
import sys
import time

COLUMNS, ROWS = 100, 28
# The longest pause that is shown, and the length of the whole, in seconds.
PAUSE, LENGTH = 1.4, 20.0
# For a step that takes a while, such as the start of an agent, in seconds.
PATIENCE = 60.0
# Of the picture, in pixels.
WIDTH, HEIGHT, MARGIN = 8.0, 18, 16

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")


class Recording:
    """A shell, and what it has printed at which time."""

    def __init__(self, command):
        self.pid, self.shell = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        self.printed = []
        self.text = ""
        self.read = 0
        self.now = 0.0

    def wait_for(self, pattern):
        """Reads until the new output matches."""
        end = time.monotonic() + PATIENCE
        while not (found := re.compile(pattern).search(self.text, self.read)):
            before = time.monotonic()
            if not select.select([self.shell], [], [], max(0.0, end - before))[0]:
                sys.exit(f"{pattern!r} did not come:\n{self.text}")
            piece = ESCAPE.sub("", os.read(self.shell, 65536).decode(errors="replace")).replace("\r", "")
            self.now += min(PAUSE, time.monotonic() - before)
            self.printed.append((self.now, piece))
            self.text += piece
        self.read = found.end()

    def type(self, line):
        """Types a line as a person does; the terminal repeats what is typed."""
        self.now += 0.5
        for piece in re.findall(r".{1,4}", line):
            os.write(self.shell, piece.encode())
            self.wait_for(re.escape(piece[-1]))
            self.now += 0.09
        os.write(self.shell, b"\n")


def lines(printed):
    """The texts of the picture: the time, the row, the column, and what is there."""
    row = column = 0
    for at, piece in printed:
        for part in re.findall(r"\n|[^\n]+", piece):
            if part == "\n":
                row, column = row + 1, 0
            while part != "\n" and part:
                fits, part = part[: COLUMNS - column], part[COLUMNS - column :]
                yield at, row, column, fits
                column += len(fits)
                if part:
                    row, column = row + 1, 0


def picture(printed):
    texts = list(lines(printed))
    factor = (LENGTH - 3.0) / texts[-1][0]
    width, height = COLUMNS * WIDTH + 2 * MARGIN, ROWS * HEIGHT + 2 * MARGIN
    # What is printed below the last row pushes the rest up.
    scrolls, top = [], 0
    for at, row, _, _ in texts:
        if row - ROWS + 1 > top:
            top = row - ROWS + 1
            scrolls.append((at * factor / LENGTH * 100, top * HEIGHT))
    steps, last = ["0%{transform:none}"], 0
    for percent, up in scrolls:
        steps.append(f"{percent:.2f}%{{transform:translateY(-{last}px)}}{percent + 0.01:.2f}%{{transform:translateY(-{up}px)}}")
        last = up
    steps.append(f"100%{{transform:translateY(-{last}px)}}")
    times = sorted({round(at * factor, 2) for at, *_ in texts})
    shown = "".join(
        f"@keyframes t{n}{{0%,{at / LENGTH * 100:.2f}%{{opacity:0}}{at / LENGTH * 100 + 0.01:.2f}%,100%{{opacity:1}}}}"
        f".t{n}{{animation-name:t{n}}}"
        for n, at in enumerate(times)
    )
    body = "".join(
        f'<text class="t{times.index(round(at * factor, 2))}" x="{MARGIN + column * WIDTH:g}" '
        f'y="{MARGIN + row * HEIGHT + 13}" textLength="{len(text) * WIDTH:g}">{html.escape(text)}</text>'
        for at, row, column, text in texts
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" width="{width:g}" height="{height}">
<title>A terminal: make serve, and a session with the agent</title>
<style>
text{{font:13.3px ui-monospace,Menlo,Consolas,"Liberation Mono",monospace;fill:#e9e7e0;white-space:pre;animation:{LENGTH}s infinite}}
#screen{{animation:scroll {LENGTH}s infinite}}
@keyframes scroll{{{"".join(steps)}}}
{shown}
@media (prefers-reduced-motion:reduce){{text{{animation:none}}#screen{{animation:none;transform:translateY(-{last}px)}}}}
</style>
<rect width="100%" height="100%" rx="10" fill="#181917"/>
<svg y="{MARGIN / 2:g}" width="{width:g}" height="{height - MARGIN}"><g id="screen">{body}</g></svg>
</svg>
"""


def main():
    recording = Recording(["bash", "--noprofile", "--rcfile", os.path.join(os.path.dirname(__file__), "bashrc"), "-i"])
    prompt = r"\n?\$ $"
    recording.wait_for(prompt)
    port = os.environ["PORT"]
    recording.type("make serve ARGS=--practice &" if port == "8000" else f"make serve PORT={port} ARGS=--practice &")
    recording.wait_for(r"open http\S+\n")
    os.write(recording.shell, b"\n")
    recording.wait_for(prompt)
    recording.type(f"agent-webkit attach http://127.0.0.1:{port}")
    recording.wait_for(r"twice leaves\.\n")
    recording.type("Hello.")
    recording.wait_for(r"You said: Hello\.\n")
    recording.type("/proofread")
    recording.wait_for(r"asks for permission[^$]*input\n")
    recording.type("y")
    recording.wait_for(r"Done\.\n")
    os.write(recording.shell, b"\x04")
    recording.wait_for(prompt)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(picture(recording.printed))
    os.write(recording.shell, b"kill %1; wait; exit\n")
    os.waitpid(recording.pid, 0)


main()
