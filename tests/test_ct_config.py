"""`ct config`: what it shows, what it finds, and that a change changes nothing else. And what the settings do to other commands."""

import json
import os
import re
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cerrotorre import commandline, config, configedit
from cerrotorre.errors import Fail
from cerrotorre.settings import SETTINGS
from console import Console
from images import Layout, single
from small import BIN, environment, pair, run, tool

VALUES: dict[str, Any] = {
    "defaults.policy": "~/strict policy.json",
    "defaults.key": 'it\'s "ü"',
    "defaults.suite": "CT-SIG-01",
    "defaults.runtime": "docker",
    "output.format": "json",
    "output.color": "always",
    "registries.insecure": ["localhost", "*.internal:5000"],
    "registries.realms": ["auth.example"],
    "crypto.ml_dsa": "auto",
    "cache.dir": "/srv/c",
    "audit.dir": "/srv/log",
    "svalinn.repository": "registry.internal:5000/images/",
    "svalinn.url": "https://svalinn.example/gate",
    "svalinn.logs": "~/logs.json",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    monkeypatch.setenv("CT_HOME", str(made))
    for name in ("CT_POLICY", "CT_COLOR", "CT_FORMAT", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return made


def ct(home: Path, *words: object, status: int = 0, **more: str) -> subprocess.CompletedProcess[Any]:
    return tool("ct", *words, env=environment(home, **more), status=status, cwd=home)


def write(home: Path, text: str) -> Path:
    path = home / "config.toml"
    path.write_bytes(text.encode())
    path.chmod(0o644)
    return path


# -- show, check, path -----------------------------------------------------------------------------------------------------------


def shown(home: Path, **more: str) -> dict[str, tuple[Any, str, str | None]]:
    lines = map(json.loads, ct(home, "config", "show", "--json", **more).stdout.splitlines())
    return {one["setting"]: (one["value"], one["from"], one["variable"]) for one in lines}


def test_show(home: Path) -> None:
    made = shown(home)
    assert list(made) == list(SETTINGS)
    assert made["defaults.policy"] == (str(home / "policy.json"), "default", None)
    assert made["defaults.key"] == (None, "default", None)
    pair(home, "alice")
    assert shown(home)["defaults.key"] == ("alice", "default", None)
    write(home, '[defaults]\npolicy = "p.json"\n[output]\ncolor = "always"\nformat = "text"\n')
    made = shown(home)
    assert made["defaults.policy"] == (str(home / "p.json"), "file", None)
    assert made["output.color"] == ("always", "file", None)
    made = shown(home, CT_POLICY="x", NO_COLOR="1", CT_FORMAT="json")
    assert made["defaults.policy"] == ("x", "environment", "CT_POLICY")
    assert made["output.color"] == ("never", "environment", "NO_COLOR")
    assert made["output.format"] == ("json", "environment", "CT_FORMAT")
    assert made["svalinn.url"] == ("http://127.0.0.1:8000", "default", None)
    assert shown(home, SVALINN_ENDPOINT="http://[::1]:1")["svalinn.url"] == (
        "http://[::1]:1",
        "environment",
        "SVALINN_ENDPOINT",
    )
    lines = map(json.loads, ct(home, "--color=auto", "config", "show", "--json").stdout.splitlines())
    assert [(one["value"], one["variable"]) for one in lines if one["setting"] == "output.color"] == [("auto", "CT_COLOR")]


def test_path(home: Path) -> None:
    assert ct(home, "config", "path").stdout == f"{home}/config.toml\n"


def test_check(home: Path) -> None:
    assert "no file" in ct(home, "config", "check").stdout
    write(home, "[output]\ncolor = 'never'\n")
    assert ct(home, "config", "check").stdout.endswith("config.toml: no mistake\n")
    write(home, "[outptu]\n[output]\nfromat = 'json'\ncolor = 1\n")
    made = ct(home, "config", "check", status=10)
    assert made.stdout == "" and len(made.stderr.splitlines()) == 3
    assert "line 1: outptu: " in made.stderr and "did you mean [output]?" in made.stderr
    assert "line 3: output.fromat: " in made.stderr and "did you mean [output] format?" in made.stderr
    assert "line 4: output.color: 1 instead of one of auto, always, never" in made.stderr
    made = ct(home, "config", "check", "--json", status=10)
    assert [json.loads(line)["context"]["Key"] for line in made.stdout.splitlines()] == [
        "outptu",
        "output.fromat",
        "output.color",
    ]
    assert made.stderr == ""
    assert ct(home, "--format=json", "config", "check", status=10).stdout == made.stdout
    # Without a TOML there is nothing to list.
    write(home, "[output\n")
    assert "at line 1" in ct(home, "config", "check", status=10).stderr
    write(home, "[defaults]\npolicy = 'nowhere.json'\n")
    assert "nowhere.json" in ct(home, "config", "check", status=11).stderr
    write(home, "[defaults]\nkey = 'nobody'\n")
    assert "note: defaults.key: " in ct(home, "config", "check").stderr
    # Whoever typed no key learns who named this one.
    (home / "x").mkdir()
    made = ct(home, "sign", "x", status=13)
    assert "Named by" in made.stderr and "[defaults] key in config.toml" in made.stderr


def test_check_another_file(home: Path) -> None:
    write(home, "[output]\nformat = 'xml'\n")
    (home / "new.toml").write_text("[defaults]\npolicy = 'elsewhere.json'\n")
    assert ct(home, "config", "check", "new.toml").stdout == "new.toml: no mistake\n"
    ct(home, "config", "check", "absent.toml", status=11)
    ct(home, "config", "check", ".", status=11)


# -- set and unset -----------------------------------------------------------------------------------------------------------------

LAYOUTS = {
    "none": "",
    "comment": "# Ours.\n",
    "full": """# The host's settings.   ✓

[defaults]            # what is not said otherwise
  policy = 'strict.json'   # by the security team
key="a"

# How it looks.
[output]
color   =   "auto" # mine
format = "text"

[registries]
insecure = [
    "localhost",  # this one
    "b",
]
# The end.
""",
    "no newline at the end": '[output]\ncolor = "auto"',
    "no newline after a comment": '[output]\ncolor = "auto"\n# end',
    "carriage returns": '[output]\r\ncolor = "auto"\r\n\r\n[cache]\r\n# here\r\ndir = "x"\r\n',
    "dotted": 'output.color = "auto"\n# between\noutput.format = "text"\ndefaults.key = "a"\n',
    "inline": 'output = { color = "auto" } # inline\ndefaults = {}\n',
    "quoted": '["output"]\n"color" = "auto" # q\n[ defaults ]\n\'key\' = "a"\n',
    "empty sections": "[cache]\n\n[crypto]\n\n\n[output]\n# nothing\n",
    "long strings": '[defaults]\nkey = """\\\n  a"""\n# [output]\n# color = "x"\n',
}


@pytest.mark.parametrize("key", VALUES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_change_changes_nothing_else(home: Path, layout: str, key: str) -> None:
    before = LAYOUTS[layout]
    path = write(home, before)
    old = tomllib.loads(before)
    section, _, name = key.partition(".")
    for value in (VALUES[key], None):
        changed = configedit.change(key, value)
        after = path.read_bytes().decode()
        wanted = {**old, section: {**old.get(section, {}), name: value}}
        if value is None:
            del wanted[section][name]
        empty = {one: {} for one in wanted if not wanted[one]}
        assert {**empty, **tomllib.loads(after)} == wanted
        assert changed == (after != before) or value is None
        mine = re.compile(rf"\s*['\"]?(?:{section}\.)?{name}['\"]?\s*=|{section} = {{")
        kept = [line for line in before.splitlines() if line.strip() and not mine.match(line)]
        if key == "registries.insecure":
            kept = [line for line in kept if '"localhost"' not in line and line.strip() not in ('"b",', "]")]
        if key == "defaults.key":
            kept = [line for line in kept if line != '  a"""']
        left = iter(after.splitlines())
        assert all(line in left for line in kept), f"{kept}\n{after}"
        if value is not None and " # mine" in before and key == "output.color":
            assert 'color   =   "always" # mine\n' in after
    assert not list(home.glob(".*"))


def test_set_and_unset(home: Path) -> None:
    home.chmod(0o755)
    made = ct(home, "config", "set", "output.color", "never")
    assert made.stdout.startswith("output.color = never")
    assert (home / "config.toml").read_text() == '[output]\ncolor = "never"\n'
    ct(home, "config", "set", "registries.insecure", "localhost", "a:5000", "localhost")
    assert config.read()["registries"]["insecure"] == ["localhost", "a:5000"]
    ct(home, "config", "unset", "registries.insecure")
    assert "registries.insecure was not set" in ct(home, "config", "unset", "registries.insecure").stdout
    assert "did you mean output.color?" in ct(home, "config", "unset", "output.colour").stdout
    assert config.read()["output"] == {"color": "never"} and config.read()["registries"] == {}
    made = ct(home, "config", "set", "defaults.policy", "strict.json")
    assert f"defaults.policy = {home}/strict.json" in made.stdout and "note: " in made.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["output.colour", "never"], "did you mean output.color?"),
        (["color", "never"], "did you mean output.color?"),
        (["outptu", "never"], "did you mean output?"),
        (["output.color", "red"], "one of auto, always, never"),
        (["output.color", "auto", "never"], "one value, not 2"),
        (["registries.insecure", "a b"], "a host pattern"),
        (["registries.realms", "*.example"], "HOST:PORT"),
        (["crypto.liboqs", "liboqs.so"], "an absolute path"),
        (["cache.dir", ""], "a path"),
        (["cache.dir", "a\nb"], "a path"),
        (["output.color"], ""),
        ([], ""),
    ],
)
def test_what_cannot_be_set_changes_nothing(home: Path, words: list[str], said: str) -> None:
    path = write(home, '[output]\ncolor = "auto"\n')
    before = path.stat()
    made = ct(home, "config", "set", *words, status=64)
    assert said in made.stderr and made.stdout == ""
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)
    # Of several subcommands, the usage of the one that was meant.
    assert (
        made.stderr.count("usage:") == 1
        and "set KEY VALUE..." in made.stderr
        and "unset" not in made.stderr.partition("usage:")[2]
    )


def test_a_change_that_would_be_invalid_is_refused(home: Path) -> None:
    path = write(home, "[outptu]\ncolor = 'never'\n")
    before = path.read_bytes()
    assert "did you mean [output]?" in ct(home, "config", "set", "output.color", "auto", status=10).stderr
    assert path.read_bytes() == before
    ct(home, "config", "unset", "outptu.color", status=10)
    assert path.read_bytes() == before
    # What is wrong can be removed.
    ct(home, "config", "unset", "outptu")
    assert path.read_text() == ""
    ct(home, "config", "set", "crypto.ml_dsa", "liboqs", status=10)
    write(home, "output = 1\n")
    ct(home, "config", "set", "output.color", "auto", status=10)
    write(home, "[output\n")
    ct(home, "config", "set", "output.color", "auto", status=10)
    write(home, "#" * (64 << 10))
    ct(home, "config", "set", "output.color", "auto", status=10)
    assert (home / "config.toml").read_text() == "#" * (64 << 10)


def test_a_library_must_be_safe(home: Path) -> None:
    library = home / "liboqs.so"
    ct(home, "config", "set", "crypto.liboqs", library, status=11)
    library.write_text("")
    library.chmod(0o777)
    ct(home, "config", "set", "crypto.liboqs", library, status=13)
    assert not (home / "config.toml").exists()
    library.chmod(0o755)
    ct(home, "config", "set", "crypto.liboqs", library)
    ct(home, "config", "set", "crypto.ml_dsa", "liboqs")
    library.chmod(0o777)
    ct(home, "config", "check", status=13)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask, made", [(0o022, 0o644), (0o077, 0o600), (0o000, 0o644), (0o002, 0o644)])
def test_modes(tmp_path: Path, mask: int, made: int) -> None:
    env = {**environment(tmp_path), "CT_HOME": str(tmp_path / "a" / "b")}
    run("sh", "-c", f"umask {mask:o}; exec {BIN}/ct config set output.color never", env=env)
    path = tmp_path / "a" / "b" / "config.toml"
    assert (mode(path), mode(path.parent), mode(path.parent.parent)) == (made, 0o700, 0o700)
    path.chmod(0o640)
    run("sh", "-c", f"umask {mask:o}; exec {BIN}/ct config set output.color auto", env=env)
    assert mode(path) == 0o640 and "auto" in path.read_text()


def test_what_others_can_write_is_not_changed(home: Path) -> None:
    path = write(home, "")
    path.chmod(0o664)
    ct(home, "config", "set", "output.color", "never", status=13)
    path.chmod(0o644)
    home.chmod(0o777)
    ct(home, "config", "set", "output.color", "never", status=13)
    assert path.read_text() == ""


def test_a_link_is_written_through(home: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles"
    kept.mkdir(mode=0o700)
    (kept / "ct.toml").write_text("# kept\n")
    (home / "config.toml").symlink_to(kept / "ct.toml")
    ct(home, "config", "set", "output.color", "never")
    assert (home / "config.toml").is_symlink()
    assert (kept / "ct.toml").read_text() == '# kept\n\n[output]\ncolor = "never"\n'
    (kept / "ct.toml").unlink()
    ct(home, "config", "set", "output.color", "never", status=11)


def test_another_user_chooses_no_file_that_is_changed(home: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a link away")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (tmp_path / "other.toml").write_text("")
    (theirs / "config.toml").symlink_to(tmp_path / "other.toml")
    (home / "config.toml").symlink_to(theirs / "config.toml")
    os.lchown(theirs / "config.toml", 12345, 12345)
    os.chown(theirs, 12345, 12345)
    ct(home, "config", "set", "registries.insecure", "a.example", status=13)
    assert (tmp_path / "other.toml").read_text() == ""


def test_what_somebody_else_writes_meanwhile_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edited = configedit._edited
    for before in ("", None):
        path = home / "config.toml"
        path.unlink(missing_ok=True)
        if before is not None:
            write(home, before)

        def meanwhile(*given: Any) -> Any:
            write(home, "# an editor's\n")
            return edited(*given)

        monkeypatch.setattr(configedit, "_edited", meanwhile)
        with pytest.raises(Fail) as caught:
            configedit.change("output.color", "never")
        assert caught.value.finding["finding"] == "file-changed" and path.read_text() == "# an editor's\n"


def test_an_editor_that_errs_is_not_believed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "[output]\ncolor = 'auto'\n")
    for wrong in (b"[output]\ncolor = 'always'\n", b"", b"[output]\ncolor = 'never'\nformat = 'json'\n", None):
        monkeypatch.setattr(configedit, "_edited", lambda *_, wrong=wrong: wrong)
        with pytest.raises(Fail) as caught:
            configedit.change("output.color", "never")
        assert caught.value.finding["status"] == 70
    assert (home / "config.toml").read_text() == "[output]\ncolor = 'auto'\n"


def test_changes_at_once_are_all_made(home: Path) -> None:
    wanted = {"output.color": "never", "output.format": "text", "defaults.key": "a", "defaults.runtime": "podman"}
    write(home, "# all\n")
    begun = [
        subprocess.Popen([BIN / "ct", "config", "set", key, value], env=environment(home), stdout=subprocess.DEVNULL)
        for key, value in wanted.items()
    ]
    assert [process.wait(60) for process in begun] == [0] * len(begun)
    settings = config.read()
    assert {key: settings[SETTINGS[key].section][SETTINGS[key].name] for key in wanted} == wanted


# -- what the settings do ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("bundled")
    (base / "home").mkdir(mode=0o700)
    pair(base / "home", "alice")
    layout = Layout(base / "image")
    single(layout)
    tool("ct", "pack", "-o", base / "x.ctp", f"oci:{layout.directory}:1.0", env=environment(base / "home"))
    return base


@pytest.fixture
def place(bundled: Path) -> Path:
    """A home with a key, beside an image and a bundle."""
    (bundled / "home" / "config.toml").unlink(missing_ok=True)
    return bundled


def is_json(text: str) -> bool:
    try:
        return bool([json.loads(line) for line in text.splitlines()])
    except ValueError:
        return False


COMMANDS = {
    "verify": ["verify", "../x.ctp"],
    "explain": ["explain", "../x.ctp"],
    "a finding": ["explain", "signer-untrusted"],
    "pack": ["pack", "-o", "../y.ctp", "oci:../image:1.0"],
    "key": ["key", "list"],
    "config": ["config", "show"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_output_format(place: Path, name: str) -> None:
    home, words = place / "home", COMMANDS[name]
    assert not is_json(ct(home, *words).stdout)
    assert is_json(ct(home, "--format=json", *words).stdout)
    assert is_json(ct(home, *words, "--format=json").stdout)
    assert is_json(ct(home, *words, CT_FORMAT="json").stdout)
    ct(home, "config", "set", "output.format", "json")
    configured = ct(home, *words).stdout
    assert is_json(configured)
    assert is_json(ct(home, *words, "--json").stdout)
    assert not is_json(ct(home, "--format=text", *words).stdout)
    assert not is_json(ct(home, *words, CT_FORMAT="text").stdout)


def test_tools_by_themselves_write_text(place: Path) -> None:
    home = place / "home"
    ct(home, "config", "set", "output.format", "json")
    assert tool("ct-key", "list", env=environment(home)).stdout.startswith("ID ")
    assert is_json(tool("ct-key", "list", env=environment(home, CT_FORMAT="json")).stdout)
    canonical = run(BIN / "ct-canon", input='a = "b"\n', env=environment(home, CT_FORMAT="json"))
    assert canonical.stdout == 'a = "b"\n'


def test_nothing_more_is_started_to_learn_the_format(place: Path, tmp_path: Path) -> None:
    """The programs that `ct verify` starts are its five tools, with a configuration and without."""
    (tmp_path / "lib").symlink_to(BIN.parent / "lib")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ct").write_bytes((BIN / "ct").read_bytes())
    for name in BIN.glob("ct-*"):
        (tmp_path / "bin" / name.name).write_text(f'#!/bin/sh\necho {name.name} >>{tmp_path}/started\nexec {name} "$@"\n')
    for path in (tmp_path / "bin").iterdir():
        path.chmod(0o755)
    for configured in (False, True):
        if configured:
            ct(place / "home", "config", "set", "output.format", "json")
        made = run(tmp_path / "bin" / "ct", "verify", place / "x.ctp", env=environment(place / "home"))
        assert made.returncode == 0 and is_json(made.stdout) == configured
        started = (tmp_path / "started").read_text().split()
        (tmp_path / "started").unlink()
        assert sorted(started) == ["ct-check", "ct-explain", "ct-hash", "ct-open", "ct-policy"]


def test_a_format_that_is_none(place: Path) -> None:
    assert "CT_FORMAT is text or json, not xml" in ct(place / "home", "key", "list", CT_FORMAT="xml", status=64).stderr
    ct(place / "home", "verify", "--format=xml", "../x.ctp", status=64)


def test_a_mistake_in_the_settings_stops_what_asks_them(place: Path) -> None:
    write(place / "home", "[output]\nfromat = 'json'\n")
    made = ct(place / "home", "key", "list", status=10)
    assert "did you mean [output] format?" in made.stderr and "ct config check" in made.stderr


def test_the_suite_of_a_new_key(home: Path) -> None:
    ct(home, "config", "set", "defaults.suite", "CT-SIG-02")
    assert "CT-SIG-02 (ed25519, ml-dsa-87)" in ct(home, "keygen", "--id", "a", "--no-password").stdout
    assert "CT-SIG-01 (ed25519)" in ct(home, "keygen", "--id", "b", "--no-password", "--suite", "CT-SIG-01").stdout
    # What cannot be made says who asked for it.
    with (home / "config.toml").open("a") as file:
        file.write('[crypto]\nml_dsa = "liboqs"\nliboqs = "/nowhere/liboqs.so"\n')
    made = ct(home, "keygen", "--id", "c", "--no-password", status=69).stderr
    assert "[crypto] liboqs in config.toml: '/nowhere/liboqs.so': it is not there" in made
    assert "Named by: [defaults] suite in config.toml" in made
    named = ct(home, "keygen", "--id", "c", "--no-password", "--suite", "CT-SIG-06", status=69).stderr
    assert "Named by" not in named and "CT-SIG-06" in named
    ct(home, "keygen", "--id", "c", "--no-password", "--suite", "CT-SIG-04")


# -- small things that people meet ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said", "unsaid"),
    [
        (["key", "show"], "usage: ct-key show ID [--json]\n", "generate"),
        (["key", "import", "--trsut", "x"], "usage: ct-key import FILE|URL ", "generate"),
        (["key", "generate", "x"], "--passphrase-fd N] [--passphrase-file FILE] [--json]\n", "ct-key list"),
        (["policy", "add-signer"], "usage: ct-policy-edit add-signer ", "init"),
        (["policy", "--policy", "x", "add-registry"], "usage: ct-policy-edit add-registry ", "init"),
        (["key", "no-such"], "usage: ct-key generate ", "\x00"),
        (["key"], "       ct-key default [ID]\n", "\x00"),
    ],
)
def test_a_mistake_shows_the_usage_that_was_meant(home: Path, words: list[str], said: str, unsaid: str) -> None:
    errors = ct(home, *words, status=64).stderr
    assert said in errors and unsaid not in errors.partition("usage:")[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "a subcommand is missing\n"),
        (["{0}x"], "no subcommand '{0}x'; did you mean {0}?\n"),
        (["\u00a7"], "no subcommand '\u00a7'\n"),
        (["{0}", "--policy-of"], "unknown option --policy-of\n"),
        (["{0}", "{other}"], "{0} takes no {other}\n"),
        (["{other}", "{0}"], "{0} takes no {other}\n"),
        (["{0}", "a", "b"], "{0}: unexpected operand 'b'\n"),
        (["{0}", "--", "a", "-b"], "{0}: unexpected operand '-b'\n"),
        (["{0}"], "{0}: an operand is missing\n"),
    ],
)
@pytest.mark.parametrize(
    ("tool", "name", "other"), [("key", "trust", "-v"), ("policy", "add-registry", "--yes"), ("config", "unset", "--json")]
)
def test_every_tool_with_subcommands_says_a_mistake_alike(
    home: Path, tool: str, name: str, other: str, words: list[str], said: str
) -> None:
    errors = ct(home, tool, *[word.format(name, other=other) for word in words], status=64).stderr
    assert ": error: " + said.format(name, other=other) in errors, errors
    assert errors.count("usage:") == 1


def test_options_of_subcommands() -> None:
    commands: dict[str, commandline.Subcommand] = {
        "list": (len, "v json", 0, 0),
        "export": (max, "o= output= public", 1, 2),
        "set": (min, "", 2, 1000),
    }
    assert commandline.subcommand(["list", "-v"], commands) == (len, {"v": ""}, [])
    # Before, between and after; what follows an option that takes a value is its value, whatever it looks like.
    for argv in (["-o", "list", "export", "--public", "a", "b"], ["export", "a", "-olist", "b", "--public"]):
        assert commandline.subcommand(argv, commands) == (max, {"o": "list", "public": ""}, ["a", "b"])
    assert commandline.subcommand(["export", "--output=x", "--", "--public"], commands) == (max, {"output": "x"}, ["--public"])
    assert commandline.subcommand(["set", *"abc"], commands) == (min, {}, ["a", "b", "c"])


def test_the_synopsis_of_every_subcommand() -> None:
    usage = "usage: t one [--a]\n             [--b]\n       t two\n       t one --other\n\nText.\n"
    assert commandline.synopsis(usage, []) == usage.partition("\n\n")[0] + "\n"
    assert commandline.synopsis(usage, ["-x", "two"]) == "usage: t two\n"
    assert commandline.synopsis(usage, ["one"]) == "usage: t one [--a]\n             [--b]\n       t one --other\n"


def test_fingerprints_of_keys(place: Path) -> None:
    home = place / "home"
    [key] = map(json.loads, ct(home, "key", "list", "--json").stdout.splitlines())
    assert key["fingerprint"].startswith("SHA256:")
    head, row = ct(home, "key", "list", "-v").stdout.splitlines()
    assert head.split()[-1] == "FINGERPRINT" and row.split()[-1] == key["fingerprint"]
    assert head.index("FINGERPRINT") == row.index("SHA256:")
    assert "SHA256:" not in ct(home, "key", "list").stdout


def test_the_short_form_of_policy(place: Path) -> None:
    home = place / "home"
    (place / "none.json").write_text('{"version":"1","signers":{"allowed":[]}}')
    for words in (["-p", "../none.json"], ["-p../none.json"], ["--policy", "../none.json"]):
        ct(home, "verify", *words, "../x.ctp", status=3)
        ct(home, "verify", "../x.ctp", *words, status=3)
        assert "none.json" in ct(home, "explain", "--json", *words, "../x.ctp").stdout
    ct(home, "verify", "../x.ctp", "-p", status=64)
    ct(home, "verify", "-p", "", "../x.ctp", status=64)
    assert re.search("Bundle: +-p\n", ct(home, "verify", "--", "-p", status=11).stdout)


def test_what_stands_on_standard_input_is_called_that(place: Path) -> None:
    home, data = place / "home", (place / "x.ctp").read_bytes()
    made = tool("ct", "verify", "-", env=environment(home), input=data)
    assert b"standard input is valid" in made.stdout
    made = tool("ct", "explain", "-", env=environment(home), input=data)
    assert made.stdout.startswith(b"Bundle: standard input\n")
    made = tool("ct", "verify", "-", env=environment(home), input=data[:5000], status=10)
    assert re.search(rb"Bundle: +standard input\n", made.stdout)
    made = tool("ct", "verify", "--json", "-", env=environment(home), input=data)
    assert json.loads(made.stdout)["bundle"] == "-"


def test_an_answer_that_is_none_is_asked_for_again(home: Path) -> None:
    pair(home, "alice")
    pair(home, "bob")
    answers = [
        ("Whose signatures", "maybe\n"),
        ("No trusted key: maybe", "alcie\n"),
        ("did you mean alice?", "1, bob\n"),
        ("How many of these 2", "3\n"),
        ("A number from 1 to 2.", "2\n"),
        ("From which registries", "docker.io/* a;b {c}\n"),
        ("these: a;b, {c}", "docker.io/*\n"),
        ("an SBOM", "perhaps\n"),
        ("Answer y or n.", "\n"),
        ("How many days", "-1\n"),
        ("A number of days", "\n"),
    ]
    with Console(BIN / "ct", "policy", "init", env=environment(home), cwd=home) as at:
        assert at.converse(*answers) == 0, at.text()
    policy = json.loads((home / "policy.json").read_text())
    assert [entry["key_id"] for entry in policy["signers"]["allowed"]] == ["alice", "bob"]
    assert policy["signers"]["threshold"] == 2 and policy.keys() == {"version", "default_action", "signers", "registries"}
    assert policy["registries"] == {"allowed": ["docker.io/*"]}
