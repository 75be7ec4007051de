"""config.toml: what it may say, and where it is looked for."""

import re
from pathlib import Path
from typing import Any

import pytest
from cerrotorre import config, places
from cerrotorre.errors import Fail
from conftest import ROOT

EMPTY: dict[str, Any] = {"defaults": {}, "output": {}, "registries": {}}


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
    documented = set(re.findall(r"^\.It Cm \[(\w+)\] (\w+)$", page, re.MULTILINE))
    assert documented == {(section, key) for section, keys in config._SETTINGS.items() for key in keys}
