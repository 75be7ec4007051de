"""What of `ct doctor` is about registries: does each one answer, take what credentials there are, and list what is attached to images.

Each is asked in a thread of its own, with a deadline for all it may take: looking up a name has none of its own.
"""

import re
import time
from collections.abc import Iterator

from cerrotorre import bearer, credentials, oci, policyfile, reference, times
from cerrotorre.diagnosis import Diagnosis
from cerrotorre.distribution import DOCKER_HOST, Repository
from cerrotorre.doctorsetup import Setup, command, listed
from cerrotorre.errors import Fail
from cerrotorre.reference import DOCKER
from cerrotorre.settings import HOST
from cerrotorre.transport import Answer, Transport

# Seconds for one silence, one answer, and all of one registry.
SILENCE, ANSWER, PATIENCE = 3, 5, 15
# Seconds by which its clock may differ from this one's.
SKEW = 300
MOST = 32
# A repository to ask about attachments where none is named. It need not exist.
NOWHERE = "cerro-torre/doctor"
NOTHING = "sha256:" + "0" * 64


def answer(setup: Setup, say: Diagnosis) -> str:
    """Ask every registry that is named: by the settings, by the policy, or by stored credentials."""
    # Rare, and urllib3 imports it anyway.
    from threading import Thread

    places = registries(setup)
    if not places:
        return "none is named by the settings, a policy or stored credentials"
    hosts = sorted(places)[:MOST]
    if len(places) > MOST:
        say.warn(f"{len(places)} registries are named, and the first {MOST} were asked")
    heard: dict[str, Heard] = {host: Heard(host, places[host]) for host in hosts}
    threads = [(host, Thread(target=heard[host].ask, args=(setup,), daemon=True)) for host in hosts]
    for _, thread in threads:
        thread.start()
    until = time.monotonic() + PATIENCE
    for host, thread in threads:
        thread.join(max(until - time.monotonic(), 0))
        if thread.is_alive():
            say.warn(f"{host}: no answer within {PATIENCE} s", finding="network")
            continue
        heard[host].tell(say)
    good = [f"{host} ({one.said})" for host, one in heard.items() if one.said]
    return listed(good) or f"of {len(hosts)} asked none can be used"


def registries(setup: Setup) -> dict[str, str]:
    """{host: a repository there, or ""} of each registry that is named in full."""
    found: dict[str, str] = {}
    for pattern in setup.setting("registries", "insecure") or ():
        _add(found, pattern)
    for mirror in setup.setting("registries", "mirrors") or ():
        _add(found, mirror.partition("=")[2].partition("/")[0])
    try:
        for _, policy in policyfile.load(None, setup.env, setup.config()):
            for pattern in policy.get("registries", {}).get("allowed", ()):
                _add(found, pattern)
    except Fail:
        # Said by the checks of the policies.
        pass
    for name in _logged_in(setup):
        _add(found, name.removeprefix("https://").removeprefix("http://").removesuffix("/v1/").removesuffix("/v2/").rstrip("/"))
    return found


def _add(found: dict[str, str], pattern: str) -> None:
    host, _, rest = pattern.partition("/")
    if not re.fullmatch(HOST[0], host) or not reference.is_host(host):
        return
    try:
        # The spelling that all others use: docker.io for its aliases, no :443.
        host = reference.parse(f"{host}/a")["host"]
        repository = re.split("[:@*?]", rest, maxsplit=1)[0].rstrip("/")
        path = reference.parse(f"{host}/{repository}")["path"] if repository else ""
    except Fail:
        return
    found[host] = found.get(host) or path


def _logged_in(setup: Setup) -> Iterator[str]:
    """The names in the credential files."""
    for where in credentials.files(setup.env):
        try:
            value = credentials.read(where) or {}
        except Fail:
            # Said by the check of the helpers.
            continue
        for member in ("auths", "credHelpers"):
            its = value.get(member)
            yield from sorted(its) if isinstance(its, dict) else ()


class Heard:
    """What one registry answered. `said` is the short of it, empty if it did not."""

    def __init__(self, host: str, path: str) -> None:
        self.host, self.path, self.said = host, path, ""
        self._remarks: list[tuple[bool, str, tuple[str, ...]]] = []

    def tell(self, say: Diagnosis) -> None:
        for broken, said, tries in self._remarks:
            (say.fail if broken else say.warn)(said, *tries, finding="network")

    def _remark(self, broken: bool, said: str, *tries: str) -> None:
        self._remarks.append((broken, said, tries))

    def ask(self, setup: Setup) -> None:
        """All questions, in order, until one has no answer. Raises nothing: it is a thread's."""
        try:
            self._ask(setup)
        except Fail as fail:
            # No network is no failure of this setup. A certificate that does not hold, and credentials that are refused, are.
            self._remark(": TLS: " in str(fail), str(fail))
        except Exception as error:
            self._remark(True, f"{self.host}: an internal error: {type(error).__name__}")

    def _ask(self, setup: Setup) -> None:
        insecure, realms = setup.setting("registries", "insecure") or [], setup.setting("registries", "realms") or []
        transport = Transport(setup.env, SILENCE, ANSWER, tries=1)
        plain = any(reference.match_registry(pattern, f"{self.host}/{self.path or NOWHERE}") for pattern in insecure)
        got, secure = self._reach(transport, plain)
        self._compare_clock(setup, got)
        if got["status"] not in (200, 401):
            self._remark(True, f"{self.host} answers {got['status']} where a registry answers 200 or 401")
            return
        login = self._login(setup, transport, got, secure, realms)
        if login is None:
            return
        api = self._attachments(Repository(self.host, self.path or NOWHERE, insecure, realms, setup.env, transport))
        self.said = ", ".join(part for part in (login, api, "" if secure else "without TLS") if part)

    def _reach(self, transport: Transport, plain: bool) -> tuple[Answer, bool]:
        """(the answer to the question every registry must answer, whether over TLS that is checked)."""
        where = DOCKER_HOST if self.host == DOCKER else self.host
        try:
            return transport.send(f"https://{where}/v2/", {}, oci.MAX_DOCUMENT, verified=not plain), not plain
        except Fail:
            if not plain:
                raise
        return transport.send(f"http://{where}/v2/", {}, oci.MAX_DOCUMENT), False

    def _login(self, setup: Setup, transport: Transport, got: Answer, secure: bool, realms: list[str]) -> str | None:
        """How the registry takes whoever this is; None if it does not, which was said."""
        if got["status"] == 200:
            return "no login needed"
        if not secure:
            said = f"{self.host} wants credentials, and is one of [registries] insecure: none are sent without TLS"
            self._remark(True, said, "ct config show")
            return None
        try:
            held = credentials.find(self.host, self.path, setup.env)
        except Fail as fail:
            self._remark(True, f"{self.host}: {fail}")
            return None
        asked = bearer.challenges(got["headers"].get("www-authenticate", ""))
        if held is None:
            if "bearer" not in asked:
                self._remark(False, f"{self.host} wants credentials, and none are stored", command("skopeo login", self.host))
                return None
            bearer.token(transport, asked["bearer"], self.host, self.path or NOWHERE, realms, None)
            return "anonymous"
        again = command("skopeo login", self.host)
        try:
            if "bearer" in asked and "bearer" not in held:
                bearer.token(transport, asked["bearer"], self.host, self.path or NOWHERE, realms, held)
                return "credentials accepted"
            authorization = f"Bearer {held['bearer']}" if "bearer" in held else bearer.basic(held) if "user" in held else ""
            where = DOCKER_HOST if self.host == DOCKER else self.host
            status = transport.send(f"https://{where}/v2/", {"Authorization": authorization}, oci.MAX_DOCUMENT)["status"]
        except Fail as fail:
            if "refuses" not in str(fail):
                raise
            # Of a repository that is not there some say 403, whoever asks.
            self._remark("(401)" in str(fail), str(fail), again)
            return None
        if status != 200:
            self._remark(True, f"{self.host} refuses the stored credentials ({status})", again)
            return None
        return "credentials accepted"

    def _attachments(self, repository: Repository) -> str:
        """How attachments are found: by the referrers API, or by tags (distribution specification, "Listing Referrers")."""
        try:
            if repository.referrers(NOTHING, 1) is not None:
                return "referrers API"
            # Of a repository that is not there the API too may say that it is not there.
            return "attachments by tag" if self.path else ""
        except Fail:
            # It may want a right that nobody has on a repository that is not there.
            return "how attachments are listed cannot be told"

    def _compare_clock(self, setup: Setup, got: Answer) -> None:
        seconds = times.http_date(got["headers"].get("date", ""))
        if seconds is not None and abs(seconds - setup.now) > SKEW:
            ahead = "ahead of" if seconds > setup.now else "behind"
            self._remark(False, f"the clock of {self.host} is {abs(seconds - setup.now)} s {ahead} this one's", "timedatectl")
