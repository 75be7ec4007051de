"""The questions of `ct policy init`, asked at the terminal. Without one each raises Fail usage."""

from cerrotorre import policyedit, terminal
from cerrotorre.errors import Fail
from cerrotorre.policyedit import Key
from cerrotorre.text import shown


def signers(keys: list[Key]) -> list[Key]:
    """Those of the keys whose signatures are to be allowed."""
    return [key for key in keys if _agreed(f"Allow signatures by {key['key_id']} {key['fingerprint']}? [Y/n] ")]


def registries() -> list[str]:
    """The patterns of registries that are to be allowed, each one that a policy can hold; none for any registry."""
    question = "Allow images from which registries? (patterns such as docker.io/library/*; empty: any) "
    patterns = _answer(question).split()
    while wrong := policyedit.bad_patterns(patterns):
        patterns = _answer(f"No registry, reference or glob of these: {', '.join(map(shown, wrong))}\n{question}").split()
    return patterns


def _agreed(question: str) -> bool:
    answer = _answer(question).lower()
    while answer not in ("", "y", "yes", "n", "no"):
        answer = _answer(f"Answer y or n. {question}").lower()
    return answer in ("", "y", "yes")


def _answer(question: str) -> str:
    answer = terminal.ask(question)
    if answer is None:
        raise Fail("usage", "there is no terminal to ask at: --yes asks nothing")
    return answer.decode("utf-8", "replace").strip()
