"""Globs of policies: `*` is any run of characters, `/` included; `?` is one character; nothing else is special."""


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches. At most len(pattern) × len(text) steps: only the last `*` is ever retried."""
    p = t = 0
    star, resume = -1, 0
    while t < len(text):
        if p < len(pattern) and pattern[p] == "*":
            star, resume = p, t
            p += 1
        elif p < len(pattern) and pattern[p] in ("?", text[t]):
            p += 1
            t += 1
        elif star >= 0:
            # The last star takes one character more; an earlier star need not, for what lies between matched at its first place.
            resume += 1
            p, t = star + 1, resume
        else:
            return False
    return not pattern[p:].strip("*")
