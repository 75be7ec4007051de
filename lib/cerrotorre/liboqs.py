"""ML-DSA by the liboqs library that config.toml names, and by no other (spec/suites.adoc, "Backends"; decision 0023).

Its C functions are called as they are. The Python package liboqs-python is not used: to import it asks the environment where the
library lies, prints, and may download and build one. `Library` has the functions of `mldsa`.
"""

import os

from cerrotorre import config, mldsa, owned
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.suites import PUBLIC_SIZE, SIGNATURE_SIZE
from cerrotorre.typed import Any

# FIPS 204, table 2: the expanded private key.
_SECRET_SIZE = {"ml-dsa-65": 4032, "ml-dsa-87": 4896}
# SHA-256 of the public keys of the seed 00 01 … 1f, which RFC 9881, appendix C, shows in full.
KNOWN = {
    "ml-dsa-65": "sha256:d666806e11cee19a7c989f7445f90dd419cf4d2d51db8c0fdb4c0f0a542238c9",
    "ml-dsa-87": "sha256:91dc389cfaa01470b7f66eee45a4ae9026d154817c754dfe22298b3fa241ffcd",
}
# A library of other parameters than ours must not write beyond a buffer before that is noticed.
_ROOM = 64 << 10


def chosen() -> Any:
    """What makes and checks ML-DSA signatures by config.toml: `mldsa`, or a Library.

    Raises Fail suite-unavailable if the library cannot be used, and as `config.read` does.
    """
    crypto = config.read()["crypto"]
    return Library(crypto["liboqs"]) if crypto.get("ml_dsa") == "liboqs" else mldsa


class Library:
    """The liboqs at an absolute path, which nobody but the user and root may be able to change.

    Nothing is looked up, started or waited for. Raises Fail suite-unavailable whatever is wrong.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            if not owned.check_directory(os.path.dirname(path)) or owned.read(path, 0) is None:
                raise Fail("file-unreadable", "it is not there")
        except Fail as fail:
            raise self._unusable(str(fail)) from None
        # Only who configured it pays for this import.
        import ctypes

        self._ctypes = ctypes
        self._asked: list[int] = []
        self._seed: bytes | None = None
        # Kept, because the library calls it for as long as it is loaded.
        self._random = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)(self._give)
        try:
            self._c = self._bound(ctypes.CDLL(path))
        except (OSError, AttributeError) as error:
            raise self._unusable(str(error)) from None
        self._c.OQS_init()
        self._c.OQS_randombytes_custom_algorithm(self._random)
        self._proved: set[str] = set()

    def _bound(self, library: Any) -> Any:
        pointer, size = self._ctypes.c_void_p, self._ctypes.c_size_t
        arguments = {
            "OQS_init": (),
            "OQS_version": (),
            "OQS_randombytes_custom_algorithm": (pointer,),
            "OQS_SIG_new": (self._ctypes.c_char_p,),
            "OQS_SIG_free": (pointer,),
            "OQS_SIG_keypair": (pointer, pointer, pointer),
            "OQS_SIG_sign": (pointer, pointer, self._ctypes.POINTER(size), self._ctypes.c_char_p, size, pointer),
            "OQS_SIG_verify": (pointer, self._ctypes.c_char_p, size, self._ctypes.c_char_p, size, self._ctypes.c_char_p),
        }
        for name, types in arguments.items():
            getattr(library, name).argtypes = types
        library.OQS_version.restype = self._ctypes.c_char_p
        library.OQS_SIG_new.restype = pointer
        return library

    def _unusable(self, why: str) -> Fail:
        return Fail("suite-unavailable", f"[crypto] liboqs in config.toml: '{self.path}': {why}", File=self.path)

    def _give(self, to: int, size: int) -> None:
        # What the library takes for random numbers. An exception would be printed and lost here.
        self._asked.append(size)
        seed, self._seed = self._seed, None
        self._ctypes.memmove(to, seed if seed is not None and len(seed) == size else os.urandom(size), size)

    def _scheme(self, algorithm: str) -> Any:
        made = self._c.OQS_SIG_new(algorithm.upper().encode("ascii"))
        if not made:
            raise self._unusable(f"it has no {algorithm.upper()}")
        return made

    def _pair(self, algorithm: str, seed: bytes) -> tuple[bytes, Any]:
        """(public key, buffer of the expanded private key) of a seed: key generation draws one seed, and draws this one."""
        public, secret = self._ctypes.create_string_buffer(_ROOM), self._ctypes.create_string_buffer(_ROOM)
        scheme = self._scheme(algorithm)
        self._asked, self._seed = [], bytes(seed)
        status = self._c.OQS_SIG_keypair(scheme, public, secret)
        self._seed = None
        self._c.OQS_SIG_free(scheme)
        size = _SECRET_SIZE[algorithm]
        beyond = self._ctypes.string_at(self._ctypes.addressof(secret) + size, _ROOM - size)
        if status != 0 or self._asked != [len(seed)] or beyond.strip(b"\0"):
            raise self._unusable(f"it makes no {algorithm.upper()} key of a seed")
        return public.raw[: PUBLIC_SIZE[algorithm]], secret

    def _prove(self, algorithm: str) -> None:
        """Refuse a library of an earlier draft, or one that accepts anything, before it says a first word about a signature."""
        if algorithm in self._proved:
            return
        public, secret = self._pair(algorithm, bytes(range(32)))
        if sha256(public) != KNOWN[algorithm]:
            raise self._unusable(f"its {algorithm.upper()} is not that of FIPS 204")
        made = self._sign(algorithm, secret, b"known")
        if not self._verify(algorithm, public, b"known", made) or self._verify(algorithm, public, b"other", made):
            raise self._unusable(f"its {algorithm.upper()} does not tell signatures apart")
        self._proved.add(algorithm)

    def said(self, algorithm: str) -> str:
        """The backend as people name it."""
        self._prove(algorithm)
        return f"liboqs {(self._c.OQS_version() or b'').decode('ascii', 'replace')[:20]}, '{self.path}'"

    def public_of(self, algorithm: str, seed: bytes) -> bytes:
        """The public key of a seed."""
        self._prove(algorithm)
        public, secret = self._pair(algorithm, seed)
        self._ctypes.memset(secret, 0, _ROOM)
        return public

    def sign(self, algorithm: str, seed: bytes, message: bytes) -> bytes:
        """A hedged signature by the key of a seed."""
        self._prove(algorithm)
        public, secret = self._pair(algorithm, seed)
        made = self._sign(algorithm, secret, message)
        if not self._verify(algorithm, public, message, made):
            raise self._unusable("it does not verify what it signed")
        return made

    def _sign(self, algorithm: str, secret: Any, message: bytes) -> bytes:
        made, size = self._ctypes.create_string_buffer(_ROOM), self._ctypes.c_size_t(SIGNATURE_SIZE[algorithm])
        scheme = self._scheme(algorithm)
        status = self._c.OQS_SIG_sign(scheme, made, self._ctypes.byref(size), message, len(message), secret)
        self._c.OQS_SIG_free(scheme)
        self._ctypes.memset(secret, 0, _ROOM)
        if status != 0 or size.value != SIGNATURE_SIZE[algorithm]:
            raise self._unusable(f"it makes no {algorithm.upper()} signature")
        return made.raw[: size.value]

    def verify(self, algorithm: str, public: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the signature is the key's over the message; both have their lengths."""
        self._prove(algorithm)
        return self._verify(algorithm, public, message, signature)

    def _verify(self, algorithm: str, public: bytes, message: bytes, signature: bytes) -> bool:
        scheme = self._scheme(algorithm)
        status = self._c.OQS_SIG_verify(scheme, message, len(message), signature, len(signature), public)
        self._c.OQS_SIG_free(scheme)
        return bool(status == 0)
