"""Installing, each way: make install, DEPS=system, pip, and the archive of make dist; from copies of the tree, into directories of their own."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import airgap
import docs
import pytest
from cerrotorre import VERSION, host
from conftest import BUILD, ROOT, program
from images import Layout, single

sys.path.insert(0, str(ROOT / "lib"))
import bytecode
import dependencies
import dist
import install

NOBODY = 65534
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
SECRET = "correct horse battery staple\n"
EPOCH = "1700000000"
# Where a Python of this minor lies, and nothing that the tests brought along.
PATH = f"{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin"
EVIL = "import os\nos._exit(1)\n"


def run(
    *command: object, status: int | None = 0, env: dict[str, str] | None = None, **more: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command, which must end with this status, in an environment that has a PATH at least."""
    made = subprocess.run(
        [str(part) for part in command],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"} | (env or {}),
        **{"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 300} | more,
    )
    assert status in (made.returncode, None), (command, made.returncode, made.stdout[-3000:], made.stderr[-3000:])
    return made


def make(tree: Path, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """make in a copy of the tree, with the variables that reach an index of packages."""
    index = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}
    more["env"] = {"HOME": os.environ["HOME"], **index} | more.get("env", {})
    return run("make", *arguments, cwd=tree, **more)


def snapshot(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """{path below root: (mode, owner, content)} of everything there."""
    found = {}
    for path in sorted(root.rglob("*")):
        about = path.lstat()
        found[str(path.relative_to(root))] = (about.st_mode, about.st_uid, path.read_bytes() if path.is_file() else b"")
    return found


def copy(to: Path) -> Path:
    """The sources, without what is built, cached or git's."""
    skipped = shutil.ignore_patterns("build", ".git", "__pycache__", ".*_cache", ".hypothesis")
    return Path(shutil.copytree(ROOT, to, ignore=skipped))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that everybody can enter, with an image, a passphrase, and what must never be imported."""
    base = tmp_path_factory.mktemp("install")
    for above in (base, base.parent, base.parent.parent):
        above.chmod(0o755)
    layout = Layout(base / "image")
    single(layout)
    (base / "passphrase").write_text(SECRET)
    (base / "passphrase").chmod(0o600)
    evil = base / "evil"
    evil.mkdir()
    for name in ("cerrotorre", "nacl", "json", "getopt"):
        (evil / f"{name}.py").write_text(EVIL)
    return base


@pytest.fixture(scope="module")
def source(work: Path) -> Path:
    """The tree as its builder has it: the sources, and the build that is tested, all his own."""
    tree = copy(work / "source")
    for part in ("bin", "lib", "share", ".vendor", ".built", ".settings"):
        old = BUILD / part
        if old.is_dir():
            shutil.copytree(old, tree / "build" / part)
        elif old.exists():
            shutil.copy2(old, tree / "build" / part)
    make(tree)
    if os.geteuid() == 0:
        for path in (tree, *tree.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    return tree


def works(prefix: Path, work: Path, home: Path, *wrap: str, dependencies: bool = True, hybrid: bool = True, **env: str) -> None:
    """ct does its job from this prefix: a key, a bundle, a verdict; with `dependencies`, a passphrase and a schema too."""
    home.mkdir(mode=0o700)
    env = {"HOME": str(home), "PATH": PATH, "PYTHONPATH": str(work / "evil"), **env}

    def ct(*arguments: object, status: int = 0) -> str:
        return run(*wrap, prefix / "bin" / "ct", *arguments, status=status, env=env, cwd=home).stdout

    assert ct("-V") == f"ct {VERSION}\n"
    ct("keygen", "--no-password", "--id", "plain")
    ct("pack", f"oci:{work / 'image'}", "--no-sign", "-o", "unsigned.ctp")
    ct("sign", "-k", "plain", "-o", "a.ctp", "unsigned.ctp")
    assert "is valid" in ct("verify", "a.ctp")
    assert "plain" in ct("explain", "a.ctp", "--signers")
    ct("verify", "unsigned.ctp", status=2)
    if dependencies:
        env["CT_PASSPHRASE_FILE"] = str(work / "passphrase")
        ct("keygen", "--id", "sealed")
        ct("sign", "-k", "sealed", "-o", "b.ctp", "unsigned.ctp")
        assert "is valid" in ct("verify", "b.ctp")
        if hybrid:
            ct("keygen", "--id", "both", "--suite", "CT-SIG-02")
            ct("sign", "-k", "both", "-o", "c.ctp", "unsigned.ctp")
            assert "is valid" in ct("verify", "c.ctp")
        ct("policy", "init", "--yes")
        ct("policy", "check", f"{home}/.config/cerro/policy.json")
        bad = home / "bad.json"
        bad.write_text('{"version":"1","signers":[]}')
        ct("policy", "check", bad, status=10)


# -- make ----------------------------------------------------------------------------------------------------------------------


def test_a_second_make_does_nothing(source: Path) -> None:
    before = snapshot(source / "build")
    assert "Nothing to be done" in make(source).stdout
    assert snapshot(source / "build") == before


def test_what_was_chosen_holds(source: Path, work: Path) -> None:
    tree = Path(shutil.copytree(source, work / "chosen"))
    make(tree, "SYSCONFDIR=/usr/local/etc")
    assert 'SYSCONFDIR = "/usr/local/etc"' in (tree / "build/lib/cerro-torre/cerrotorre/built.py").read_text().replace("'", '"')
    assert "Nothing to be done" in make(tree).stdout
    make(tree, "install", "PREFIX=/usr", f"DESTDIR={work / 'chosen.root'}")
    said = (work / "chosen.root/usr/lib/cerro-torre/cerrotorre/built.py").read_text()
    assert "/usr/local/etc" in said
    assert "not absolute" in make(tree, "SYSCONFDIR=etc", status=2).stderr
    assert "it is locked or system" in make(tree, "DEPS=none", status=2).stderr
    make(tree, "clean")
    assert not (tree / "build").exists()


def test_install_and_uninstall(source: Path, work: Path) -> None:
    root = work / "root"
    prefix = root / "usr"
    built = snapshot(source)
    into = ("PREFIX=/usr", f"DESTDIR={root}")

    def under_a_narrow_umask() -> None:
        os.umask(0o077)

    make(source, "install", *into, preexec_fn=under_a_narrow_umask)
    first = snapshot(root)
    assert snapshot(source) == built, "installing changed the tree"
    listed = (prefix / install.LIST).read_text().splitlines()
    assert sorted(name.rstrip("/") for name in listed) == sorted(str(path.relative_to(prefix)) for path in prefix.rglob("*"))
    for name, (mode, _, data) in first.items():
        assert stat.S_IMODE(mode) in ((0o755,) if stat.S_ISDIR(mode) else (0o644, 0o755)), name
        assert str(root).encode() not in data and str(source).encode() not in data, f"{name} names a directory of the build"
    tools = {path.name for path in (ROOT / "tools").iterdir()}
    assert {path.name for path in (prefix / "bin").iterdir()} == tools
    assert {path.name for path in prefix.glob("share/man/man?/*")} == {path.name for path in (ROOT / "man").iterdir()}
    # Start-up is fast where nothing can be written: bytecode for each module, which nobody compares (PEP 552).
    for module in (prefix / install.LIBRARY).rglob("*.py"):
        cached = module.parent / "__pycache__" / f"{module.stem}.{sys.implementation.cache_tag}.pyc"
        assert cached.read_bytes()[4:8] == bytecode.UNCHECKED_HASH, module
    works(prefix, work, work / "home-install", dependencies=False)
    assert snapshot(root) == first, "running changed what is installed"

    # An older version's file that this one has not, and files of others.
    with open(prefix / install.LIST, "a") as file:
        file.write("lib/cerro-torre/older/\nbin/ct-older\nlib/cerro-torre/older/older.py\n")
    (prefix / "lib/cerro-torre/older").mkdir()
    for name in ("bin/ct-older", "lib/cerro-torre/older/older.py", "share/man/man1/other.1", "lib/cerro-torre/other"):
        (prefix / name).write_text("")
    make(source, "install", *into)
    (prefix / "share/man/man1/other.1").rename(work / "other.1")
    (prefix / "lib/cerro-torre/other").rename(work / "other")
    assert snapshot(root) == first
    shutil.copy(work / "other.1", prefix / "share/man/man1/other.1")
    shutil.copy(work / "other", prefix / "lib/cerro-torre/other")
    (prefix / "lib/cerro-torre/cerrotorre/__pycache__/errors.cpython-399.pyc").write_text("another Python's")
    make(source, "uninstall", *into)
    assert [str(path.relative_to(prefix)) for path in sorted(prefix.rglob("*")) if path.is_file()] == [
        "lib/cerro-torre/other",
        "share/man/man1/other.1",
    ]
    assert sorted(path.name for path in prefix.iterdir()) == ["lib", "share"]
    assert "nothing of Cerro Torre" in make(source, "uninstall", *into).stdout

    for name in ("share/man/man1/other.1", "lib/cerro-torre/other"):
        (prefix / name).unlink()
    shutil.rmtree(root)


def test_directories_that_were_there_stay(source: Path, work: Path) -> None:
    root = work / "there"
    (root / "opt/a b/share/man/man1").mkdir(parents=True)
    (root / "opt/a b").chmod(0o750)
    before = snapshot(root)
    make(source, "install", "PREFIX=/opt/a b", f"DESTDIR={root}")
    works(root / "opt/a b", work, work / "home-spaces", dependencies=False)
    make(source, "uninstall", "PREFIX=/opt/a b", f"DESTDIR={root}")
    assert snapshot(root) == before
    assert "PREFIX is not absolute" in make(source, "install", "PREFIX=here", status=2).stderr


def test_a_file_of_others_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, prefix = tmp_path / "built", tmp_path / "prefix"
    for name in ("bin/ct", "bin/ct-open", "lib/cerro-torre/a.py"):
        (built / name).parent.mkdir(parents=True, exist_ok=True)
        (built / name).write_text("ours")
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/ct").write_text("chart-testing")
    (prefix / "bin/ct-open").symlink_to("nothing")
    before = snapshot(prefix)
    monkeypatch.delenv("FORCE", raising=False)
    with pytest.raises(SystemExit) as caught:
        install.install(built, prefix)
    for said in (f"  {prefix}/bin/ct\n", f"  {prefix}/bin/ct-open\n", "make install FORCE=1"):
        assert said in str(caught.value)
    assert snapshot(prefix) == before
    monkeypatch.setenv("FORCE", "1")
    install.install(built, prefix)
    assert (prefix / "bin/ct").read_text() == "ours" and not (prefix / "bin/ct-open").is_symlink()
    # What is ours needs no force.
    monkeypatch.delenv("FORCE")
    install.install(built, prefix)


def test_an_interrupted_installation_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, prefix = tmp_path / "built", tmp_path / "prefix"
    for name in ("bin/ct", "lib/cerro-torre/a.py"):
        (built / name).parent.mkdir(parents=True, exist_ok=True)
        (built / name).write_text("ours")
    real = install.put

    def stop(source: Path, path: Path) -> None:
        real(source, path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(install, "put", stop)
        with pytest.raises(KeyboardInterrupt):
            install.install(built, prefix)
    assert (prefix / "lib/cerro-torre/a.py").exists()
    install.install(built, prefix)
    install.uninstall(prefix)
    assert list(prefix.rglob("*")) == []


@pytest.mark.parametrize("name", ["/etc/passwd", "bin/../../etc/passwd", "etc/passwd", "bin", "", "lib/other/x"])
def test_a_list_that_names_what_is_not_ours(name: str, tmp_path: Path) -> None:
    listed = tmp_path / install.LIST
    listed.parent.mkdir(parents=True)
    listed.write_text(f"bin/ct\n{name}\n{install.LIST}\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ct").write_text("")
    with pytest.raises(SystemExit, match="never ours"):
        install.uninstall(tmp_path)
    assert (tmp_path / "bin" / "ct").exists()


def test_pages_and_completions_are_found(source: Path, work: Path) -> None:
    root = work / "found"
    make(source, "install", "PREFIX=/usr", f"DESTDIR={root}")
    share = root / "usr" / "share"
    for page in ("ct", "ct-verify", "ct-policy", "cerro-torre", "ct-install"):
        assert str(share) in run(program("man"), "-M", share / "man", "-w", page).stdout
    home = work / "home-found"
    home.mkdir()
    env = {"HOME": str(home), "XDG_DATA_DIRS": str(share), "PATH": f"{root / 'usr/bin'}:{os.environ['PATH']}"}
    assert "verify" in run(program("fish"), "--private", "-c", "complete -C 'ct ver'", env=env).stdout
    asks = f"fpath=({share}/zsh/site-functions $fpath); autoload -Uz compinit; compinit -D -u; print $_comps[ct]"
    assert run(program("zsh"), "-fc", asks, env=env).stdout == "_ct\n"
    assert "complete" in run("bash", "-c", f". {share}/bash-completion/completions/ct; complete -p ct", env=env).stdout


# -- the distribution's packages -----------------------------------------------------------------------------------------------


def test_with_the_packages_of_the_distribution(source: Path, work: Path) -> None:
    tree = copy(work / "system")
    # No pip, and nothing to fetch from.
    make(tree, "DEPS=system", "PYTHON=/usr/bin/python3", env={"PIP_NO_INDEX": "1", "PIP_INDEX_URL": "http://127.0.0.1:9/"})
    assert not (tree / "build/lib/cerro-torre/vendor").exists()
    assert (tree / "build/bin/ct-open").read_text().startswith("#!/usr/bin/python3 -I\n")
    make(tree, "install", "PREFIX=/usr", f"DESTDIR={work / 'system.root'}")
    works(work / "system.root/usr", work, work / "home-system", hybrid=False)
    # Whether there is ML-DSA depends on the distribution; where there is none, what is lacking is said, and signatures are not judged.
    version = run("/usr/bin/python3", "-Ic", "import cryptography; print(cryptography.__version__)").stdout
    made = {
        suite: subprocess.run(
            [work / "system.root/usr/bin/ct", "keygen", "--no-password", "--id", suite, "--suite", suite],
            env={"HOME": str(work / "home-system"), "PATH": PATH},
            capture_output=True,
            text=True,
        )
        for suite in ("CT-SIG-02", "CT-SIG-04")
    }
    assert made["CT-SIG-04"].returncode == 0, made["CT-SIG-04"]
    assert made["CT-SIG-02"].returncode == (0 if dependencies.number(version.strip()) >= (48,) else 69)
    assert made["CT-SIG-02"].returncode == 0 or "cryptography 48 or later; here is" in made["CT-SIG-02"].stderr
    assert "make dist DEPS=locked" in make(tree, "dist", status=2).stderr


def test_a_missing_package_is_named() -> None:
    # Without site no package is seen.
    made = run(sys.executable, "-IBS", ROOT / "lib/dependencies.py", "check", status=69)
    for name in ("PyNaCl 1.5 or later: not installed (python3-nacl)", "install python3-nacl ", "error: ", "\nhint: "):
        assert name in made.stderr


@pytest.mark.parametrize(
    "version, release",
    [("1.5.0", (1, 5)), ("1.5rc1", (1, 5)), ("2026.1", (2026, 1)), ("0", ()), ("", ()), ("1.26.12+ds", (1, 26, 12))],
)
def test_versions(version: str, release: tuple[int, ...]) -> None:
    assert dependencies.number(version) == release


def test_every_dependency_has_a_package() -> None:
    assert all(len(names) == 2 for _, names in dependencies.required().values())


# -- pip -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheels(work: Path) -> Path:
    """Our wheel and those it needs, made from a clean tree; nothing is left in it."""
    tree = copy(work / "clean")
    before = snapshot(tree)
    env = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}
    pip = ["sh", ROOT / "lib/pip.sh", sys.executable, work / "pip"]
    run(*pip, "wheel", "--quiet", "--wheel-dir", work / "wheels", ".", cwd=tree, env={"HOME": os.environ["HOME"], **env})
    # The builder's own bytecode may stay, which git ignores.
    shutil.rmtree(tree / "lib" / "__pycache__", ignore_errors=True)
    assert snapshot(tree) == before
    assert list((work / "wheels").glob(f"cerro_torre-{VERSION}-py3-none-any.whl"))
    return work / "wheels"


def test_pip_in_an_environment(wheels: Path, work: Path) -> None:
    venv = work / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    pip = ("sh", ROOT / "lib/pip.sh", sys.executable, work / "pip", "--python", venv / "bin/python")
    bare = {str(path) for path in venv.rglob("*")}
    run(*pip, "install", "--quiet", "--no-index", f"--find-links={wheels}", "cerro-torre")
    tools = {path.name for path in (ROOT / "tools").iterdir()}
    assert tools <= {path.name for path in (venv / "bin").iterdir()}
    assert {path.name for path in (venv / "share/man").glob("man?/ct*")} == {path.name for path in (ROOT / "man").glob("ct*")}
    works(venv, work, work / "home-venv")
    # As pipx does it.
    (work / "links").mkdir()
    (work / "links/ct").symlink_to(venv / "bin/ct")
    assert run(work / "links/ct", "-V").stdout == f"ct {VERSION}\n"
    # One that is broken gives no verdict.
    library = venv / "lib/cerro-torre/cerrotorre"
    (library / "bundle.py").rename(library / "elsewhere")
    for cached in (library / "__pycache__").glob("bundle.*"):
        cached.unlink()
    run(venv / "bin/ct-open", "x", status=70)
    run(venv / "bin/ct", "verify", "x", status=70)
    (library / "elsewhere").rename(library / "bundle.py")
    run(*pip, "uninstall", "--quiet", "--yes", "cerro-torre")
    left = [
        path for path in venv.rglob("*") if str(path) not in bare and re.search(r"cerro|/_?ct", str(path.relative_to(venv)))
    ]
    assert left == []


def test_pip_for_one_user(wheels: Path, work: Path) -> None:
    env = {"PYTHONUSERBASE": str(work / "user"), "PIP_BREAK_SYSTEM_PACKAGES": "1"}
    pip = ["sh", ROOT / "lib/pip.sh", sys.executable, work / "pip"]
    found = f"--find-links={wheels}"
    run(
        *pip,
        "install",
        "--quiet",
        "--user",
        "--ignore-installed",
        "--no-warn-script-location",
        "--no-index",
        found,
        "cerro-torre",
        env=env,
    )
    works(work / "user", work, work / "home-user", dependencies=False)


# -- the archive ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive(source: Path, work: Path) -> Path:
    """An archive, signed with a key of ct's own."""
    home = work / "home-signer"
    home.mkdir(mode=0o700)
    run(BUILD / "bin/ct", "keygen", "--no-password", "--id", "release", env={"HOME": str(home)})
    key = home / ".config/cerro/keys/release.key"
    env = {"SOURCE_DATE_EPOCH": EPOCH, "LC_ALL": "C", "TZ": "UTC"}
    made = make(source, "dist", f"SIGN={key}", env=env).stdout.split()
    names = [Path(name).name for name in made[-3:]]
    assert [name.partition(".tar.gz")[2] for name in names] == ["", ".sha256", ".sig"]
    assert re.fullmatch(rf"cerro-torre-{VERSION}-cp{MINOR.replace('.', '')}-linux_\w+-(glibc|musl)[\d.]+\.tar\.gz", names[0])
    return source / "build/dist" / names[0]


@pytest.fixture(scope="module")
def unpacked(archive: Path, work: Path) -> Path:
    """The archive, unpacked with another tar."""
    (work / "unpacked").mkdir()
    run(program("busybox"), "tar", "-xzf", archive, cwd=work / "unpacked")
    return next((work / "unpacked").iterdir())


def test_two_archives_are_the_same(archive: Path, work: Path) -> None:
    """Another directory, user, umask, locale, time zone and day, and the dependencies fetched anew."""
    (work / "another directory").mkdir()
    tree = copy(work / "another directory" / "tree")
    user = {}
    if os.geteuid() == 0:
        for path in (tree, *tree.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    for path in tree.rglob("*"):
        os.utime(path, (1, 1))
    (work / "no-home").mkdir()
    (work / "no-home").chmod(0o777)
    env = {
        "SOURCE_DATE_EPOCH": EPOCH,
        "LC_ALL": "C.UTF-8",
        "TZ": "Asia/Kathmandu",
        "HOME": str(work / "no-home"),
        "PYTHONHASHSEED": "7",
    }
    python = f"PYTHON={Path(sys.base_prefix) / 'bin' / f'python{MINOR}'}"
    if user and run("test", "-x", python[7:], status=None, **user).returncode:
        user = {}
    make(tree, "dist", python, env=env, umask=0o077, **user)
    other = next((tree / "build/dist").glob("*.tar.gz"))
    assert other.name == archive.name
    assert other.read_bytes() == archive.read_bytes()


def test_an_archive_for_an_older_libc(source: Path, work: Path) -> None:
    tree = Path(shutil.copytree(source, work / "older"))
    made = Path(make(tree, "dist", "GLIBC=2.28").stdout.split()[-2])
    version = re.fullmatch(r".*-glibc2\.(\d+)\.tar\.gz", made.name)
    assert version and int(version[1]) <= 28
    run("tar", "-xzf", tree / made, cwd=work)
    works(work / made.name.removesuffix(".tar.gz"), work, work / "home-older")


def test_bytecode_depends_on_the_source_alone(tmp_path: Path) -> None:
    """This process holds other strings and constants than the one that built: marshal's later versions tell."""
    here = Path(
        shutil.copytree(
            BUILD / "lib/cerro-torre/cerrotorre", tmp_path / "cerrotorre", ignore=shutil.ignore_patterns("__pycache__")
        )
    )
    bytecode.compile_all(here)
    for made in here.rglob("*.pyc"):
        assert made.read_bytes() == (BUILD / "lib/cerro-torre/cerrotorre" / made.relative_to(here)).read_bytes(), made


def test_what_is_in_the_archive(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == sorted((member.name for member in members), key=lambda name: name.split("/"))
    top = archive.name.removesuffix(".tar.gz")
    assert {name.split("/")[1] for name in (member.name for member in members) if "/" in name} == {
        "LICENSE",
        "README.md",
        "bin",
        "lib",
        "share",
    }
    for member in members:
        assert member.name.split("/")[0] == top and not member.pax_headers
        assert (member.uid, member.gid, member.uname, member.gname, member.mtime) == (0, 0, "", "", int(EPOCH))
        assert (member.isdir() and member.mode == 0o755) or (member.isreg() and member.mode in (0o644, 0o755))
    # Licences of what is inside come with it; notes of how it was installed do not.
    assert any("/licenses/" in member.name for member in members)
    assert not any(member.name.endswith(("/RECORD", "/INSTALLER")) for member in members)
    # The compressed stream says no time and no name.
    assert archive.read_bytes()[3:8] == bytes(5)


def test_the_signature_of_an_archive(archive: Path, work: Path) -> None:
    public = work / "home-signer/.config/cerro/keys/release.pub"
    check = ("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-sigfile", f"{archive}.sig", "-in")
    run(*check, archive)
    run("sha256sum", "-c", f"{archive.name}.sha256", cwd=archive.parent)
    data = archive.read_bytes()
    (work / "changed").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    run(*check, work / "changed", status=1)


def test_the_page_says_how_to_use_an_archive(archive: Path, work: Path) -> None:
    there = work / "page"
    there.mkdir()
    for path in (archive, Path(f"{archive}.sig"), work / "home-signer/.config/cerro/keys/release.pub"):
        shutil.copy(path, there)
    run(BUILD / "bin/ct", "pack", f"oci:{work / 'image'}", "-o", there / "hello.ctp", env={"HOME": str(work / "home-signer")})
    page = (ROOT / "man/ct-install.7").read_text()
    block = next(block for block in re.findall(r"^\.Bd [^\n]*\n(.*?)^\.Ed$", page, re.M | re.S) if block.startswith("openssl "))
    made = run("sh", "-ec", docs.plain(block).replace("0.1.0", VERSION), cwd=there, env={"HOME": str(work / "home-signer")})
    assert "Verified Successfully" in made.stdout and "is valid" in made.stdout


@pytest.mark.parametrize("kind", ["rsa", "encrypted", "missing"])
def test_what_cannot_sign(kind: str, archive: Path, work: Path) -> None:
    key = work / kind
    if kind == "rsa":
        run("openssl", "genpkey", "-algorithm", "rsa", "-out", key)
    elif kind == "encrypted":
        run("openssl", "genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:x", "-out", key)
    target = work / f"{kind}.tar.gz"
    target.write_bytes(b"archive")
    # No terminal to ask at.
    made = run(
        sys.executable, "-c", f"import dist; from pathlib import Path; dist.sign(Path({str(target)!r}), {str(key)!r})",
        status=1, env={"PYTHONPATH": str(ROOT / "lib")}, start_new_session=True,
    )  # fmt: skip
    assert "was not signed" in made.stderr and "hint: SIGN=" in made.stderr
    assert sorted(path.name for path in work.glob(f"*{kind}.tar.gz*")) == []


def offline() -> list[str]:
    """What runs a program without a network, where that can be had."""
    for wrap in (["unshare", "-n"], ["unshare", "-rn"]):
        if not subprocess.run([*wrap, "true"], capture_output=True, check=False).returncode:
            return wrap
    return []


def test_an_archive_needs_nothing(unpacked: Path, work: Path) -> None:
    before = snapshot(unpacked)
    works(unpacked, work, work / "home-dist", *offline())
    works(unpacked, work, work / "home-busybox", program("busybox"), "sh", dependencies=False)
    assert snapshot(unpacked) == before
    # From anywhere, by any name.
    env = {"HOME": str(work / "home-dist"), "PATH": f"{unpacked / 'bin'}:{PATH}"}
    (work / "bin").mkdir()
    (work / "bin/ct").symlink_to(unpacked / "bin/ct")
    run("ct", "verify", work / "home-dist/a.ctp", env=env)
    run(work / "bin/ct", "verify", work / "home-dist/a.ctp", env=env)
    moved = unpacked.rename(work / "moved archive")
    run(moved / "bin/ct", "verify", work / "home-dist/a.ctp", env=env)
    moved.rename(unpacked)


def test_across_the_gap(archive: Path, record_property: Callable[[str, object], None]) -> None:
    """What a site without a network does with this archive, and one of ten images: install, import, verify, explain, run, audit.

    podman's directories have a short name: it refuses others.
    """
    for name in ("podman", "runc", "unshare"):
        program(name)
    with tempfile.TemporaryDirectory(prefix="ct", dir="/tmp", ignore_cleanup_errors=True) as name:
        here, far = Path(name), Path(name) / "far"
        (here / "home").mkdir(mode=0o700)
        far.mkdir(mode=0o700)
        near = {"PATH": os.environ["PATH"], "HOME": str(here / "home"), "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": EPOCH}
        run(BUILD / "bin/ct", "keygen", "--no-password", "--id", "packer", env=near)
        key = json.loads(run(BUILD / "bin/ct", "key", "show", "packer", "--json", env=near).stdout)
        begun = time.monotonic()
        bundles, how = airgap.bundles(here, near)
        made = time.monotonic()
        sums = here / "sums"
        sums.write_text(run("sha256sum", *[path.name for path in bundles], cwd=here).stdout)
        carried = here / "stick.tar.zst"
        run(BUILD / "bin/ct", "export", "-k", "packer", "--include-keys", "-o", carried, *bundles, env=near)
        words = [archive, carried, key["fingerprint"], sums]
        podman = [f"{name}={value}" for name, value in docs.podman_environment(here / "podman").items()]
        alone = ["env", "-i", f"HOME={far}", f"PATH={PATH}:/usr/sbin:/sbin", "LC_ALL=C.UTF-8", *podman, *offline()]
        said = run(*alone, "sh", ROOT / "tests/airgap.sh", *words).stdout
        ended = time.monotonic()
    assert said.endswith("== all done\n") and "Imported 10 bundles" in said and "10 of 10 valid" in said
    record_property(
        "summary", f"across the gap: ten images ({how}) in {made - begun:.0f} s, over and there in {ended - made:.0f} s"
    )


def elsewhere(unpacked: Path, to: Path, old: str, new: str) -> Path:
    """A copy that was made for something else."""
    prefix = Path(shutil.copytree(unpacked, to / "prefix"))
    library = prefix / "lib/cerro-torre/cerrotorre"
    for path in (library / "built.py", *(prefix / "bin").glob("ct-*")):
        path.write_text(path.read_text().replace(old, new))
    for cached in (library / "__pycache__").glob("built.*"):
        cached.unlink()
    return prefix


@pytest.mark.parametrize(
    "old, new, why",
    [
        (f"python{MINOR}", "python3.99", "made for Python 3.99|which is not here"),
        (f"'{MINOR}'", "'3.99'", f"made for Python 3.99, and .* is {MINOR}"),
        (f"'{os.uname().machine}'", "'vax'", "made for vax, and this is "),
        ("'glibc ", "'glibc 9", "made for glibc 9.* or later, and this is glibc"),
        ("'glibc ", "'musl ", "made for musl .* the C library here is glibc"),
    ],
    ids=["absent", "python", "machine", "older", "libc"],
)
def test_on_the_wrong_host(old: str, new: str, why: str, unpacked: Path, tmp_path: Path) -> None:
    prefix = elsewhere(unpacked, tmp_path, old, new)
    env = {"PATH": PATH, "HOME": str(tmp_path)}
    if new == "python3.99":
        for path in (prefix / "bin").glob("ct-*"):
            path.write_text(path.read_text().replace(f"in {MINOR})", "in 3.99)"))
    for shell in ([], [program("busybox"), "sh"]):
        for command in (["ct", "verify", "x"], ["ct", "key", "list"], ["ct", "pack", "oci:x", "-o", "x"], ["ct-open", "x"]):
            made = run(*shell, prefix / "bin" / command[0], *command[1:], env=env, status=69)
            said = made.stderr.splitlines()
            assert made.stdout == "" and len(said) == 2, made.stderr
            assert re.match(f"{command[0]}: error: this ct was made for .*", said[0]) and re.search(why, said[0])
            assert said[1].startswith(f"{command[0]}: hint: ")
    assert not list(prefix.rglob("*.pyc.*")) and not (tmp_path / "x").exists()


def test_a_python_that_is_found_by_path(unpacked: Path, tmp_path: Path) -> None:
    """Where the usual places have none, PATH is searched; what is of another version, or no Python at all, is passed over."""
    prefix = Path(shutil.copytree(unpacked, tmp_path / "prefix"))
    for path in (prefix / "bin").glob("ct-*"):
        path.write_text(
            path.read_text()
            .replace("/usr/bin/python3", "/nowhere/python3")
            .replace("/usr/local/bin/python3", "/nowhere/python3")
        )
    (tmp_path / "other").mkdir()
    (tmp_path / "good").mkdir()
    stale = tmp_path / "other" / f"python{MINOR}"
    stale.write_text("#!/bin/sh\nexit 127\n")
    old = tmp_path / "other" / "python3"
    old.write_text("#!/bin/sh\necho 3.2\n")
    for path in (stale, old):
        path.chmod(0o755)
    shells = tmp_path / "shells"
    shells.mkdir()
    for name in ("sh", "env", "sed", "rm"):
        (shells / name).symlink_to(str(shutil.which(name)))
    env = {"PATH": f"{tmp_path / 'other'}:{shells}", "HOME": str(tmp_path)}
    made = run(prefix / "bin/ct", "verify", "x", env=env, status=69)
    assert f"which is not here, and {old} is 3.2" in made.stderr
    # What lies in the working directory is not run, not even to ask for its version.
    planted = tmp_path / "planted"
    planted.mkdir()
    (planted / "python3").write_text(f"#!/bin/sh\n: >{tmp_path}/ran\necho {MINOR}\n")
    (planted / "python3").chmod(0o755)
    for first in (".", ""):
        run(prefix / "bin/ct", "verify", "x", env=env | {"PATH": f"{first}:{shells}"}, cwd=planted, status=69)
    assert not (tmp_path / "ran").exists()
    (tmp_path / "good" / "python3").symlink_to(sys.executable)
    stale.unlink()
    old.unlink()
    env["PATH"] = f"{tmp_path / 'good'}:{shells}"
    run(prefix / "bin/ct", "verify", "x", env=env, status=11)


HERE = {"python": "3.11", "machine": "x86_64", "libc": "glibc 2.36"}


@pytest.mark.parametrize(
    "made, here, why",
    [
        ({}, {}, ""),
        ({"libc": "glibc 2.4"}, {}, ""),
        ({"libc": "glibc 2.36"}, {}, ""),
        ({"libc": "glibc 2.37"}, {}, "glibc 2.37 or later"),
        ({"libc": "glibc 2.100"}, {}, "glibc 2.100 or later"),
        ({}, {"libc": "glibc strange"}, "or later"),
        ({}, {"libc": ""}, "musl"),
        ({"libc": "musl 1.2"}, {"libc": ""}, ""),
        ({"libc": "musl 1.2"}, {}, "the C library here is glibc 2.36"),
        ({}, {"machine": "aarch64"}, "made for x86_64, and this is aarch64"),
        ({}, {"machine": "x86_64 (32-bit Python)"}, "32-bit"),
        ({}, {"python": "3.12"}, "made for Python 3.11"),
        ({}, {"python": "pypy 3.11"}, "is pypy 3.11"),
        ({"python": "3.13"}, {"python": "3.13t"}, "is 3.13t"),
    ],
)
def test_refusal(made: dict[str, str], here: dict[str, str], why: str) -> None:
    refused = host.refusal(HERE | made, HERE | here)
    assert (refused is None) == (not why)
    assert refused is None or why in refused[0]


def test_facts() -> None:
    facts = host.facts()
    assert facts["python"] == MINOR and facts["machine"] == os.uname().machine
    assert re.fullmatch(r"(glibc \d+\.\d+)?", facts["libc"])


@pytest.mark.parametrize("answer", [None, "", ValueError("unrecognized configuration name"), OSError(22, "Invalid argument")])
def test_a_libc_that_is_not_glibc(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def confstr(_: str) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(os, "confstr", confstr)
    assert host.facts()["libc"] == ""
    assert host.refusal(HERE | {"python": MINOR, "machine": os.uname().machine}, host.facts()) is not None


@pytest.mark.parametrize(
    "tags, needed",
    [
        (["cp38-abi3-manylinux_2_34_x86_64", "py3-none-any"], "glibc 2.34"),
        (["cp311-cp311-manylinux_2_17_x86_64 cp311-cp311-manylinux2014_x86_64", "cp311-cp311-manylinux1_x86_64"], "glibc 2.17"),
        (["cp311-cp311-manylinux_2_28_x86_64 cp311-cp311-manylinux_2_17_x86_64"], "glibc 2.17"),
        (["cp311-cp311-musllinux_1_2_x86_64"], "musl 1.2"),
        (["cp311-cp311-musllinux_1_2_x86_64", "cp311-cp311-manylinux1_x86_64"], None),
        (["cp311-cp311-manylinux1_x86_64", "cp311-cp311-manylinux1_i686"], None),
        (["cp311-cp311-macosx_11_0_arm64"], None),
        (["cp311-cp311-linux_x86_64"], None),
        (["py3-none-any"], None),
    ],
)
def test_what_wheels_need(tags: list[str], needed: str | None, tmp_path: Path) -> None:
    for number, wheel in enumerate(tags):
        (tmp_path / f"{number}.dist-info").mkdir()
        (tmp_path / f"{number}.dist-info/WHEEL").write_text("".join(f"Tag: {tag}\n" for tag in wheel.split()))
    if needed is None:
        with pytest.raises(SystemExit, match="error: "):
            dist.needs(tmp_path)
    else:
        assert dist.needs(tmp_path) == {"python": MINOR, "machine": "x86_64", "libc": needed}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(dist.lay, "ROOT", tmp_path)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    yield tmp_path


def test_the_time_in_an_archive(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dist.epoch() == 0
    env = {"GIT_COMMITTER_DATE": "1700000001 +0000", "HOME": str(repository), "GIT_CONFIG_NOSYSTEM": "1"}
    run("git", "init", "-q", repository, env=env)
    words = ("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "--allow-empty", "-m", "a")
    run("git", "-C", repository, *words, env=env)
    if os.geteuid() == 0:
        for path in (repository, *repository.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    assert dist.epoch() == 1700000001
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "5")
    assert dist.epoch() == 5
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(SystemExit, match="yesterday"):
        dist.epoch()
