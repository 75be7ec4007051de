"""A repository's requests: to the registry with Authorization, over TLS alone, and where it leads without."""

import shlex
import time
from collections.abc import Callable, Mapping

from cerrotorre import bearer, credentials, oci
from cerrotorre.errors import Fail
from cerrotorre.reference import DOCKER, match_registry
from cerrotorre.transport import SECONDS, Answer, Plain, Transport
from cerrotorre.urls import resolve, split

MAX_REDIRECTS = 5
# How many times one request gets new authorization: a token may end, and so may the next, which threads share.
RENEWALS = 2
DOCKER_HOST = "registry-1.docker.io"
# Seconds before its end at which a token is not used any more.
MARGIN = 10.0

# An act of the transport: (url, headers, whether its certificate is verified) -> answer
Act = Callable[[str, dict[str, str], bool], Answer]


class Session:
    """Requests about one repository of a registry, by any number of threads.

    `insecure` and `realms` are those of [registries] in config.toml. Every method raises Fail network for what is no answer.
    """

    def __init__(
        self,
        host: str,
        path: str,
        insecure: list[str],
        realms: list[str],
        env: Mapping[str, str] | None = None,
        transport: Transport | None = None,
        *,
        push: bool = False,
    ) -> None:
        # urllib3 imports it anyway.
        import threading

        self.host, self.path, self._insecure, self._realms, self._env = host, path, insecure, realms, env
        self._transport = transport or Transport(env)
        self._verified = not self._is_insecure(host)
        self._host = DOCKER_HOST if host == DOCKER else host
        self._base = f"https://{self._host}" if self._verified else ""
        self._authorization = ""
        self._until: float | None = None
        self._challenge: dict[str, dict[str, str]] = {}
        self._scopes = [f"repository:{path}:{'pull,push' if push else 'pull'}"]
        self._lock = threading.RLock()

    def _url(self, rest: str) -> str:
        if not self._base:
            with self._lock:
                self._base = self._base or self._insecure_base()
        return f"{self._base}/v2/{self.path}/{rest}"

    def _insecure_base(self) -> str:
        """Of a host that is let be without TLS: TLS with any certificate if it has that, else none, as skopeo does."""
        try:
            self._transport.send(f"https://{self._host}/v2/", {}, oci.MAX_DOCUMENT, verified=False, tries=1)
        except Fail:
            return f"http://{self._host}"
        return f"https://{self._host}"

    def _ask(
        self,
        url: str,
        accept: str,
        limit: int,
        absent: tuple[int, ...] = (404,),
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer: 200, or one of `absent`."""
        more = {"Accept": accept, **(headers or {})}

        def act(url: str, sent: dict[str, str], verified: bool) -> Answer:
            return self._transport.send(url, sent, limit, method=method, body=body, verified=verified)

        answer = self._authorized(url, more, act)
        if answer["status"] != 200 and answer["status"] not in absent:
            raise self._refusal(answer, url)
        return answer

    def _refusal(self, answer: Answer, url: str) -> Fail:
        said = f"{answer['status']} {answer['code']}".strip()
        what = url.partition("/v2/")[2].partition("?")[0]
        # Behind it lies what the registry made up for this upload.
        head, uploads, _ = what.partition("/blobs/uploads/")
        said = f"{self.host} refuses {head}{uploads} ({said})"
        if answer["status"] in (401, 403):
            fail = Fail("network", f"{said}: it wants other credentials, or has no such image for you", Registry=self.host)
            return fail.proposing(f"skopeo login {self.host}")
        asked = answer["headers"].get("retry-after", "")
        # What is no number of seconds may be anything, a secret that is said back too.
        return Fail("network", said, Registry=self.host, Retry_after=asked if SECONDS.fullmatch(asked) else None)

    def _authorized(self, url: str, headers: dict[str, str], act: Act) -> Answer:
        """What comes of the act there: again with new authorization, if it wants that."""
        answer, used = self._follow(url, headers, act)
        for _ in range(RENEWALS):
            if answer["status"] != 401:
                break
            self._authorize(answer, used)
            if self._authorization == used:
                # The same once more says nothing else.
                break
            answer, used = self._follow(url, headers, act)
        return answer

    def _follow(self, url: str, headers: dict[str, str], act: Act) -> tuple[Answer, str]:
        """Ask there, and where that leads: a few steps, never from TLS to none, and without Authorization to any other host.

        Gives the authorization that was used, too.
        """
        used = self._current()
        for _ in range(MAX_REDIRECTS + 1):
            home = split(url) == split(self._base)
            more = {"Authorization": used} if used and home else {}
            try:
                answer = act(url, {**headers, **more}, self._verified or not home)
            except Plain as fail:
                raise self._plain() if home else fail from None
            if answer["status"] not in (301, 302, 303, 307, 308):
                if answer["status"] == 401 and not home:
                    raise Fail(
                        "network", f"{self.host}: {split(url)[1]}, where it leads, wants credentials", Registry=self.host
                    )
                return answer, used
            url = self._led(url, answer)
        raise Fail("network", f"{self.host} leads to another place more than {MAX_REDIRECTS} times", Registry=self.host)

    def _plain(self) -> Fail:
        """What to do about a registry without TLS. What is set replaces what was there."""
        said = f"{self.host} speaks plain HTTP, and the configuration does not name it as one that may"
        fail = Fail("network", said, Registry=self.host)
        return fail.proposing(shlex.join(["ct", "config", "set", "registries.insecure", *self._insecure, self.host]))

    def _led(self, url: str, answer: Answer) -> str:
        """The URL that an answer's Location names."""
        place = answer["headers"].get("location", "")
        if not place:
            raise Fail("network", f"{self.host} leads nowhere ({answer['status']})", Registry=self.host)
        url, before = resolve(url, place), url
        if split(url)[0] == "http" and (split(before)[0] == "https" or not self._is_insecure(split(url)[1])):
            raise Fail("network", f"{self.host} leads to {split(url)[1]} without TLS", Registry=self.host)
        return url

    def _is_insecure(self, host: str) -> bool:
        return any(match_registry(pattern, f"{host}/{self.path}") for pattern in self._insecure)

    def _current(self) -> str:
        """The authorization to use: renewed if it is known to end."""
        with self._lock:
            if self._until is not None and time.monotonic() > self._until - MARGIN:
                self._grant()
            return self._authorization

    def _authorize(self, answer: Answer, used: str) -> None:
        """Get new authorization, as the answer 401 asks for; nothing if another thread has got it meanwhile."""
        with self._lock:
            if self._authorization != used:
                return
            self._challenge = bearer.challenges(answer["headers"].get("www-authenticate", ""))
            if not self._verified or not self._base.startswith("https://"):
                raise Fail(
                    "network",
                    f"{self.host} wants credentials, and is one of [registries] insecure: none are sent without TLS",
                    Registry=self.host,
                )
            self._grant()

    def _grant(self) -> None:
        held = credentials.find(self.host, self.path, self._env)
        self._until = None
        if held and "bearer" in held:
            self._authorization = f"Bearer {held['bearer']}"
        elif "bearer" in self._challenge:
            said = self._challenge["bearer"]
            got, seconds = bearer.granted(self._transport, said, self.host, self._realms, held, self._scopes)
            self._authorization = f"Bearer {got}"
            # What is good for less is good for one request.
            if seconds is not None and seconds > 2 * MARGIN:
                self._until = time.monotonic() + seconds
        elif held and "user" in held:
            self._authorization = bearer.basic(held)
        else:
            fail = Fail("network", f"{self.host} wants credentials, and none are stored for {self.path}", Registry=self.host)
            raise fail.proposing(f"skopeo login {self.host}")
