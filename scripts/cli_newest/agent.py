"""One process of the `claude` CLI, driven over its control protocol as the server drives it."""
import json
import os
import queue
import signal
import subprocess
import threading
import uuid

# As in src/claude/process/cli_process.rs, and what its settings add.
FLAGS = ["--output-format", "stream-json", "--verbose", "--input-format", "stream-json"]
FLAGS += ["--permission-prompt-tool", "stdio", "--include-partial-messages", "--session-mirror"]

# Maximum time for each frame that a turn waits for, and for the end of the process, in seconds.
PATIENCE = 60


class Stuck(Exception):
    """The CLI did not do what a turn waits for."""


class Agent:
    """A CLI process. `seen` gets each frame, with the subtype of the request that a response answers."""

    def __init__(self, program, workspace, environment, seen, *flags, resume=None):
        self.session = resume or str(uuid.uuid4())
        self.seen, self.requests, self.answers = seen, {}, {}
        start = f"--resume={resume}" if resume else f"--session-id={self.session}"
        self.process = subprocess.Popen(
            [program, *FLAGS, start, *flags],
            cwd=workspace,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.frames = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith(b"{"):
                self.frames.put(json.loads(line))
        self.frames.put(None)

    def send(self, frame):
        try:
            self.process.stdin.write(json.dumps(frame).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Stuck("its input is closed") from None

    def next(self, awaited):
        """Returns the next frame, after answering it if it is a request."""
        try:
            frame = self.frames.get(timeout=PATIENCE)
        except queue.Empty:
            raise Stuck(awaited) from None
        if frame is None:
            raise Stuck(awaited)
        self._record(frame)
        if frame["type"] == "control_request":
            self._answer(frame["request_id"], frame["request"])
        return frame

    def _record(self, frame):
        request = frame.get("response", {}).get("request_id") if frame["type"] == "control_response" else None
        self.seen(frame, self.requests.get(request))

    def _answer(self, request_id, request):
        answer = self.answers.get(request["subtype"], ANSWERS.get(request["subtype"]))
        answer = answer(request) if answer else None
        if answer is None:
            return
        response = {"subtype": "success", "request_id": request_id, "response": answer}
        self.send({"type": "control_response", "response": response})

    def until(self, awaited, wanted):
        """Reads frames up to the first for which `wanted` is true, and returns it."""
        while True:
            frame = self.next(awaited)
            if wanted(frame):
                return frame

    def until_subtype(self, subtype):
        return self.until(subtype, lambda frame: frame.get("subtype") == subtype)

    def request(self, subtype, **fields):
        """Sends a control request and returns the response."""
        request_id = f"r{len(self.requests)}"
        self.requests[request_id] = subtype
        self.send({"type": "control_request", "request_id": request_id, "request": {"subtype": subtype, **fields}})
        is_response = lambda frame: frame["type"] == "control_response"
        ours = lambda frame: is_response(frame) and frame["response"]["request_id"] == request_id
        return self.until(f"the response to {subtype}", ours)["response"]

    def say(self, content):
        message_id = str(uuid.uuid4())
        self.send({"type": "user", "uuid": message_id, "message": {"role": "user", "content": content}})
        return message_id

    def result(self):
        return self.until("result", lambda frame: frame["type"] == "result")

    def turn(self, content):
        """Sends a message and waits for the end of its turn. Returns the message's id."""
        message_id = self.say(content)
        self.result()
        return message_id

    def end(self):
        """Closes the input and reads what still comes. How the process exits is seen like a frame."""
        self.process.stdin.close()
        try:
            while True:
                self.next("the end")
        except Stuck:
            pass
        self.seen({"type": "exit", "subtype": str(self.kill())}, None)

    def kill(self):
        """Ends the process and everything in its group. Returns the exit status, if it has ended by itself."""
        try:
            status = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        return status


def allow(request):
    return {"behavior": "allow", "updatedInput": request["input"]}


# How requests are answered, unless a turn does it by itself.
ANSWERS = {
    "can_use_tool": allow,
    "hook_callback": lambda request: {},
    "elicitation": lambda request: {"action": "accept", "content": {"name": "Ada"}},
}
