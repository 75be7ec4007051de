"""A repository of a registry, as the OCI distribution specification has it: its documents and their names.

Documents are bounded and, where named by digest, checked. `pulling` has its blobs, `pushing` writes, `session` sends.
"""

import re
from collections.abc import Sequence

from cerrotorre import config, mirrors, oci
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.manifest import OCI_INDEX
from cerrotorre.pushing import Conflict, Pushing
from cerrotorre.session import DOCKER_HOST
from cerrotorre.transport import Answer, Transport
from cerrotorre.typed import Any
from cerrotorre.urls import resolve, split

__all__ = ["DOCKER_HOST", "Conflict", "Repository"]

MAX_PAGES = 64
MAX_LINK = 8 << 10
MANIFEST_TYPES = ", ".join(sorted(oci.INDEXES | oci.MANIFESTS))
# Bytes of all the pages of a list: each may have one entry, and that be long.
MAX_PAGED = 4 * oci.MAX_DOCUMENT
# "404" is the specification's word for a registry without the referrers API; registries also say these.
NO_SUCH_API = (400, 404, 405, 406, 501)

_NEXT = re.compile(r'<([^<>]+)>\s*;[^,<]*\brel\s*=\s*(?:"next"|next\b)', re.I)


class Repository(Pushing):
    """One repository of a registry, for any number of threads.

    Every method raises Fail network for what is neither an answer nor the absence of what was asked for; TooLarge is one.
    """

    _mirrors: Sequence[str] = ()

    @classmethod
    def named(cls, host: str, path: str, *, push: bool = False, transport: Transport | None = None) -> "Repository":
        """The repository with the settings of config.toml. With `push` tokens allow writing, and no mirror is asked."""
        settings = config.read().get("registries", {})
        made = cls(host, path, settings.get("insecure", []), settings.get("realms", []), None, transport, push=push)
        made._mirrors = [] if push else settings.get("mirrors", [])
        return made

    def resolve(self, reference: str) -> tuple[bytes, str]:
        """(the manifest or index that a tag or digest names, the HOST/PATH that gave it: a mirror's, or this one's).

        Raises Fail network; its detail begins with "no such image there" where the registry says so.
        """
        for mirror in self.mirrors():
            try:
                data = mirror.manifest(reference)
                # Some answer every path with a page for people.
                if data is not None and oci.document(data, reference):
                    return data, f"{mirror.host}/{mirror.path}"
            except Fail as fail:
                if fail.finding["finding"] not in ("network", "oci-json"):
                    raise
        data = self.manifest(reference)
        if data is None:
            by = f"{'@' if ':' in reference else ':'}{reference}"
            raise Fail("network", f"no such image there: {self.host}/{self.path}{by}", Registry=self.host)
        return data, f"{self.host}/{self.path}"

    def mirrors(self) -> list["Repository"]:
        """Its mirrors, in the order in which they are asked."""
        return [
            Repository(host, path, self._insecure, self._realms, self._env, self._transport)
            for host, path in mirrors.of(self._mirrors, self.host, self.path)
        ]

    def manifest(self, reference: str, limit: int | None = None) -> bytes | None:
        """The manifest or index that a tag or a digest names, of at most so many bytes; None if there is none."""
        found = self.described(reference, limit)
        return None if found is None else found[0]

    def described(self, reference: str, limit: int | None = None) -> tuple[bytes, dict[str, str]] | None:
        """The same, with the headers of the answer in lower case: `etag` is what If-Match takes."""
        answer = self._ask(self._url(f"manifests/{reference}"), MANIFEST_TYPES, limit or oci.MAX_DOCUMENT)
        data = self._document(answer, reference)
        return None if data is None else (data, answer["headers"])

    def tagged(self, tag: str) -> bytes | None:
        """The manifest of a tag that probably is not there: asked for by HEAD first, since registries count and limit GETs."""
        answer = self._ask(self._url(f"manifests/{tag}"), MANIFEST_TYPES, oci.MAX_DOCUMENT, (400, 404, 405, 501), "HEAD")
        return None if answer["status"] == 404 else self.manifest(tag)

    def has(self, reference: str) -> bool:
        """Whether a tag or a digest names a manifest, by HEAD."""
        answer = self._ask(self._url(f"manifests/{reference}"), MANIFEST_TYPES, oci.MAX_DOCUMENT, (404,), "HEAD")
        return bool(answer["status"] == 200)

    def blob(self, digest: str, limit: int) -> bytes | None:
        """A blob of at most so many bytes, None if the registry does not have it."""
        return self._document(self._ask(self._url(f"blobs/{digest}"), "*/*", limit), digest)

    def referrers(self, digest: str, most: int) -> tuple[list[Any], bool] | None:
        """What the referrers API lists for a digest: (descriptors, unchecked; whether that is all), None without that API.

        It stops at about `most`: a list may be as long as its registry likes.
        """
        url: str | None = self._url(f"referrers/{digest}")
        found: list[Any] = []
        size = 0
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
            size += len(answer["body"])
            url = self._next(answer, str(url))
            if url is None:
                return found, True
            if len(found) > most or size > MAX_PAGED:
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
