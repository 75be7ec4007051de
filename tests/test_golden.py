"""What people see, word for word: tests/golden/*.txt, rewritten by `make golden` for somebody to review."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import images
import pytest
from conftest import BUILD

GOLDEN = Path(__file__).parent / "golden"
AT = "2026-11-22T12:00:00Z"
POLICY = """{"version": "1",
 "signers": {"allowed": [{"key_id": "demo-*", "required": true}]},
 "registries": {"allowed": ["local"]},
 "suites": {"allowed": ["CT-SIG-01"]}}
"""
DOUBTFUL = """{"version": "1",
 "signers": {"threshold": 2},
 "registries": {"allowed": ["ghcr.io/org*", "nginx", "quay.io/a/*"],
                "blocked": ["quay.io"]}}
"""

# name: (exit status, command, environment beside the usual)
CASES: dict[str, tuple[int, str, dict[str, str]]] = {
    "pack": (0, "ct pack oci:app:1.0 -o packed.ctp", {}),
    "pack-unsigned": (0, "ct pack --no-sign oci:app:1.0 -o packed.ctp", {}),
    "pack-no-such-image": (10, "ct pack oci:app:2.0 -o packed.ctp", {}),
    "verify": (0, f"ct verify --at {AT} app.ctp", {}),
    "verify-c-locale": (0, f"ct verify --at {AT} app.ctp", {"LC_ALL": "C"}),
    "verify-colour": (0, f"ct verify --color=always --at {AT} app.ctp", {}),
    "verify-policy": (0, f"ct verify -v --policy policy.json --at {AT} app.ctp", {}),
    "verify-recorded": (0, f"ct verify --record new --at {AT} app.ctp", {}),
    "verify-unkept": (11, f"ct verify --record nowhere/new --at {AT} app.ctp", {}),
    "audit": (0, "ct audit log", {}),
    "audit-altered": (10, "ct audit altered", {}),
    "audit-head": (6, f"ct audit --head sha256:{'0' * 64} log", {}),
    "verify-several": (2, f"ct verify --at {AT} app.ctp damaged.ctp unsigned.ctp", {}),
    "verify-json": (0, f"ct verify --json --at {AT} app.ctp", {}),
    "verify-damaged": (1, f"ct verify --at {AT} damaged.ctp", {}),
    "verify-unsigned": (2, f"ct verify --at {AT} unsigned.ctp", {}),
    "verify-unknown": (3, f"ct verify --at {AT} app.ctp", {"CT_HOME": "elsewhere"}),
    "verify-not-allowed": (3, f"ct verify --policy other.json --at {AT} app.ctp", {}),
    "verify-not-expected": (4, f"ct verify --expect other --at {AT} app.ctp", {}),
    "verify-absent": (11, "ct verify absent.ctp", {}),
    "explain": (0, f"ct explain --policy policy.json --at {AT} app.ctp", {}),
    "re-sign": (0, "ct re-sign -o renewed.ctp app.ctp", {"CT_HOME": "later", "SOURCE_DATE_EPOCH": "1795003260"}),
    "re-sign-stranger": (3, "ct re-sign -k later/keys/next-2027.key app.ctp", {"CT_HOME": "elsewhere"}),
    "re-sign-unsigned": (2, "ct re-sign unsigned.ctp", {}),
    "explain-chain": (0, "ct explain --signers --at 2026-11-23 renewed.ctp", {"CT_HOME": "later"}),
    "explain-signers-unknown": (0, f"ct explain --signers --at {AT} app.ctp", {"CT_HOME": "elsewhere"}),
    "explain-layers": (0, "ct explain --layers app.ctp", {}),
    "explain-finding": (0, "ct explain signer-untrusted", {}),
    "key-list": (0, "ct key list", {}),
    "key-list-fingerprints": (0, "ct key list -v", {}),
    "policy-show": (0, "ct policy show --policy policy.json", {}),
    "policy-check": (0, "ct policy check doubtful.json", {}),
    "policy-check-malformed": (10, "ct policy check typos.json", {}),
    "policy-test": (0, f"ct policy test --policy policy.json --at {AT} app.ctp", {}),
    "policy-test-refused": (3, f"ct policy test --policy other.json --at {AT} app.ctp", {}),
    "policy-test-json": (0, f"ct policy test --json --policy policy.json --at {AT} app.ctp", {}),
    "policy-no-such-signer": (6, "ct policy remove --policy policy.json signer demo-2025", {}),
    "policy-unchanged": (0, "ct policy add-registry --policy policy.json local", {}),
    "config-show": (0, "ct config show", {"CT_POLICY": "strict.json", "CT_HOME": "settled"}),
    "config-check": (10, "ct config check mistakes.toml", {}),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one key that is always the same, and bundles of an image that is always the same."""
    from cerrotorre import keyfile, privatekey, suites

    work = tmp_path_factory.mktemp("golden")
    (work / "elsewhere").mkdir(mode=0o700)
    # In `later` another key has taken over.
    for home, key_id, seed in (("home", "demo-2026", bytes(range(32))), ("later", "next-2027", bytes(range(32, 64)))):
        keys = work / home / "keys"
        keys.mkdir(parents=True, mode=0o700)
        (work / home).chmod(0o700)
        publics = suites.publics("CT-SIG-01", [seed])
        fingerprint = suites.fingerprint("CT-SIG-01", publics)
        public = {"key_id": key_id, "suite_id": "CT-SIG-01", "fingerprint": fingerprint, "publics": publics}
        (keys / f"{key_id}.pub").write_bytes(keyfile.write_public({**public, "created": "2026-01-01T00:00:00Z"}))
        (keys / f"{key_id}.key").write_bytes(privatekey.write_plain("CT-SIG-01", [seed]))
        (keys / f"{key_id}.key").chmod(0o600)
        (keys / "default").write_text(f"{key_id}\n")
    (work / "later" / "trusted").mkdir(mode=0o700)
    shutil.copy(work / "home/keys/demo-2026.pub", work / "later/trusted")
    (work / "policy.json").write_text(POLICY)
    (work / "doubtful.json").write_text(DOUBTFUL)
    (work / "typos.json").write_text(DOUBTFUL.replace("threshold", "treshold").replace('"1"', "1"))
    (work / "mistakes.toml").write_text('[defaults]\npolcy = "strict.json"\n\n[output]\ncolor = "sometimes"\n\n[registry]\n')
    (work / "settled").mkdir(mode=0o700)
    (work / "settled" / "config.toml").write_text(
        '[defaults]\nruntime = "podman"\n[output]\ncolor = "never"\n[registries]\ninsecure = ["localhost", "*.internal"]\n'
    )
    (work / "other.json").write_text(POLICY.replace("demo-*", "release-*"))
    images.make("labelled", work / "app")
    index = (work / "app" / "index.json").read_text()
    name = index.partition('"org.opencontainers.image.ref.name": "')[2].partition('"')[0]
    (work / "app" / "index.json").write_text(index.replace(f'"{name}"', '"1.0"'))
    for command in ("ct pack -q oci:app:1.0 -o app.ctp", "ct pack -q --no-sign oci:app:1.0 -o unsigned.ctp"):
        assert run(work, command, {})[0] == 0
    damaged = bytearray((work / "app.ctp").read_bytes())
    # The block before the two that end a bundle begins with a byte of the layer.
    damaged[-1024 - 512] ^= 1
    (work / "damaged.ctp").write_bytes(damaged)
    for name in ("app", "damaged", "unsigned", "absent"):
        run(work, f"ct verify --record log --policy policy.json --at {AT} {name}.ctp", {})
    shutil.copytree(work / "log", work / "altered")
    second = work / "altered" / "decisions" / "00000002.json"
    second.write_text(second.read_text().replace('"status":1,"trust"', '"status":0,"trust"'))
    return work


def run(work: Path, command: str, more: dict[str, str]) -> tuple[int, str]:
    """(status, what a terminal would show: standard output, then standard error) of a command line."""
    environment = {
        "PATH": f"{BUILD.resolve()}/bin:/usr/bin:/bin",
        "HOME": str(work),
        "CT_HOME": "home",
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": "1763806260",
        **more,
    }
    environment["CT_HOME"] = str(work / environment["CT_HOME"])
    made = subprocess.run(
        command.split(), cwd=work, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    # A decision's digest is another with every version.
    said = re.sub(
        r"(Recorded: +\d+  |Head: +|decision \d+ |last is \d+ )sha256:(?!0{64})[0-9a-f]{64}",
        r"\1sha256:…",
        made.stdout + made.stderr,
    )
    return made.returncode, said.replace(str(work), "/somewhere")


@pytest.mark.parametrize("name", CASES)
def test_golden(place: Path, name: str) -> None:
    status, command, more = CASES[name]
    got, shown = run(place, command, more)
    assert got == status, shown
    text = "".join(f"{key}={value} " for key, value in more.items()) + f"{command}\n{shown}"
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("CT_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        file.write_text("$ " + text)
    assert file.read_text() == "$ " + text


def test_no_golden_file_is_left_over() -> None:
    assert {file.stem for file in GOLDEN.glob("*.txt")} == set(CASES)
