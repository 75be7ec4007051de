"""The questions of `ct policy init`, asked at the terminal until they are answered. Without one each raises Fail usage.

Enter alone is always an answer, and the stricter of two wherever strictness keeps no signed bundle out by itself.
"""

from cerrotorre import policycheck, policyedit, terminal
from cerrotorre.errors import Fail
from cerrotorre.policyedit import Key
from cerrotorre.policyread import Policy
from cerrotorre.text import closest, meant, shown


def policy(keys: list[Key]) -> Policy:
    """The first policy, by what the person answers; `keys` are the trusted ones."""
    allowed = signers(keys)
    number = threshold(len(allowed))
    return policyedit.starter(allowed, registries(), number, sbom=sbom(), max_age=max_age())


def signers(keys: list[Key]) -> list[Key]:
    """Those of the keys whose signatures are to be allowed: all, none, or some by number or id."""
    if not keys:
        return []
    lines = [
        f"  {number}  {key['key_id']}  {key['fingerprint']}{'  expires ' + key['expires'] if key.get('expires') else ''}\n"
        for number, key in enumerate(keys, 1)
    ]
    question = "Whose signatures count? Numbers or ids, all, or none [all]: "
    # An id may look like a number.
    ids = {str(number): key for number, key in enumerate(keys, 1)} | {key["key_id"]: key for key in keys}
    answer = _answer("Trusted keys:\n" + "".join(lines) + question)
    while True:
        words = answer.replace(",", " ").split()
        if words in ([], ["all"]):
            return keys
        if words == ["none"]:
            return []
        wrong = [word for word in words if word not in ids]
        if not wrong:
            chosen = [ids[word]["key_id"] for word in words]
            return [key for key in keys if key["key_id"] in chosen]
        near = meant(closest(wrong[0], [key["key_id"] for key in keys]))
        answer = _answer(f"No trusted key: {', '.join(map(shown, wrong))}{near}\n{question}")


def threshold(count: int) -> int:
    """How many of so many keys must have signed."""
    if count < 2:
        return 1
    question = f"How many of these {count} keys must have signed a bundle? [1]: "
    answer = _answer(question)
    most = min(count, 256)
    while answer and policyedit.whole(answer, most) is None:
        answer = _answer(f"A number from 1 to {most}. {question}")
    return int(answer or 1)


def registries() -> list[str]:
    """The patterns of registries that are to be allowed, each one that a policy can hold; none for any registry."""
    question = "From which registries may images come? Patterns such as docker.io/library/* or ghcr.io [any]: "
    answer = _answer(question)
    while True:
        patterns = answer.replace(",", " ").split()
        if patterns in ([], ["any"]):
            return []
        wrong = policyedit.bad_patterns(patterns)
        said = f"No registry, reference or glob of these: {', '.join(map(shown, wrong))}" if wrong else ""
        # What matches something else than meant is asked about once; who says it again means it.
        doubts = [doubt for pattern in patterns for doubt in policycheck.doubts(pattern)]
        if not wrong and (not doubts or _agreed("".join(f"{doubt}\n" for doubt in doubts) + "Is that meant? [y/N] ")):
            return list(dict.fromkeys(patterns))
        answer = _answer(f"{said}\n{question}" if said else question)


def sbom() -> bool:
    """Whether an SBOM is to be required."""
    return _agreed("Must every bundle come with an SBOM that an allowed key signed? [y/N] ")


def max_age() -> int:
    """How old, in days, a signature may be; 0 for any age."""
    question = "How many days may a signature be old? [any]: "
    answer = _answer(question)
    while answer not in ("", "any") and policyedit.whole(answer, 36500) is None:
        answer = _answer(f"A number of days, 1 to 36500, or any. {question}")
    return policyedit.whole(answer, 36500) or 0


def _agreed(question: str) -> bool:
    answer = _answer(question).lower()
    while answer not in ("", "y", "yes", "n", "no"):
        answer = _answer(f"Answer y or n. {question}").lower()
    return answer in ("y", "yes")


def _answer(question: str) -> str:
    answer = terminal.ask(question)
    if answer is None:
        raise Fail("usage", "there is no terminal to ask at: --yes asks nothing")
    return answer.decode("utf-8", "replace").strip()
