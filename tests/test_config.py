"""config.toml: what it may say, and where it is looked for."""

import json
import re
import time
from pathlib import Path
from typing import Any

import config_texts
import pytest
from cerrotorre import config, configshow, places, settings, suites
from cerrotorre.errors import Fail
from cerrotorre.settings import SETTINGS
from conftest import ROOT
from hypothesis import given
from hypothesis import settings as settings_of_test
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

EMPTY: dict[str, Any] = {section: {} for section in ("defaults", "output", "registries", "crypto", "cache", "audit", "svalinn")}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o755)
    return made


def read(home: Path, text: str | bytes | None = None) -> Any:
    if text is not None:
        path = home / "config.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(0o644)
    return config.read({"CT_HOME": str(home)})


def refused(home: Path, text: str | bytes) -> dict[str, Any]:
    with pytest.raises(Fail) as caught:
        read(home, text)
    found = caught.value.finding
    assert (found["finding"], found["status"]) == ("config-malformed", 10)
    assert found["context"]["File"] == str(home / "config.toml")
    return found["context"]


def test_no_file_no_settings(home: Path) -> None:
    assert read(home) == EMPTY
    assert config.read({"CT_HOME": str(home / "missing")}) == EMPTY
    assert read(home, "") == EMPTY


def test_without_a_file_no_parser_is_imported(home: Path) -> None:
    import subprocess
    import sys

    code = "import sys; sys.path[:0] = sys.argv[1:]; from cerrotorre import config; config.read(); sys.exit('tomllib' in sys.modules)"
    subprocess.run(
        [sys.executable, "-c", code, str(Path(config.__file__).parent.parent)],
        env={"CT_HOME": str(home)},
        check=True,
        timeout=60,
    )


def test_everything(home: Path) -> None:
    text = """
        [defaults]
        policy = "strict.json"
        key = "cerro-dev-2026"
        [output]
        color = "never"
        [registries]
        insecure = ["localhost:5000", "*.internal"]
    """
    assert read(home, text) == {
        "defaults": {"policy": str(home / "strict.json"), "key": "cerro-dev-2026"},
        "output": {"color": "never"},
        "registries": {"insecure": ["localhost:5000", "*.internal"]},
        "crypto": {},
        "cache": {},
        "audit": {},
        "svalinn": {},
    }
    assert config.default_key({"CT_HOME": str(home)}) == "cerro-dev-2026"


def test_paths(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    for said, meant in (("/a/p.json", "/a/p.json"), ("~/p.json", "/home/someone/p.json"), ("sub/p.json", f"{home}/sub/p.json")):
        assert read(home, f'[defaults]\npolicy = "{said}"')["defaults"]["policy"] == meant


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[default]\n", "default"),
        ("color = 'never'\n", "color"),
        ("defaults = 1\n", "defaults"),
        ("[[registries]]\ninsecure = []\n", "registries"),
        ("[defaults]\npolcy = 'x'\n", "defaults.polcy"),
        ("[defaults]\npolicy = 1\n", "defaults.policy"),
        ("[defaults]\npolicy = ''\n", "defaults.policy"),
        ('[defaults]\npolicy = "a\\u0000b"\n', "defaults.policy"),
        ("[defaults]\nkey = ['a']\n", "defaults.key"),
        ("[defaults]\nkey = ''\n", "defaults.key"),
        ("[output]\ncolor = 'sometimes'\n", "output.color"),
        ("[output]\ncolor = true\n", "output.color"),
        ("[registries]\ninsecure = 'localhost'\n", "registries.insecure"),
        ("[registries]\ninsecure = ['a b']\n", "registries.insecure"),
        ("[registries]\ninsecure = ['host/path']\n", "registries.insecure"),
        ("[registries]\ninsecure = [1]\n", "registries.insecure"),
        ("[registries]\nrealms = ['*.example']\n", "registries.realms"),
        ("[registries]\nrealms = ['https://example']\n", "registries.realms"),
        ("[defaults]\nsuite = 'CT-SIG-05'\n", "defaults.suite"),
        ("[defaults]\nruntime = 'runc'\n", "defaults.runtime"),
        ("[output]\nformat = 'xml'\n", "output.format"),
        ("[crypto]\nml_dsa = 'openssl'\n", "crypto.ml_dsa"),
        ("[crypto]\nml_dsa = 'liboqs'\n", "crypto.liboqs"),
        ("[crypto]\nliboqs = 'lib/liboqs.so'\n", "crypto.liboqs"),
        ('[cache]\ndir = "a\\nb"\n', "cache.dir"),
    ],
)
def test_a_setting_that_is_none_is_an_error(home: Path, text: str, key: str) -> None:
    context = refused(home, text)
    assert context["Key"] == key and context["Expected"] and context["Found"]


@pytest.mark.parametrize("data", [b"[defaults", b"\xff", b"a = 1\na = 2", b"#" * ((64 << 10) + 1), b"a = " + b"[" * 20000])
def test_not_toml(home: Path, data: bytes) -> None:
    refused(home, data)


def test_a_config_that_others_can_write_is_refused(home: Path) -> None:
    read(home, "")
    for path, mode in ((home / "config.toml", 0o666), (home / "config.toml", 0o664), (home, 0o777)):
        before = path.stat().st_mode
        path.chmod(mode)
        with pytest.raises(Fail) as caught:
            read(home)
        assert (caught.value.finding["finding"], caught.value.finding["status"]) == ("store-unsafe", 13)
        path.chmod(before)


def test_a_config_that_is_no_file_is_refused(home: Path) -> None:
    (home / "config.toml").mkdir()
    with pytest.raises(Fail) as caught:
        read(home)
    assert caught.value.finding["status"] == 11


def test_where_it_lies() -> None:
    assert places.home_dir({"CT_HOME": "/a", "XDG_CONFIG_HOME": "/b", "HOME": "/c"}) == "/a"
    assert places.home_dir({"XDG_CONFIG_HOME": "/b", "HOME": "/c"}) == "/b/cerro"
    assert places.home_dir({"XDG_CONFIG_HOME": "b", "HOME": "/c"}) == "/c/.config/cerro"
    assert places.home_dir({"CT_HOME": "", "XDG_CONFIG_HOME": "", "HOME": "/c"}) == "/c/.config/cerro"
    assert places.home_dir({"CT_HOME": "a"}) == f"{Path.cwd()}/a"
    with pytest.raises(Fail):
        places.home_dir({"HOME": "c"})
    assert places.host_dir().endswith("/cerro")


def test_the_example_in_the_manual_is_valid(home: Path) -> None:
    page = (ROOT / "man" / "ct-config.5").read_text()
    [example] = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", page, re.DOTALL | re.MULTILINE)
    settings = read(home, example)
    assert all(settings.values())


def test_what_is_made_from_the_table_is_up_to_date() -> None:
    for path, make in config_texts.MADE.items():
        assert path.read_text() == make(), "python3 tests/config_texts.py --write"


def test_the_suites_are_the_registry_s() -> None:
    registered = json.loads((ROOT / "spec/crypto-suites.json").read_text())
    assert set(settings.SUITES) == set(registered["suites"]) and SETTINGS["defaults.suite"].default == registered["default"]


# -- mistakes ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "near"),
    [
        ("[default]\nkey = 'a'\n", 1, "[defaults]"),
        ("# mine\n\n[defaults]\npolcy = 'x'\n", 4, "[defaults] policy"),
        ("color = 'never'\n", 1, "[output] color"),
        ("[output]\ncolour = 'never'\n", 2, "[output] color"),
        ("[defaults]\ncolor = 'never'\n", 2, "[output] color"),
        ("[registry]\ninsecure = []\n", 1, "[registries]"),
        ("[output]\n'Color' = 'never'\n", 2, "[output] color"),
        ("output.colr = 'never'\n", 1, "[output] color"),
        ("output = {colr = 'never'}\n", 1, "[output] color"),
        ("[output]\ncolor = 'nevre'\n", 2, '"never"'),
        ("[cache]\nxyzzy = 1\n", 2, None),
    ],
)
def test_a_mistake_has_a_line_and_what_was_meant(home: Path, text: str, line: int, near: str | None) -> None:
    with pytest.raises(Fail) as caught:
        read(home, text)
    assert f", line {line}: " in str(caught.value) and caught.value.finding["context"]["Line"] == line
    assert str(caught.value).partition("did you mean ")[2] == (f"{near}?" if near else "")


def test_no_line_is_better_than_a_wrong_one(home: Path) -> None:
    context = refused(home, "[[output]]\n[[output]]\n")
    assert "Line" not in context


def test_a_line_is_looked_for_in_no_time(home: Path) -> None:
    begun = time.monotonic()
    for filler in (" " * 60000, "[" * 60000 + "]", "a" * 60000, "\n" * 60000):
        config._line(filler, "output.color")
        refused(home, f"# {filler}\n[output]\ncolour = 1\n")
    assert time.monotonic() - begun < 5


def test_every_mistake_is_found() -> None:
    text = "[defaults]\npolcy = 'x'\nkey = 1\n[outptu]\n[output]\ncolor = 'red'\n[registries]\ninsecure = ['a b', 'c']\n"
    found = config.wrong("c.toml", text.encode())
    assert [made["context"]["Key"] for made in found] == [
        "defaults.polcy",
        "defaults.key",
        "outptu",
        "output.color",
        "registries.insecure",
    ]
    assert [made["context"]["Line"] for made in found] == [2, 3, 4, 6, 8]


def test_files_that_are_named(home: Path) -> None:
    where = str(home / "config.toml")
    library = home / "liboqs.so"
    document: dict[str, Any] = {
        "crypto": {"liboqs": str(library)},
        "defaults": {"policy": "p.json"},
        "svalinn": {"logs": "l.json"},
    }
    unreadable = ["policy-unreadable", "file-unreadable", "file-unreadable"]
    assert [made["finding"] for made in config.check_named(where, document)] == unreadable
    (home / "p.json").write_text("")
    (home / "l.json").write_text("")
    library.write_text("")
    library.chmod(0o755)
    assert config.check_named(where, document) == []
    library.chmod(0o775)
    assert [made["finding"] for made in config.check_named(where, document)] == ["store-unsafe"]


DOUBTS = {
    "defaults.key": ({"defaults": {"key": "nobody"}}, "the key store holds no key 'nobody'"),
    "defaults.key, a file": ({"defaults": {"key": "/nowhere/x.key"}}, "there is no '/nowhere/x.key'"),
    "defaults.suite": ({"defaults": {"suite": "CT-SIG-02"}}, "[crypto] liboqs"),
    "registries.insecure": ({"registries": {"insecure": ["localhost:5000", "*"]}}, "every registry"),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_valid_settings_that_are_likely_not_meant(home: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("CT_HOME", str(home))
    (home / "config.toml").write_text('[crypto]\nml_dsa = "liboqs"\nliboqs = "/nowhere/liboqs.so"\n')
    # What other tests had chosen.
    monkeypatch.setattr(suites, "_ml_dsa", None)
    document, said = DOUBTS[name]
    made = configshow.doubts(document)
    assert [(one["finding"], one["status"]) for one in made] == [("setting-doubtful", 0)]
    assert made[0]["detail"].startswith(name.partition(",")[0]) and said in made[0]["detail"]
    fine = {"defaults": {"suite": "CT-SIG-01"}, "registries": {"insecure": ["localhost", "*.internal"]}}
    assert configshow.doubts(fine) == []


# -- the schema ----------------------------------------------------------------------------------------------------------------

SCHEMA = Draft202012Validator(json.loads(config_texts.SCHEMA.read_text()))
WORDS = st.sampled_from(
    [choice for setting in SETTINGS.values() for choice in setting.choices]
    + ["/a", "a", "", "*.x", "a:5", "a:", "a\n", "\n", "\x85", "ü", "x" * 256, "/" + "x" * 4096, "-a", "a-", "é:1", "a.b:65536"]
)
VALUES = st.one_of(WORDS, st.text(max_size=8), st.integers(), st.booleans(), st.lists(WORDS, max_size=3), st.just({}))
NAMES = st.sampled_from([setting.name for setting in SETTINGS.values()] + ["x"])
SECTION = st.sampled_from([setting.section for setting in SETTINGS.values()] + ["x"])
DOCUMENTS = st.dictionaries(SECTION, st.one_of(st.dictionaries(NAMES, VALUES, max_size=3), VALUES), max_size=3)
# Half of them of known names, so that many are valid.
KNOWN = st.lists(st.tuples(st.sampled_from(list(SETTINGS)), VALUES), max_size=3).map(
    lambda pairs: {
        section: {key.partition(".")[2]: value for key, value in pairs if key.startswith(section + ".")}
        for section in {key.partition(".")[0] for key, _ in pairs}
    }
)


@given(st.one_of(DOCUMENTS, KNOWN))
@settings_of_test(max_examples=600, deadline=None)
def test_reader_and_schema_are_one_language(document: dict[str, Any]) -> None:
    assert SCHEMA.is_valid(document) == (not list(settings.problems(document))), list(SCHEMA.iter_errors(document))


@pytest.mark.parametrize("key", SETTINGS)
@given(value=VALUES)
@settings_of_test(max_examples=60, deadline=None)
def test_each_setting_and_the_schema(key: str, value: Any) -> None:
    section, _, name = key.partition(".")
    document = {section: {name: value}}
    assert SCHEMA.is_valid(document) == (not list(settings.problems(document)))
