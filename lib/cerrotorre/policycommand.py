"""The commands of `ct policy`: each takes its options, the time now and its operands, and gives what is said of it.

(exit status, text for standard output, findings for standard error). Raises Fail for what it could not do; then nothing was changed.
"""

import os
from collections.abc import Callable

from cerrotorre import (
    commandline,
    jsonic,
    keystore,
    policyadd,
    policyask,
    policycheck,
    policyedit,
    policyfile,
    policylint,
    policyplaces,
    policyread,
    policyremove,
    policyreport,
)
from cerrotorre.commandline import Options
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.policyread import Policy
from cerrotorre.text import shown

Said = tuple[int, str, list[Finding]]
# So many mistakes are listed; a file that has more is not a policy with mistakes.
MOST = 100


def _named(options: Options) -> str | None:
    return options.get("policy", options.get("p"))


def _chosen(options: Options) -> str:
    return policyfile.chosen(_named(options))[0]


def init(options: Options, now: str) -> Said:
    path = _chosen(options)
    # Nobody is asked for what could not be written.
    if os.path.lexists(path):
        raise policyedit.exists(path)
    where = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(where) and not os.access(where, os.W_OK):
        raise Fail("file-unwritable", f"'{where}' cannot be written to", Directory=where)
    keys = [key for key in keystore.load()[0] if key["trusted"]]
    policy = policyedit.starter(keys, []) if "yes" in options else policyask.policy(keys)
    doubts = _doubts(policycheck.warnings(policy, keys, now))
    policyedit.make(path, policy)
    said = f"Wrote {shown(path)}\n" + policyreport.rules("It says:", policy)
    if not policy["signers"]["allowed"]:
        said += "To allow a signer:  ct policy add-signer ID\n"
    return 0, said + doubts, []


def show(options: Options, _: str) -> Said:
    policies = policyfile.load(_named(options))
    if "json" in options:
        return 0, "".join(policyreport.document(name, policy) for name, policy in policies), []
    said = [policyreport.rules(name, policy) for name, policy in policies]
    if len(policies) > 1:
        said.append("A bundle must pass both.\n")
    return 0, "".join(said) or "No policy: a signature by any key in keys/ or trusted/ of the key store is enough.\n", []


def check(options: Options, now: str, path: str | None = None) -> Said:
    if path is not None and _named(options) is not None:
        raise Fail("usage", "check: one policy is checked at a time: --policy FILE, or FILE")
    path = _chosen(options) if path is None else path
    data, as_json = policyfile.data(path), "json" in options
    wrong = policyplaces.errors(data)
    if wrong:
        said = [policyplaces.line(path, one) for one in wrong[:MOST]]
        said += [f"{path}: there are more mistakes"] if len(wrong) > MOST else []
        if as_json:
            return 10, "".join(policyreport.problem(path, one, True) for one in wrong), []
        # A line each: what is wrong, where, and what was likely meant is in it.
        return 10, "", [{**finding("policy-malformed", line), "context": {}, "try": []} for line in said]
    policy = policyread.read(data, path)
    remarks = policycheck.warnings(policy, keystore.load()[0], now)
    text = "".join(policyreport.problem(path, one, as_json) for one in policyplaces.warnings(data, remarks[:MOST]))
    text += "" if as_json or len(remarks) <= MOST else "there are more warnings\n"
    return 0, text if as_json else f"{text}{shown(path)} is a policy\n", []


def add_signer(options: Options, now: str, word: str) -> Said:
    key, sources = policyedit.key_of(word), commandline.several(options, "source")
    return _change(
        options, now, lambda policy: policyedit.add_signer(policy, key, required="required" in options, sources=sources)
    )


def add_registry(options: Options, now: str, pattern: str) -> Said:
    return _change(options, now, lambda policy: policyadd.add_registry(policy, pattern))


def block_registry(options: Options, now: str, pattern: str) -> Said:
    return _change(options, now, lambda policy: policyadd.block_registry(policy, pattern))


def deny(options: Options, now: str, word: str) -> Said:
    given = {name: options.get(name) for name in ("after", "before", "reason")}
    return _change(options, now, lambda policy: policyadd.deny(policy, word, **given))


def pin(options: Options, now: str, name: str, digest: str | None = None) -> Said:
    globs = commandline.several(options, "signer")
    return _change(options, now, lambda policy: policyadd.pin(policy, name, digest, globs))


def threshold(options: Options, now: str, number: str) -> Said:
    trusted = [key for key in keystore.load()[0] if key["trusted"]]
    globs = commandline.several(options, "from")
    return _change(options, now, lambda policy: policyadd.threshold(policy, number, globs, policylint.able(policy, trusted)))


def remove(options: Options, now: str, kind: str, what: str | None = None) -> Said:
    return _change(options, now, lambda policy: policyremove.remove(policy, kind, what))


def _change(options: Options, now: str, work: Callable[[Policy], list[str]]) -> Said:
    path = _chosen(options)
    keys = keystore.load()[0]
    doubts = ""

    def judged(policy: Policy) -> list[str]:
        # All that can be said of it is known before the file is touched.
        nonlocal doubts
        known = {said for _, said in policycheck.warnings(policy, keys, now)}
        said = work(policy)
        doubts = _doubts([one for one in policycheck.warnings(policy, keys, now) if one[1] not in known])
        return said

    said, before, after = policyedit.change(path, judged)
    lines = "".join(f"{shown(line)}\n" for line in said)
    if jsonic.same(before, after):
        return 0, f"{lines}{shown(path)} is as it was.\n", []
    return 0, f"{lines}{doubts}Changed {shown(path)}\n", []


def _doubts(remarks: list[policycheck.Remark]) -> str:
    return "".join(f"warning: {shown(at)}: {shown(said)}\n" for at, said in remarks)
