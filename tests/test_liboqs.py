"""The liboqs that config.toml names: that one, whatever the environment says, or `suite-unavailable`.

What is loaded here is no liboqs but a few lines of C with its functions, whose signatures are checksums: it shows that the
configured library is what makes and checks, and what is refused. It proves nothing about ML-DSA.
"""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from cerrotorre import suites
from images import Layout, single
from small import environment, run, tool

SOURCE = """
typedef unsigned char u8; typedef __SIZE_TYPE__ size;
#ifndef WRONG
#define WRONG 0
#endif
static const u8 known65[] = {@65@}, known87[] = {@87@};
static void (*rnd)(u8 *, size);
static char names[2] = {65, 87};
void OQS_init(void) {}
const char *OQS_version(void) { return "0.0-fake"; }
void OQS_randombytes_custom_algorithm(void (*f)(u8 *, size)) { rnd = f; }
#if WRONG != 1
void *OQS_SIG_new(const char *name) {
	if (WRONG == 2) return 0;
	return &names[name[7] == '8'];
}
#endif
void OQS_SIG_free(void *scheme) { (void)scheme; }
int OQS_SIG_keypair(const char *scheme, u8 *public, u8 *secret) {
	size large = *scheme == 87, length = large ? 2592 : 1952, at; u8 seed[64], counted = 1;
	rnd(seed, WRONG == 3 ? 64 : 32);
	for (at = 0; at < 32; at++) counted &= seed[at] == at;
	for (at = 0; at < length; at++)
		((volatile u8 *)public)[at] = counted && WRONG != 4 ? (large ? known87 : known65)[at] : (u8)(seed[at % 32] + at / 32);
	for (at = 0; at < 64; at++) ((volatile u8 *)secret)[at] = public[at];
	if (WRONG == 5) secret[20000] = 1;
	return WRONG == 6 ? -1 : 0;
}
static void made(u8 *out, size length, const u8 *message, size much, const u8 *key) {
	size at; unsigned sum = 5381;
	for (at = 0; at < much; at++) sum = sum * 33 + (WRONG == 7 ? 0 : message[at]);
	for (at = 0; at < 64; at++) sum = sum * 33 + key[at];
	for (at = 0; at < length; at++) { sum = sum * 1664525 + 1013904223; ((volatile u8 *)out)[at] = sum >> 24; }
}
int OQS_SIG_sign(const char *scheme, u8 *out, size *length, const u8 *message, size much, const u8 *secret) {
	*length = *scheme == 87 ? 4627 : 3309;
	made(out, *length, message, much, secret);
	if (WRONG == 8) *length -= 1;
	return 0;
}
int OQS_SIG_verify(const char *scheme, const u8 *message, size much, const u8 *signature, size length, const u8 *public) {
	static u8 expected[4627]; size at; u8 differs = length != (*scheme == 87 ? 4627 : 3309);
	if (WRONG == 9) return 0;
	made(expected, length, message, much, public);
	for (at = 0; at < length; at++) differs |= expected[at] ^ signature[at];
	return differs ? -1 : 0;
}
"""


def built(path: Path, wrong: int = 0) -> Path:
    source = SOURCE
    for suite_id, name in (("CT-SIG-06", "@65@"), ("CT-SIG-02", "@87@")):
        public = suites.publics(suite_id, [bytes(range(32))] * 2)[1]
        source = source.replace(name, ",".join(map(str, public)))
    command = ["gcc", "-shared", "-fPIC", "-O1", "-nostdlib", "-fno-stack-protector", "-ffreestanding", f"-DWRONG={wrong}"]
    subprocess.run([*command, "-x", "c", "-", "-o", path], input=source, text=True, check=True)
    path.chmod(0o755)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("oqs") / "any-name.so.7")


def configure(home: Path, library: object) -> None:
    (home / "config.toml").write_text(f'[crypto]\nml_dsa = "liboqs"\nliboqs = "{library}"\n')


def keygen(home: Path, suite: str, status: int, **more: str) -> subprocess.CompletedProcess[str]:
    return tool("ct", "keygen", "--id", "a", "--no-password", "--suite", suite, env=environment(home, **more), status=status)


def refused(home: Path, path: object, **more: str) -> str:
    """What is said of a library that cannot be used: on standard error, at once, with nothing written."""
    configure(home, path)
    for suite in ("CT-SIG-02", "CT-SIG-03", "CT-SIG-06"):
        made = keygen(home, suite, 69, **more)
        assert f"[crypto] liboqs in config.toml: '{path}'" in made.stderr and made.stdout == ""
    assert not (home / "keys").exists()
    return made.stderr


def test_the_configured_library_signs_and_verifies(tmp_path: Path, home: Path, library: Path) -> None:
    configure(home, library)
    env = environment(home)
    made = keygen(home, "CT-SIG-02", 0)
    assert made.stderr == "" and "CT-SIG-02 (ed25519, ml-dsa-87)" in made.stdout
    layout = Layout(tmp_path / "image")
    single(layout)
    bundle = tmp_path / "x.ctp"
    assert tool("ct", "pack", "-o", bundle, f"oci:{layout.directory}:1.0", env=env).stderr == ""
    assert json.loads(tool("ct", "verify", "--json", bundle, env=env).stdout)["status"] == 0
    # By the library that ct brings, a checksum is no signature, and no private key fits its public key.
    (home / "config.toml").unlink()
    (finding,) = json.loads(tool("ct", "verify", "--json", bundle, env=env, status=2).stdout)["findings"]
    assert finding["finding"] == "signature-invalid"
    tool("ct", "pack", "-o", tmp_path / "y.ctp", f"oci:{layout.directory}:1.0", env=env, status=13)
    # A verifier who cannot tell says so.
    configure(home, "/nowhere/liboqs.so")
    assert tool("ct", "verify", "--json", bundle, env=env, status=69).stderr.count("\n") <= 3


def test_the_other_suites_do_not_ask_for_it(home: Path) -> None:
    configure(home, "/nowhere/liboqs.so")
    keygen(home, "CT-SIG-01", 0)
    tool("ct", "keygen", "--id", "b", "--no-password", "--suite", "CT-SIG-04", env=environment(home))
    # Named and not chosen, it is left alone.
    (home / "config.toml").write_text('[crypto]\nliboqs = "/nowhere/liboqs.so"\n')
    tool("ct", "keygen", "--id", "c", "--no-password", "--suite", "CT-SIG-06", env=environment(home))


@pytest.mark.parametrize(
    "wrong, said",
    [
        (1, "OQS_SIG_new"),
        (2, "it has no ML-DSA-65"),
        (3, "it makes no ML-DSA-65 key of a seed"),
        (4, "its ML-DSA-65 is not that of FIPS 204"),
        (5, "it makes no ML-DSA-65 key of a seed"),
        (6, "it makes no ML-DSA-65 key of a seed"),
        (7, "its ML-DSA-65 does not tell signatures apart"),
        (8, "it makes no ML-DSA-65 signature"),
        (9, "its ML-DSA-65 does not tell signatures apart"),
    ],
)
def test_a_library_that_is_not_what_it_should_be(tmp_path: Path, home: Path, wrong: int, said: str) -> None:
    assert said in refused(home, built(tmp_path / "liboqs.so", wrong))


def test_no_library_at_all(tmp_path: Path, home: Path) -> None:
    assert "it is not there" in refused(home, tmp_path / "liboqs.so")
    assert "it is not there" in refused(home, tmp_path / "nowhere" / "liboqs.so")
    (tmp_path / "liboqs.so").write_bytes(b"not a library")
    refused(home, tmp_path / "liboqs.so")
    (tmp_path / "directory.so").mkdir()
    assert "not a regular file" in refused(home, tmp_path / "directory.so")
    os.mkfifo(tmp_path / "fifo.so")
    assert "not a regular file" in refused(home, tmp_path / "fifo.so")


def test_a_library_that_another_could_change(tmp_path: Path, home: Path, library: Path) -> None:
    there = tmp_path / "lib"
    there.mkdir(mode=0o755)
    (there / "liboqs.so").write_bytes(library.read_bytes())
    for mode in (0o775, 0o757):
        (there / "liboqs.so").chmod(mode)
        assert "writable by others" in refused(home, there / "liboqs.so")
    (there / "liboqs.so").chmod(0o755)
    there.chmod(0o777)
    assert "writable by others" in refused(home, there / "liboqs.so")
    # A link leads where it is asked too.
    (tmp_path / "link.so").symlink_to(there / "liboqs.so")
    assert "writable by others" in refused(home, tmp_path / "link.so")
    there.chmod(0o755)
    assert stat.S_IMODE(there.stat().st_mode) == 0o755
    if os.geteuid() == 0:
        os.chown(there / "liboqs.so", 65534, 65534)
        assert "belongs to another user" in refused(home, there / "liboqs.so")
        os.chown(there / "liboqs.so", 0, 0)
    configure(home, tmp_path / "link.so")
    keygen(home, "CT-SIG-03", 0)


def test_the_environment_names_no_library(tmp_path: Path, home: Path, library: Path) -> None:
    """OQS_INSTALL_PATH, the linker's path and ~/_oqs, where the Python package looks, are not looked at; nothing is started."""
    for place in (tmp_path / "oqs" / "lib", home / "_oqs" / "lib"):
        place.mkdir(parents=True)
        (place / "liboqs.so").write_bytes(library.read_bytes())
        (place / "liboqs.so").chmod(0o755)
    more = {
        "OQS_INSTALL_PATH": str(tmp_path / "oqs"),
        "LD_LIBRARY_PATH": str(tmp_path / "oqs" / "lib"),
        "PYOQS_VERSION": "latest",
        "PYOQS_ENABLE_FAULTHANDLER": "1",
    }
    refused(home, "/nowhere/liboqs.so", **more)
    configure(home, library)
    trace = tmp_path / "trace"
    command = ("strace", "-f", "-qq", "-e", "trace=openat,execve,clone,clone3,vfork,fork", "-o", trace)
    arguments = ("generate", "--id", "a", "--no-password", "--suite", "CT-SIG-06")
    tool_path = Path(os.environ["CT_BUILD"]) / "bin" / "ct-key"
    made = run(*command, tool_path, *arguments, env=environment(home, **more))
    assert made.returncode == 0, made.stderr
    seen = trace.read_text()
    assert str(library) in seen and "/oqs/lib/liboqs" not in seen and "_oqs" not in seen
    assert "fork" not in seen and "clone" not in seen and seen.count("execve(") == 1, seen[:2000]


def test_a_relative_path_is_no_setting(home: Path) -> None:
    configure(home, "liboqs.so")
    keygen(home, "CT-SIG-02", 10)
    (home / "config.toml").write_text('[crypto]\nml_dsa = "liboqs"\n')
    keygen(home, "CT-SIG-02", 10)
