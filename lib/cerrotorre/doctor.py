"""The checks of `ct doctor`: one table. ct-doctor(1), spec/doctor.adoc and the tests are held to it."""

from collections.abc import Callable
from functools import partial

from cerrotorre import (
    doctorbundles,
    doctorclock,
    doctorcrypto,
    doctorfix,
    doctorinstall,
    doctorkeys,
    doctorprograms,
    doctorregistries,
    doctorsettings,
)
from cerrotorre.diagnosis import Diagnosis
from cerrotorre.doctorsetup import Setup
from cerrotorre.errors import Fail


class Check:
    """`name` is GROUP.NAME; `quick` whether --quick makes it: yes, no, or in part. `home`: it is about the user's directories."""

    __slots__ = ("home", "name", "quick", "what", "work")

    def __init__(
        self, name: str, quick: str, work: Callable[[Setup, Diagnosis], str], what: str, *, home: bool = False
    ) -> None:
        self.name, self.quick, self.what, self.work, self.home = name, quick, what, work, home


GROUPS = {
    "installation": "Installation",
    "crypto": "Cryptography",
    "programs": "Programs",
    "settings": "Settings",
    "keys": "Keys",
    "bundles": "Content store",
    "clock": "Clock",
    "registries": "Registries",
}

# Times that a check is made again after a repair.
ROUNDS = 4

CHECKS = (
    Check("installation.files", "yes", doctorinstall.files, "every command has its program, and nothing that was installed is missing"),
    Check("installation.owner", "yes", doctorinstall.owner, "nobody but you and root can change the programs, the library or Python"),
    Check("installation.python", "yes", doctorinstall.python, "Python is recent enough, and each tool starts it isolated"),
    Check("installation.man", "yes", doctorinstall.man, "man finds these pages"),
    Check("installation.completions", "yes", doctorinstall.completions, "your shell finds the completions"),
    Check("crypto.ed25519", "yes", partial(doctorcrypto.works, "ed25519"), "Ed25519 gives known answers, and refuses forgeries"),
    Check("crypto.ml-dsa-65", "yes", partial(doctorcrypto.works, "ml-dsa-65"), "so does ML-DSA-65, by the backend that the settings choose"),
    Check("crypto.ml-dsa-87", "yes", partial(doctorcrypto.works, "ml-dsa-87"), "so does ML-DSA-87"),
    Check("crypto.ed448", "yes", partial(doctorcrypto.works, "ed448"), "so does Ed448"),
    Check("crypto.liboqs", "yes", doctorcrypto.liboqs, "the liboqs that is configured is there, and nobody else can change it"),
    Check("crypto.argon2", "no", doctorcrypto.argon2, "opening an encrypted key takes a reasonable time and has the memory it needs"),
    Check("programs.path", "yes", doctorprograms.path, "PATH leads to programs that nobody else chooses"),
    Check("programs.skopeo", "yes", doctorprograms.skopeo, "skopeo is installed, which reads Docker archives, daemons and storages"),
    Check("programs.gpg", "yes", doctorprograms.gpg, "gpg is installed, which checks OpenPGP signatures on keys"),
    Check("programs.git", "yes", doctorprograms.git, "git is installed, which moves bundles to and from git repositories"),
    Check("programs.runtime", "yes", doctorprograms.runtime, "the runtime that the settings name is installed"),
    Check("programs.credentials", "yes", doctorprograms.helpers, "the credential helpers that container tools name are installed"),
    Check("settings.home", "yes", doctorsettings.home, "it is known where configuration and data lie"),
    Check("settings.config", "yes", doctorsettings.settings, "config.toml is valid, and what it names is there", home=True),
    Check("settings.policy", "yes", doctorsettings.policy, "your policy is valid by its schema, and likely meant as it is", home=True),
    Check("settings.host-policy", "yes", doctorsettings.host_policy, "so is the policy of this host", home=True),
    Check("keys.store", "yes", doctorkeys.store, "the directories of the key store can be changed by nobody else", home=True),
    Check("keys.files", "yes", doctorkeys.files, "each key file is readable, well-formed and safe, no key is there twice, and pairs fit", home=True),
    Check("keys.default", "yes", doctorkeys.default, "what signs, if no option names a key, is a pair and has not expired", home=True),
    Check("keys.expiry", "yes", doctorkeys.expiry, "no key of yours or that you trust has expired or will within 30 days", home=True),
    Check("keys.leftovers", "yes", doctorkeys.leftovers, "nothing is left of writing that was interrupted", home=True),
    Check("bundles.store", "yes", doctorbundles.store, "the content store can be read, and nobody else can write to it", home=True),
    Check("bundles.files", "in part", doctorbundles.files, "each bundle there is whole and its signatures verify; with --quick its content is not hashed", home=True),
    Check("clock.now", "yes", doctorclock.clock, "the clock is not behind this program and your files"),
    Check("registries.answer", "no", doctorregistries.answer, "each registry that is named answers, takes your credentials, and has about the same time"),
)  # fmt: skip


def made(setup: Setup) -> list[Check]:
    """The checks that are made."""
    return [check for check in CHECKS if not (setup.quick and check.quick == "no")]


def diagnose(check: Check, setup: Setup, trace: Callable[[], None]) -> Diagnosis:
    """Make a check; with `setup.fix` repair what it found and can be repaired, and make it again.

    A check that trips fails, and no other does; `trace` is told of it.
    """
    found = _diagnose(check, setup, trace)
    done: list[str] = []
    refused: list[Fail] = []
    # What is wrong with a directory hides what is wrong below it.
    for _ in range(ROUNDS if setup.fix else 0):
        said, refused = _repaired(found)
        if not said:
            break
        done += said
        found = _diagnose(check, setup, trace)
        found.fixed = done
    for fail in refused:
        found.fault(fail)
    return found


def _repaired(found: Diagnosis) -> tuple[list[str], list[Fail]]:
    """(what was done, why what was not was not) of all repairs that a check proposes."""
    done, refused = [], []
    for repair in found.repairs:
        try:
            said = doctorfix.apply(repair)
        except Fail as fail:
            refused.append(fail)
            continue
        done += [said] if said else []
    return done, refused


def _diagnose(check: Check, setup: Setup, trace: Callable[[], None]) -> Diagnosis:
    say = Diagnosis()
    if check.home and not setup.home:
        say.warn("not made without a home directory")
        say.said = "not made"
        return say
    try:
        say.said = check.work(setup, say)
    except Fail as fail:
        say.fault(fail)
        say.said = "not finished"
    except Exception as error:
        trace()
        say.fail(f"this check tripped: {type(error).__name__}: {error}", "ct -V", finding="internal")
        say.said = "not finished"
    return say
