"""An OpenAI-compatible endpoint as teacher, through the `openai` client.

The client reads OPENAI_BASE_URL and OPENAI_API_KEY from the environment and tries again
by itself, later and later, on 429, 5xx, time-outs and lost connections.
"""

import os
import re
import signal
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from queue import Empty, SimpleQueue
from threading import Thread, current_thread, main_thread
from urllib.parse import urlsplit

from cotnb.errors import UserError
from cotnb.rationales.teachers import Asked, Reply, Sampling

LOOK_SECONDS = 0.5  # between looks at whether the user wants to stop


@dataclass
class EndpointTeacher:
    """A model behind an endpoint, asked by chat.

    model: as the endpoint knows it. concurrency: requests at once. retries: how often
    one is tried again. timeout: seconds that one try may take.
    """

    model: str
    concurrency: int = 8
    retries: int = 8
    timeout: float = 120.0

    @property
    def name(self) -> str:
        return self.model

    @property
    def host(self) -> str:
        """The server that OPENAI_BASE_URL names, or OpenAI's own.

        With its port, and with its path where that is more than "/v1": a gateway has
        several endpoints.
        """
        address = os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        parts = urlsplit(address)
        path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
        return parts.netloc.rpartition("@")[2] + path

    def replies(
        self, asked: Sequence[Asked], sampling: Sampling
    ) -> Generator[tuple[int, Reply]]:
        """As `Teacher` says; what is under way when one fails is still waited for.

        So it is when the user interrupts, unless the user does so again, or whoever
        reads the replies leaves.
        Raises UserError where a request fails for good, with what the endpoint says.
        """
        client = self.client
        waiting, failed, under_way = iter(enumerate(asked)), None, 0
        came: SimpleQueue = SimpleQueue()  # (number, a reply or what went wrong)

        def ask(number: int, one: Asked) -> None:
            try:
                came.put((number, self._ask(client, one, sampling)))
            except Exception as error:  # the client's, or of a reply unlike others
                came.put((number, error))

        try:
            with _HeldInterrupt() as interrupt:
                while True:
                    on = not failed and not interrupt.came
                    while on and under_way < self.concurrency:
                        number, one = next(waiting, (None, None))
                        if one is None:
                            break
                        # a daemon, as nobody's exit shall wait for a hung endpoint
                        Thread(target=ask, args=(number, one), daemon=True).start()
                        under_way += 1
                    if not under_way:
                        break
                    try:
                        number, reply = came.get(timeout=LOOK_SECONDS)
                    except Empty:
                        continue
                    finally:
                        interrupt.tell()
                    under_way -= 1
                    if isinstance(reply, Exception):
                        failed = failed or reply
                    else:
                        yield number, reply
        except BaseException:  # nobody waits any longer
            client.close()
            self.__dict__.pop("client", None)
            raise
        if interrupt.came:
            raise KeyboardInterrupt
        if failed:
            raise UserError(self._reason(failed)) from None

    def _ask(self, client, one: Asked, sampling: Sampling) -> Reply:
        options = {}
        if sampling.top_logprobs:
            options = {"logprobs": True, "top_logprobs": sampling.top_logprobs}
        answer = client.chat.completions.create(
            model=self.model,
            messages=[{"role": "user", "content": one.prompt}],
            temperature=sampling.temperature,
            max_tokens=sampling.max_new_tokens,
            seed=one.seed % 2**31,
            **options,
        )
        choice = answer.choices[0] if answer.choices else None
        told = getattr(choice, "logprobs", None)
        likeliest = [
            [(top.token, top.logprob) for top in token.top_logprobs]
            for token in (told and told.content) or ()
        ]
        return Reply(
            text=(choice and choice.message.content) or "",
            prompt_tokens=answer.usage.prompt_tokens if answer.usage else 0,
            new_tokens=answer.usage.completion_tokens if answer.usage else 0,
            # an endpoint that tells none has answered all the same
            top_logprobs=likeliest if sampling.top_logprobs else None,
        )

    @cached_property
    def client(self):
        """The client; UserError where neither a key nor another address is set."""
        import openai

        if not os.environ.get("OPENAI_API_KEY"):
            if not os.environ.get("OPENAI_BASE_URL"):
                raise UserError(
                    "no endpoint: set OPENAI_API_KEY, and OPENAI_BASE_URL for another "
                    "server than OpenAI's"
                )
            # servers on one's own machine ask for no key, the client does
            return openai.OpenAI(
                api_key="none", max_retries=self.retries, timeout=self.timeout
            )
        return openai.OpenAI(max_retries=self.retries, timeout=self.timeout)

    def _reason(self, error: Exception) -> str:
        """One line: which endpoint, what it says, and no key."""
        import openai

        said = " ".join(str(error).split())[:300]
        if not isinstance(error, openai.OpenAIError):
            said = "no reply as OpenAI's are; does the address end in /v1?"
        elif isinstance(error, openai.APITimeoutError):
            said = f"no reply within {self.timeout:g} s"
        elif isinstance(error, openai.APIConnectionError):
            said = f"no connection ({error.__cause__ or said})"
        key = os.environ.get("OPENAI_API_KEY")
        said = said.replace(key, "<key>") if key else said
        said = re.sub(r"\bsk-[\w*-]+", "<key>", said)
        address = self.client.base_url.copy_with(username=None, password=None)
        return f"{address}: {said}, after {self.retries + 1} tries at most"


class _HeldInterrupt:
    """The user's first interrupt is held, so that what is paid for is kept.

    came: whether there was one. From then on the next one is as it was before.
    """

    def __init__(self):
        self.came, self.told, self.before = False, False, {}

    def __enter__(self):
        if current_thread() is main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if callable(handler := signal.getsignal(number)):
                    self.before[number] = handler
                    signal.signal(number, self._hold)
        return self

    def __exit__(self, *_):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _hold(self, *_):
        self.came = True
        self.__exit__()

    def tell(self) -> None:
        """Say once, and not within a signal, what an interrupt that came does."""
        if self.came and not self.told:
            self.told = True
            print("stopping once replies under way are kept; stop again to lose them")
