"""Which way imports run, who touches the outside, and what each tool loads (spec/records.adoc, "The library").

errors <- pure <- one format or rule each <- disk, network <- stream, by tools alone
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import docs
import pytest
from conftest import ROOT
from images import Layout, single
from small import BIN, environment, pair, run, tool

SOURCES = {path.stem: path for path in sorted((ROOT / "lib" / "cerrotorre").glob("*.py")) if path.stem != "__init__"}
TOOLS = {path.name: path for path in sorted((ROOT / "tools").glob("ct-*")) if not docs.is_shell(path.name)}

# The layers, lowest first. Within a layer imports may not run in a circle.
LAYERS = (
    {"typed"},
    {"errors"},
    # bytes <-> values, strict, pure
    {
        "b64", "canon", "canonread", "codepoints", "commandline", "compressed", "digest", "glob", "jsonedit", "jsonic", "layertar", "records", "reference", "schema", "tarball",
        "text", "times", "tomltext", "yamlread",
    },
    # one page of the specification each, pure
    {
        "bundlemanifest", "case", "counted", "custody", "decision", "dsse", "ed448", "expect", "exportindex", "exportsigned", "foreign", "gaterequest", "imagelist", "keyfile",
        "keyset", "locked", "loginclusion", "manifest", "mldsa", "oci", "platforms", "policy", "policycheck", "policylint", "policyplaces", "policyread", "policyremove",
        "policysay", "predicate", "privatekey", "rotation", "runtimewords", "settings", "signatures", "signers", "statement", "suites",
    },
    # touch disk, processes, networks, terminals
    {
        "alone", "assemble", "attached", "attachedbundle", "attest", "auditkeep", "auditread", "bearer", "built", "bundle", "compressing", "config", "configedit", "content",
        "contentstore", "cosigned", "credentials", "deadline", "destination", "distribution", "exportfiles", "exportgather", "exporting", "exportkeys", "exportread",
        "exportwrite", "external", "failures", "fileowners", "filestore", "gateway", "gathering", "gitprogram", "gitstore", "host", "imagearchive", "images", "importing",
        "incoming", "interrupt", "keeping", "keychange", "keyfetch", "keyrewrap", "keyrotate", "keystore", "layers", "layout", "liboqs", "mirrored", "mirrors", "newfile",
        "objectcredentials", "objectpush", "objects", "objectstore", "ociarchive", "origin", "owned", "packing", "partial", "passedon", "passphrase", "places", "podman", "policyadd",
        "policyask", "policyedit", "policyfile", "pools", "pulling", "pushblobs", "pushimage", "pushing", "receiving", "recorded", "rederive", "referrers", "referrertag",
        "remote", "rootfs", "roottree", "runtimes", "served", "session", "signing", "sinks", "skopeo", "sources", "staging", "terminal", "transport", "trustmembers", "unpacking",
        "urls", "vouch",
    },
    # what people read
    {
        "audit", "catalogue", "chosen", "configshow", "diagnosis", "doctor", "doctorbundles", "doctorclock", "doctorcrypto", "doctorfix", "doctorinstall", "doctorkeys",
        "doctorprograms", "doctorregistries", "doctorreport", "doctorsettings", "doctorsetup", "explain", "exported", "fetched", "imported", "keycommands", "keyreport",
        "palette", "policycommand", "policyreport", "progress", "pushed", "report", "svalinn", "transfers", "unpacked", "writing", "written",
    },
    {"stream"},
)  # fmt: skip
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}

# Costly at start-up, so loaded only by what uses them, there and then.
HEAVY = {
    "tomllib",
    "jsonschema",
    "nacl",
    "cbor2",
    "argon2",
    "tqdm",
    "tomlkit",
    "urllib3",
    "obstore",
    "cryptography",
    "ctypes",
    "datetime",
    "unicodedata",
    "difflib",
    "yaml",
    "zstandard",
}
# Python's way of saying which modules a program loaded.
IMPORTED = re.compile(r"^import time:\s+\d+ \|\s+\d+ \|\s*(\S+)$", re.M)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imported(nodes: Iterator[ast.AST] | list[ast.stmt]) -> set[str]:
    """The names of modules that these nodes import; those of the library with their prefix."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "no relative imports"
            names |= {f"cerrotorre.{alias.name}" for alias in node.names} if node.module == "cerrotorre" else {str(node.module)}
    return names


def ours(path: Path) -> set[str]:
    """The modules of the library that a file imports anywhere."""
    names = {name.split(".")[1] for name in imported(ast.walk(tree(path))) if name.startswith("cerrotorre.")}
    return names & SOURCES.keys()


def test_every_module_has_a_layer() -> None:
    assert SOURCES.keys() | {"built"} == LAYER.keys() | {"built"}


@pytest.mark.parametrize("name", SOURCES)
def test_imports_run_one_way(name: str) -> None:
    assert {other for other in ours(SOURCES[name]) if LAYER[other] > LAYER[name]} == set()
    assert "stream" not in ours(SOURCES[name])


def test_errors_imports_nothing_of_ours() -> None:
    assert ours(SOURCES["errors"]) == {"typed"} and ours(SOURCES["typed"]) == set()


def test_no_circles() -> None:
    graph = {name: ours(path) for name, path in SOURCES.items()}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"a circle: {' -> '.join((*above, name))}"
        if name not in done:
            for other in graph[name]:
                visit(other, (*above, name))
            done.add(name)

    for name in graph:
        visit(name, ())


# Asked for a terminal only, so that a bar can be drawn there.
PROGRESS = {("progress", "sys.stderr")}


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "stream"])
def test_only_stream_touches_the_outside(name: str) -> None:
    """Nothing but stream touches argv, standard streams or exit."""
    touched = set()
    for node in ast.walk(tree(SOURCES[name])):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            whole = f"{node.value.id}.{node.attr}"
            if whole in (
                "sys.argv",
                "sys.stdin",
                "sys.stdout",
                "sys.stderr",
                "sys.exit",
                "os._exit",
                "os.abort",
                "sys.__stdout__",
            ):
                touched.add((name, whole))
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("print", "input", "exit", "quit")
        ):
            touched.add((name, node.func.id))
        elif isinstance(node, ast.Name) and node.id in ("SystemExit", "breakpoint"):
            touched.add((name, node.id))
        elif isinstance(node, ast.ImportFrom) and node.module in ("sys", "os"):
            touched.add((name, f"from {node.module}"))
    assert touched - PROGRESS == set()


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "stream"])
def test_no_clock(name: str) -> None:
    """The clock is an argument: what a library function says depends on nothing but what it is given."""
    for node in ast.walk(tree(SOURCES[name])):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time":
            assert node.attr in ("gmtime", "monotonic", "sleep"), f"{name}:{node.lineno}: time.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in ("now", "utcnow", "today"), f"{name}:{node.lineno}"
            assert node.func.attr != "gmtime" or node.args, f"{name}:{node.lineno}: gmtime of now"
        elif isinstance(node, ast.ImportFrom):
            assert node.module != "time", f"{name}:{node.lineno}"


@pytest.mark.parametrize("path", [*SOURCES.values(), *TOOLS.values()], ids=lambda path: path.name)
def test_nothing_heavy_at_the_top(path: Path) -> None:
    assert {name.partition(".")[0] for name in imported(tree(path).body)} & HEAVY == set()


@pytest.mark.parametrize("path", [*SOURCES.values(), *TOOLS.values()], ids=lambda path: path.name)
def test_nothing_dangerous(path: Path) -> None:
    """No shell, no evaluation, no unpickling, no randomness but the system's."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "compile", "__import__", "os.system", "os.popen"), f"{path}:{node.lineno}"
            shell = [word.value for word in node.keywords if word.arg == "shell"]
            assert not shell or (isinstance(shell[0], ast.Constant) and shell[0].value is False), f"{path}:{node.lineno}"
    names = {name.partition(".")[0] for name in imported(ast.walk(tree(path)))}
    assert (
        names & {"pickle", "marshal", "shelve", "random", "importlib", "tempfile", "urllib", "http", "socket", "ssl"} == set()
    )


@pytest.mark.parametrize("name", TOOLS)
def test_only_tools_import_stream(name: str) -> None:
    assert "stream" in ours(TOOLS[name])
    last = tree(TOOLS[name]).body[-1]
    assert ast.unparse(last).startswith("stream.run(main, __doc__ or ''"), "a tool ends with one call"


# -- what is loaded ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The modules that each stage of `ct verify` loads for a valid bundle, under a policy."""
    root = tmp_path_factory.mktemp("loaded")
    home = root / "home"
    home.mkdir(mode=0o700)
    env = environment(home)
    pair(home, "alice")
    # To know a key costs no backend.
    tool("ct", "keygen", "--id", "both", "--suite", "CT-SIG-02", "--no-password", env=env)
    (home / "policy.json").write_text('{"version":"1","signers":{"allowed":[{"key_id":"alice"}]}}')
    layout = Layout(root / "image")
    single(layout)
    tool("ct", "pack", "-o", root / "x.ctp", f"oci:{layout.directory}:1.0", env=env)
    found = {}
    said = ""
    stages = (["ct-open", str(root / "x.ctp")], ["ct-check"], ["ct-policy"], ["ct-hash"], ["ct-explain", "--verdict"])
    for name, *arguments in stages:
        made = run(sys.executable, "-IS", "-X", "importtime", BIN / name, *arguments, env=env, input=said)
        assert made.returncode == 0, made.stderr
        said = made.stdout
        found[name] = set(IMPORTED.findall(made.stderr))
        assert "cerrotorre.stream" in found[name]
    assert "is valid" in said
    return found


@pytest.mark.parametrize("name", ["ct-open", "ct-policy", "ct-hash", "ct-explain"])
def test_hot_tools_load_little(name: str, loaded: dict[str, set[str]]) -> None:
    roots = {module.partition(".")[0] for module in loaded[name]}
    assert roots & (HEAVY | {"subprocess", "inspect", "dataclasses", "pathlib", "hashlib", "ctypes", "ssl", "socket"}) == set()
    assert "_cffi_backend" not in roots


def test_only_check_loads_nacl(loaded: dict[str, set[str]]) -> None:
    assert {name for name, modules in loaded.items() if "nacl" in modules} == {"ct-check"}
    roots = {module.partition(".")[0] for module in loaded["ct-check"]}
    assert roots & ((HEAVY - {"nacl"}) | {"subprocess", "inspect", "dataclasses", "pathlib"}) == set()


@pytest.mark.parametrize(
    "name, most", [("ct-open", 90), ("ct-check", 115), ("ct-policy", 85), ("ct-hash", 95), ("ct-explain", 90)]
)
def test_the_number_of_modules(name: str, most: int, loaded: dict[str, set[str]]) -> None:
    """About a tenth more than were needed when this was written."""
    assert len(loaded[name]) <= most, sorted(loaded[name])
