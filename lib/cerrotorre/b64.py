"""Standard, padded base64 that re-encodes to itself, and nothing else."""

from binascii import Error, a2b_base64, b2a_base64


def encode(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def decode(text: str) -> bytes:
    """Raises ValueError for anything but the one spelling of some bytes."""
    try:
        data = a2b_base64(text.encode("ascii"), strict_mode=True)
    except (Error, UnicodeEncodeError):
        raise ValueError("not base64") from None
    # Unused trailing bits would let two texts mean one value.
    if encode(data) != text:
        raise ValueError("not the one spelling of its bytes in base64")
    return data
