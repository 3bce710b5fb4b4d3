"""A server on loopback that stands for an endpoint, and what it is asked in tests."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cotnb.rationales.collecting import Wanted
from cotnb.rationales.teachers import Asked, Sampling
from cotnb.tasks import load_task

KEY = "sk-secret-abcdef123456"
SAMPLING = Sampling(temperature=0.7, max_new_tokens=16)
PAGE, CUT = 299, 298  # stand for a web page and a cut reply, which come with 200


class Endpoint(ThreadingHTTPServer):
    """A server that replies, refuses first, or never; it counts what it was asked."""

    daemon_threads = True

    def __init__(self, statuses=lambda count: 200, delay=0.0):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses, self.delay = statuses, delay
        self.paid, self.tries = Counter(), 0
        self.counting = threading.Lock()  # requests come side by side
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.counting:
            self.server.tries += 1
            status = self.server.statuses(self.server.tries)
        time.sleep(self.server.delay)
        body = {"error": {"message": f"refused {self.headers['Authorization']}"}}
        if status == 200:
            prompt = asked["messages"][0]["content"]
            with self.server.counting:
                self.server.paid[prompt, asked["seed"]] += 1
            body = {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": asked["model"],
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {
                            "role": "assistant",
                            "content": f"It is said. So the answer is {len(prompt)}.",
                        },
                    }
                ],
                "usage": {
                    "prompt_tokens": 10,
                    "completion_tokens": 5,
                    "total_tokens": 15,
                },
            }
        content, kind = json.dumps(body).encode(), "application/json"
        if status == PAGE:
            content, kind, status = b"<html></html>", "text/html", 200
        if status == CUT:
            content, status = b'{"id": "1", "cho', 200
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def wanted(count: int, samples: int = 1) -> list[Wanted]:
    examples = load_task("micro_world", "train", count)
    return [Wanted(e, Asked(e.question, s)) for e in examples for s in range(samples)]


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]
