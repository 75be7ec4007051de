"""Svalinn's gateway: where it is, and what its answers mean (spec/svalinn-integration.adoc, "Where to", "The answer").

What it says is shown as its own words, bounded; nothing of it is taken for more.
"""

import re
from collections.abc import Mapping

from cerrotorre import jsonic, settings, transport, urls
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

VARIABLES = ("SVALINN_URL", "SVALINN_ENDPOINT", "SVALINN_GATEWAY_URL")
MAX_REQUEST, MAX_ANSWER = 64 << 20, 64 << 10
# Seconds: it answers once it has pulled the image and started it.
PATIENCE = 180
MAX_WORDS = 500
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LOOPBACK = re.compile(rf"localhost|127(?:\.{_OCTET}){{3}}|\[::1\]")
_JOB = re.compile(r"[A-Za-z0-9._:-]{1,128}")

# {"job": str, "job_status": str | None, "policy_hash": str | None}
Job = dict[str, Any]


def url(env: Mapping[str, str], configured: str | None) -> str:
    """The gateway's URL, without a `/` at its end. Raises Fail usage if it is none, or leads elsewhere without TLS."""
    where = next((name for name in VARIABLES if env.get(name)), "")
    setting = settings.SETTINGS["svalinn.url"]
    found = env[where] if where else configured or str(setting.default)
    place = where or ("[svalinn] url" if configured else "the default")
    if not setting.holds(found):
        # It may hold a password.
        raise Fail("usage", f"{place}: the gateway is {setting.expected}, without a user, a query or a fragment")
    try:
        scheme, host = urls.split(found)
    except Fail:
        raise Fail("usage", f"{place} is no URL of a host") from None
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if scheme == "http" and not _LOOPBACK.fullmatch(name):
        raise Fail(
            "usage",
            f"{place}: {host} is another host, and without TLS anyone on the way could be the gatekeeper",
            Gateway=found,
        ).proposing("an https:// URL", "ssh -L 8000:127.0.0.1:8000 HOST")
    return found.rstrip("/")


def run(base: str, body: bytes, env: Mapping[str, str]) -> Job:
    """Ask the gateway to run an image, once. Raises Fail gateway-denied, gateway-refused, tool-missing, too-large."""
    if len(body) > MAX_REQUEST:
        raise Fail("too-large", f"the statements make a request of {len(body)} bytes", Limit=MAX_REQUEST)
    sender = transport.Transport(env, timeout=PATIENCE, deadline=PATIENCE, tries=1)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    try:
        answer = sender.send(f"{base}/run", headers, MAX_ANSWER, method="POST", body=body)
    except Fail as fail:
        if fail.finding["finding"] != "network":
            raise
        # Who never answered may never have been reached; who broke off may have begun.
        raise Fail("gateway-refused", f"{fail}; if it had the request by then, something may run", Gateway=base) from None
    return _read(base, answer)


def _read(base: str, answer: transport.Answer) -> Job:
    status, said = answer["status"], _object(answer["body"])
    if status == 202:
        job = said.get("jobId")
        if not isinstance(job, str) or not _JOB.fullmatch(job):
            raise Fail("gateway-refused", "it answered 202 without a jobId: something may run", Gateway=base)
        if said.get("status") == "failed":
            raise Fail("gateway-refused", "it took the job, which failed", Gateway=base, Job=job)
        return {"job": job, "job_status": _words(said.get("status")), "policy_hash": _words(said.get("policyHash"))}
    error = said.get("error")
    error = error if isinstance(error, dict) else {"message": error}
    name, message = _words(error.get("id")), _words(error.get("message"))
    about = {"Gateway": base, "Status": status, "Id": name, "Details": _details(error.get("details"))}
    if status == 403 and name == "ERR_POLICY_DENIED":
        raise Fail("gateway-denied", message or "", **about)
    if name == "ERR_RUNTIME_NOT_FOUND":
        raise Fail("tool-missing", "the gateway has no runtime to run it with", **about, Message=message).proposing(
            f"curl {base}/healthz"
        )
    raise Fail("gateway-refused", message or f"it answered {status}", **about)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = jsonic.parse(body, MAX_ANSWER + transport.CHUNK)
    except jsonic.Malformed:
        return {}
    return value if isinstance(value, dict) else {}


def _words(value: Any) -> str | None:
    return value[:MAX_WORDS] if isinstance(value, str) and value else None


def _details(value: Any) -> str | None:
    return jsonic.dump(value)[:MAX_WORDS] if isinstance(value, dict | list) and value else None
