"""The read side of the OCI distribution specification, for small documents: manifests, blobs, referrers.

Documents are bounded and, where named by digest, checked. Authorization goes to the registry alone, and over TLS alone.
"""

import re
from collections.abc import Mapping

from cerrotorre import bearer, credentials, oci
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.manifest import OCI_INDEX
from cerrotorre.reference import DOCKER, match_registry
from cerrotorre.transport import Answer, Transport, resolve, split
from cerrotorre.typed import Any

MAX_REDIRECTS = 5
MAX_PAGES = 64
MAX_LINK = 8 << 10
DOCKER_HOST = "registry-1.docker.io"
MANIFEST_TYPES = ", ".join(sorted(oci.INDEXES | oci.MANIFESTS))
# "404" is the specification's word for a registry without the referrers API; registries also say these.
NO_SUCH_API = (400, 404, 405, 406, 501)

_NEXT = re.compile(r'<([^<>]+)>\s*;[^,<]*\brel\s*=\s*(?:"next"|next\b)', re.I)


class Repository:
    """One repository of a registry, to read from. `insecure` and `realms` are those of [registries] in config.toml.

    Every method raises Fail network for what is neither an answer nor the absence of what was asked for; TooLarge is one.
    """

    def __init__(
        self,
        host: str,
        path: str,
        insecure: list[str],
        realms: list[str],
        env: Mapping[str, str] | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.host, self.path, self._insecure, self._realms, self._env = host, path, insecure, realms, env
        self._transport = transport or Transport(env)
        self._verified = not self._is_insecure(host)
        self._host = DOCKER_HOST if host == DOCKER else host
        self._base = f"https://{self._host}" if self._verified else ""
        self._authorization = ""

    def manifest(self, reference: str) -> bytes | None:
        """The manifest or index that a tag or a digest names, None if there is none."""
        answer = self._ask(self._url(f"manifests/{reference}"), MANIFEST_TYPES, oci.MAX_DOCUMENT)
        return self._document(answer, reference)

    def tagged(self, tag: str) -> bytes | None:
        """The manifest of a tag that probably is not there: asked for by HEAD first, since registries count and limit GETs."""
        answer = self._ask(self._url(f"manifests/{tag}"), MANIFEST_TYPES, oci.MAX_DOCUMENT, (400, 404, 405, 501), "HEAD")
        return None if answer["status"] == 404 else self.manifest(tag)

    def blob(self, digest: str, limit: int) -> bytes | None:
        """A blob of at most so many bytes, None if the registry does not have it."""
        return self._document(self._ask(self._url(f"blobs/{digest}"), "*/*", limit), digest)

    def referrers(self, digest: str, most: int) -> tuple[list[Any], bool] | None:
        """What the referrers API lists for a digest: (descriptors, unchecked; whether that is all), None without that API.

        It stops at about `most`: a list may be as long as its registry likes.
        """
        url: str | None = self._url(f"referrers/{digest}")
        found: list[Any] = []
        for page in range(MAX_PAGES):
            answer = self._ask(str(url), OCI_INDEX, oci.MAX_DOCUMENT, absent=NO_SUCH_API if page == 0 else ())
            kind = answer["headers"].get("content-type", "").partition(";")[0].strip().lower()
            # Some registries answer every path with 200 and a page for people.
            if answer["status"] != 200 or (page == 0 and kind != OCI_INDEX):
                return None
            try:
                listed = oci.document(answer["body"], "referrers").get("manifests")
            except Fail:
                listed = None
            if not isinstance(listed, list):
                raise Fail("network", f"{self.host}: what it lists for {digest} is no index", Registry=self.host)
            found += listed
            url = self._next(answer, str(url))
            if url is None:
                return found, True
            if len(found) > most:
                break
        return found, False

    def _next(self, answer: Answer, url: str) -> str | None:
        link = answer["headers"].get("link", "")
        if len(link) > MAX_LINK:
            raise Fail("network", f"{self.host}: its Link header is over {MAX_LINK} bytes", Registry=self.host)
        match = _NEXT.search(link)
        if not match:
            return None
        following = resolve(url, match[1])
        if split(following) != split(self._base):
            raise Fail("network", f"{self.host}: the next page is said to be on another host", Registry=self.host)
        return following

    def _document(self, answer: Answer, reference: str) -> bytes | None:
        if answer["status"] == 404:
            return None
        data: bytes = answer["body"]
        if reference.startswith("sha256:") and sha256(data) != reference:
            raise Fail(
                "network", "the registry gave another document", Registry=self.host, Expected=reference, Actual=sha256(data)
            )
        return data

    def _url(self, rest: str) -> str:
        if not self._base:
            self._base = self._insecure_base()
        return f"{self._base}/v2/{self.path}/{rest}"

    def _insecure_base(self) -> str:
        """Of a host that is let be without TLS: TLS with any certificate if it has that, else none, as skopeo does."""
        try:
            self._transport.send(f"https://{self._host}/v2/", {}, oci.MAX_DOCUMENT, verified=False)
        except Fail:
            return f"http://{self._host}"
        return f"https://{self._host}"

    def _ask(self, url: str, accept: str, limit: int, absent: tuple[int, ...] = (404,), method: str = "GET") -> Answer:
        """The answer: 200, or one of `absent`."""
        answer = self._follow(url, accept, limit, method)
        if answer["status"] == 401:
            self._authorize(answer)
            answer = self._follow(url, accept, limit, method)
        if answer["status"] != 200 and answer["status"] not in absent:
            said = f"{answer['status']} {answer['code']}".strip()
            raise Fail(
                "network", f"{self.host} refuses {url.partition('/v2/')[2].partition('?')[0]} ({said})", Registry=self.host
            )
        return answer

    def _follow(self, url: str, accept: str, limit: int, method: str) -> Answer:
        """Ask there, and where that leads: a few steps, never from TLS to none, and without Authorization to any other host."""
        for _ in range(MAX_REDIRECTS + 1):
            headers = {"Accept": accept}
            home = split(url) == split(self._base)
            if self._authorization and home:
                headers["Authorization"] = self._authorization
            answer = self._transport.send(url, headers, limit, method=method, verified=self._verified or not home)
            if answer["status"] not in (301, 302, 303, 307, 308):
                if answer["status"] == 401 and not home:
                    raise Fail(
                        "network", f"{self.host}: {split(url)[1]}, where it leads, wants credentials", Registry=self.host
                    )
                return answer
            place = answer["headers"].get("location", "")
            if not place:
                raise Fail("network", f"{self.host} leads nowhere ({answer['status']})", Registry=self.host)
            url, before = resolve(url, place), url
            if split(url)[0] == "http" and (split(before)[0] == "https" or not self._is_insecure(split(url)[1])):
                raise Fail("network", f"{self.host} leads to {split(url)[1]} without TLS", Registry=self.host)
        raise Fail("network", f"{self.host} leads to another place more than {MAX_REDIRECTS} times", Registry=self.host)

    def _is_insecure(self, host: str) -> bool:
        return any(match_registry(pattern, f"{host}/{self.path}") for pattern in self._insecure)

    def _authorize(self, answer: Answer) -> None:
        """Get what the registry's challenge asks for."""
        asked = bearer.challenges(answer["headers"].get("www-authenticate", ""))
        if not {"bearer", "basic"} & asked.keys():
            raise Fail("network", f"{self.host} wants credentials of a kind that is not known", Registry=self.host)
        if not self._verified:
            raise Fail(
                "network",
                f"{self.host} wants credentials, and is one of [registries] insecure: none are sent without TLS",
                Registry=self.host,
            )
        held = credentials.find(self.host, self.path, self._env)
        if held and "bearer" in held:
            self._authorization = f"Bearer {held['bearer']}"
        elif "bearer" in asked:
            got = bearer.token(self._transport, asked["bearer"], self.host, self.path, self._realms, held)
            self._authorization = f"Bearer {got}"
        elif held and "user" in held:
            self._authorization = bearer.basic(held)
        else:
            raise Fail("network", f"{self.host} wants credentials, and none are stored for {self.path}", Registry=self.host)
