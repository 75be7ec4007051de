"""The documentation says what the programs say: pages, README, exit statuses, findings, examples that run."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import docs
import findings_page
import images
import predicates
import pytest
from cerrotorre import errors
from conftest import BUILD
from docs import MAN, ROOT

PAGES = sorted(MAN.glob("*.[157]"))
README = (ROOT / "README.md").read_text()
SPEC = sorted((ROOT / "spec").rglob("*.adoc")) + sorted((ROOT / "spec").rglob("*.md"))
# Of formats and concepts only the blocks are run that a comment says something of; of commands all.
RUN = {page: [(said, text) for said, text in docs.examples(page) if said or page.suffix == ".1"] for page in PAGES}
needs_mandoc = pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed: make deps")


def programs() -> list[str]:
    return ["ct", *(f"ct {name}" for name in docs.recipes()), *docs.tools()]


def page_of(program: str) -> Path:
    return MAN / (program.replace(" ", "-") + ".1")


# -- manual pages ------------------------------------------------------------------------------------------------------------


@needs_mandoc
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_is_clean(page: Path) -> None:
    made = subprocess.run(["mandoc", "-Tlint", "-W", "warning", page], capture_output=True, text=True)
    assert made.stdout + made.stderr == ""


@pytest.mark.parametrize("program", programs())
def test_every_program_has_a_page(program: str) -> None:
    assert page_of(program).is_file()


@needs_mandoc
@pytest.mark.parametrize("program", programs())
def test_synopsis_is_the_usage_text(program: str) -> None:
    said = docs.forms(docs.section(docs.rendered(page_of(program)), "SYNOPSIS"))
    assert said.get(program) == docs.forms(docs.usage(program))[program]


@needs_mandoc
@pytest.mark.parametrize("page", [page for page in PAGES if page.suffix == ".1"], ids=lambda page: page.name)
def test_synopsis_says_nothing_else(page: Path) -> None:
    for program, said in docs.forms(docs.section(docs.rendered(page), "SYNOPSIS")).items():
        assert said == docs.forms(docs.usage(program))[program]


def test_cross_references_lead_somewhere() -> None:
    ours = {(page.stem, page.suffix[1:]) for page in PAGES}
    named = {(found[1], found[2]) for page in PAGES for found in re.finditer(r"^\.?.*\bXr (\S+) (\d)", page.read_text(), re.M)}
    assert {one for one in named if one[0].startswith(("ct", "cerro"))} <= ours
    for text in (README, *(path.read_text() for path in SPEC)):
        named = {(found[1], found[2]) for found in re.finditer(r"\b((?:ct|cerro)(?:-[a-z0-9-]+)?)\((\d)\)", text)}
        assert named <= ours


def test_ct_lists_every_command() -> None:
    rows = re.findall(r"^\.It Xr (\S+) 1 Ta (\S+) Ta (.+)$", (MAN / "ct.1").read_text(), re.M)
    assert rows == [(f"ct-{name}", kind, summary) for name, kind, summary in docs.commands()]


def test_findings_page_is_the_catalogue() -> None:
    assert findings_page.PAGE.read_text() == findings_page.page(), "python3 tests/findings_page.py --write"
    assert findings_page.SPEC.read_text() == findings_page.spec(), "python3 tests/findings_page.py --write"


# -- README ------------------------------------------------------------------------------------------------------------------


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_readme_lists_every_command() -> None:
    rows = re.findall(r"^\| `(ct[^`]*)` \| (\S+) \| (.+) \|$", README, re.M)
    assert rows == [(docs.program(name, kind), kind, summary) for name, kind, summary in docs.commands() if kind != "plumbing"]
    plumbing = re.findall(r"`(ct-[^`]*)`", re.search(r"^Plumbing.*$", README, re.M)[0])
    assert plumbing == [docs.program(name, kind) for name, kind, _ in docs.commands() if kind == "plumbing"]


def test_commands_exist() -> None:
    for name, kind, _ in docs.commands():
        assert (name in docs.recipes() and kind != "plumbing") or f"ct-{name}" in docs.tools()
    listed = {(name, kind != "plumbing") for name, kind, _ in docs.commands()}
    assert {(name, True) for name in docs.recipes()} <= listed


def test_readme_pipelines_are_the_recipes() -> None:
    for found in re.finditer(r"^ct (\w+) +(ct-.*)$", README, re.M):
        recipe = (ROOT / "lib" / "commands" / found[1]).read_text()
        called = re.findall(r"\"\$bin/(ct-[a-z0-9]+)\"", recipe[recipe.index("said=") :])
        if "\tsign |" in recipe:
            called.insert(called.index("ct-write"), "ct-sign")
        assert called == re.findall(r"\bct-[a-z0-9]+", found[2])


# -- exit statuses and findings ----------------------------------------------------------------------------------------------


def statuses(text: str, pattern: str) -> dict[int, tuple[str, str]]:
    return {int(found[1]): (found[2], found[3]) for found in re.finditer(pattern, text, re.M)}


def test_exit_status_tables() -> None:
    assert statuses(README, r"^\| (\d+) \| (\S+) \| (.+) \|$") == errors.STATUSES
    assert statuses((MAN / "ct.1").read_text(), r"^\.It (\d+) (\S+)\n(.+)$") == errors.STATUSES
    assert statuses((ROOT / "spec/verdicts.adoc").read_text(), r"^\| (\d+) \| (\S+) \| (.+)$") == errors.STATUSES


def test_suites_text_is_the_registry() -> None:
    registry = json.loads((ROOT / "spec/crypto-suites.json").read_text())
    text = (ROOT / "spec/suites.adoc").read_text()
    for name, suite in registry["suites"].items():
        made = ", ".join(registry["algorithms"][algorithm]["name"] for algorithm in suite["signatures"])
        assert f"| {name} | {made} | {suite['status']} | {suite['rank']} | {', '.join(suite['backend'])}\n" in text
    for algorithm in registry["algorithms"].values():
        assert "| " + " | ".join(str(value) for value in algorithm.values()) + "\n" in text


def is_slug(word: str) -> bool:
    """Whether a hyphenated word in literal type can only be meant as a finding: it begins like one, and is nothing else."""
    known = {name for name, _ in errors.STATUSES.values()} | {page.stem for page in PAGES} | {path.stem for path in SPEC}
    others = {"bundle-signature", "oci-layout", "policy-edit", "signature-invalid", "key-id"}
    return word.partition("-")[0] in {slug.partition("-")[0] for slug in errors.CATALOGUE} and word not in known | others


LITERAL = {
    ".adoc": re.compile(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`"),
    ".md": re.compile(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`"),
    "man": re.compile(r"(?:\bLi|^\.Ic ct explain) ([a-z0-9]+(?:-[a-z0-9]+)+)$", re.M),
}


@pytest.mark.parametrize("path", [*PAGES, *SPEC, ROOT / "README.md"], ids=lambda path: path.name)
def test_findings_that_are_named_exist(path: Path) -> None:
    text = path.read_text()
    named = set(filter(is_slug, LITERAL.get(path.suffix, LITERAL["man"]).findall(text)))
    assert named <= errors.CATALOGUE.keys()
    # "`slug` (status)" is how a text names a finding with its status.
    for slug, status in re.findall(r"`([a-z]+(?:-[a-z0-9]+)*)`,? \((\d+)[);]", text):
        assert errors.CATALOGUE[slug][0] == int(status), slug


def test_findings_that_are_made_exist() -> None:
    sources = [
        path for path in [*(ROOT / "lib/cerrotorre").glob("*.py"), *(ROOT / "tools").glob("ct-*")] if path.name != "errors.py"
    ]
    text = "".join(path.read_text() for path in sources)
    made = set(re.findall(r"(?:\bFail|\bfinding|\.refuse)\(\s*\"([a-z0-9-]+)\"", text))
    assert made <= errors.CATALOGUE.keys()
    assert [slug for slug in errors.CATALOGUE if f'"{slug}"' not in text] == [], "no program says these"


# -- the texts that the code cites -------------------------------------------------------------------------------------------

CITED = re.compile(r"(spec/[a-z-]+\.adoc)((?:, \"[^\"]+\"(?:(?: and| to|,) \"[^\"]+\")*)?)")


def test_cited_sections_exist() -> None:
    missing = []
    for path in [*(ROOT / "lib/cerrotorre").glob("*.py"), *(ROOT / "tools").iterdir()]:
        for spec, names in CITED.findall(path.read_text()):
            text = (ROOT / spec).read_text() if (ROOT / spec).is_file() else ""
            wanted = re.findall(r"\"([^\"]+)\"", names) or [""]
            missing += [
                (path.name, spec, name) for name in wanted if not re.search(rf"^=+ .*{re.escape(name)}", text, re.M | re.I)
            ]
    assert missing == []


def test_architecture_shows_which_way_imports_run() -> None:
    picture = (ROOT / "spec/architecture.adoc").read_text().partition("== Imports run one way")[2].split("----")[1]
    groups = [
        re.findall(r"\S+", re.sub(r"\s{2,}.*", "", group, flags=re.M)) for group in re.split(r"^  \^$", picture, flags=re.M)
    ]
    place = {name: number for number, group in enumerate(groups) for name in group}
    sources = {path.stem: path.read_text() for path in (ROOT / "lib/cerrotorre").glob("*.py") if path.stem != "__init__"}
    assert sorted(name for group in groups for name in group) == sorted(sources)
    for name, text in sources.items():
        imported = re.findall(r"^ *from cerrotorre\.(\w+) import", text, re.M)
        for names in re.findall(r"^ *from cerrotorre import (.+)$", text, re.M):
            imported += re.findall(r"\w+", names)
        assert [other for other in imported if place.get(other, -1) > place[name]] == [], name


# -- examples ----------------------------------------------------------------------------------------------------------------


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": f"{BUILD.resolve()}/bin:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "USER": "jo"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as the examples find it: a home with one key, an image, bundles of it, a stranger's key."""
    base = tmp_path_factory.mktemp("examples")
    images.make("single", base / "hello")
    (base / "sbom.spdx.json").write_text(json.dumps(predicates.SBOM))
    script = """
        umask 022
        mkdir -p home/.config/cerro mirror
        chmod 700 home/.config/cerro
        printf '[registries]\\ninsecure = ["localhost:5000"]\\n' >home/.config/cerro/config.toml
        ct keygen --no-password --id demo-2026
        ct pack oci:hello -o hello.ctp
        ct pack oci:hello --no-sign -o unsigned.ctp
        cp hello.ctp mirror/a.ctp
        ct pack oci:hello --name other -o mirror/b.ctp
        SOURCE_DATE_EPOCH=1779000000 ct pack oci:hello --name nginx -o nginx.ctp
        ct policy init --yes --policy strict.json
        CT_HOME=$PWD/upstream ct keygen --no-password --id upstream-2026
        mv upstream/keys/upstream-2026.pub . && rm -r upstream && mv upstream-2026.pub upstream.pub
    """
    made = subprocess.run(["sh", "-eu"], input=script, cwd=base, env=environment(base / "home"), capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return base


@pytest.mark.parametrize("page", [page for page in PAGES if RUN[page]], ids=lambda page: page.name)
def test_examples_run(page: Path, prepared: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    shutil.copytree(prepared, work)
    for said, text in RUN[page]:
        wanted = int(said.removeprefix("status ")) if said.startswith("status ") else 0
        script, shown = docs.session(text)
        made = subprocess.run(
            docs.command(said, script if shown is None else f"exec 2>&1\n{script}", work / "hello"),
            cwd=work,
            env=environment(work / "home") | docs.podman_environment(tmp_path / "podman"),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert made.returncode == wanted, f"{text}\n{made.stdout}\n{made.stderr}"
        assert shown is None or made.stdout == shown, made.stderr
        # A stage in the middle that was called wrongly says so, whatever the last one makes of it.
        for word in ("Traceback", "usage:", "not found", "parse error"):
            assert word not in made.stderr, f"{text}\n{made.stderr}"


def test_no_example_is_left_out() -> None:
    """Of formats and concepts, a block without a comment is a file's text, which other tests read."""
    said = [said for page in PAGES for said, _ in docs.examples(page)]
    assert {words.split()[0] for words in said if words} <= {"run", "status", "registry", "types"}
    for page in PAGES:
        if page.suffix != ".1":
            assert all(said or text.startswith(("{", "[")) for said, text in docs.examples(page)), page.name
