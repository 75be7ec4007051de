"""`ct export --manifest` and ct-gather: what a list names, where that is found, and that nothing is left out without a word."""

import json
import shutil
import subprocess
import tarfile

import pytest
import yaml
from cerrotorre import imagelist, reference, yamlread
from cerrotorre.errors import Fail
from conftest import BUILD, program
from hypothesis import given
from hypothesis import strategies as st
from moving import Place
from registries import Fake

CLUSTER = """\
# What a cluster runs.
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {image: not/this:1}}
spec:
  template:
    spec:
      initContainers: [{name: wait, image: busybox}]
      containers:
      - {name: web, image: 'registry.example/shop/web:2.1'}
      - name: side
        image: registry.example/shop/side@sha256:%s
      volumes:
      - {name: model, image: {reference: registry.example/models/m:1, pullPolicy: Always}}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {image: not/this:2}}
- {apiVersion: v1, kind: Secret, metadata: {name: x}, stringData: {image: not/this:3}}
- apiVersion: batch/v1
  kind: CronJob
  spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: "registry.example/shop/job:2.1"}, {image: busybox}]}}}}}
- apiVersion: operators.example/v1
  kind: Database
  spec: {image: registry.example/db:16, backup: {image: null}}
---
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec: {default: {image: not/this:4}}
""" % ("a" * 64)
COMPOSE = """\
name: shop
x-common: &common
  image: registry.example/shop/web:2.1
  restart: always
services:
  web:
    <<: *common
    volumes:
    - data:/data
    - {type: image, source: registry.example/models/m:1, target: /m}
  worker: {<<: [*common], image: registry.example/shop/worker:2.1, profiles: [night]}
  model: {provider: {type: model}}
volumes: {data: {}}
"""


def named(text, name="-"):
    """What a list names, references spelled in full."""
    data = text if isinstance(text, bytes) else text.encode()
    return [entry.get("path") or reference.spell(entry["reference"]) for entry in imagelist.read(data, name)]


# -- what a list names ---------------------------------------------------------------------------------------------------------


def test_lines():
    said = "\ufeff# all\n\n ./a b.ctp \r\nmirror/x.ctp\n/srv/image\n~/y\nnginx\nregistry.example/a:1\ndocker.io/library/nginx:latest\n../z"
    assert named(said) == [
        *("./a b.ctp", "mirror/x.ctp", "/srv/image", "~/y"),
        *("docker.io/library/nginx:latest", "registry.example/a:1", "../z"),
    ]


def test_kubernetes():
    assert named(CLUSTER) == [
        "docker.io/library/busybox:latest",
        "registry.example/shop/web:2.1",
        "registry.example/shop/side@sha256:" + "a" * 64,
        "registry.example/models/m:1",
        "registry.example/shop/job:2.1",
        "registry.example/db:16",
    ]


def test_compose():
    assert named(COMPOSE) == [
        "registry.example/shop/web:2.1",
        "registry.example/models/m:1",
        "registry.example/shop/worker:2.1",
    ]


def test_json_is_yaml():
    pods = {"apiVersion": "v1", "kind": "List", "items": [{"spec": {"containers": [{"image": "registry.example/a:1"}]}}]}
    assert named(json.dumps(pods, indent=1)) == ["registry.example/a:1"]


@pytest.mark.parametrize(
    "name, first", [("x.yaml", ""), ("x.yml", ""), ("-", "---\n"), ("-", "%YAML 1.1\n---\n"), ("-", "# x\n\n")]
)
def test_yaml_is_told_by_name_or_beginning(name, first):
    assert named(first + "services: {a: {image: registry.example/a:1}}", name) == ["registry.example/a:1"]


def test_a_number_stays_what_was_written():
    assert named("services: {a: {image: registry.example/a:1.10}, b: {image: 0x10}}") == [
        *("registry.example/a:1.10", "docker.io/library/0x10:latest")
    ]


REFUSED = {
    "nothing": ("# nothing\n", 0, "names no bundle"),
    "nothing-in-yaml": ("apiVersion: v1\nkind: Service\n", 0, "names no bundle"),
    "no-reference": ("a\nNginx:1\n", 2, "lower case"),
    "a-comment-behind": ("nginx # the first\n", 1, "neither a path nor a reference"),
    "a-transport": ("oci:image:1\n", 1, "neither a path nor a reference"),
    "a-url": ("https://registry.example/a:1\n", 1, "no scheme"),
    "a-control-character": ("a\x1b[2J.ctp\n", 1, "control characters"),
    "no-utf8": (b"nginx\n\xff\n", 2, "not UTF-8"),
    "no-yaml": ("services: {a: {image: x}\n", 2, "not YAML"),
    "a-scalar": ("---\nnginx\n", 2, "neither Kubernetes objects"),
    "a-list": ("---\n- nginx\n", 2, "neither Kubernetes objects"),
    "values": ("image: {repository: nginx, tag: 1}\n", 1, "neither Kubernetes objects"),
    "second-document": ("services: {a: {image: x}}\n---\nimage: y\n", 3, "neither Kubernetes objects"),
    "twice": ("services:\n  a: {image: x}\n  a: {image: y}\n", 3, "'a' is there twice"),
    "a-tag": ("services:\n  a: {image: !reset null}\n", 2, "!reset"),
    "python": ("services:\n  a: !!python/object/apply:os.system [id]\n", 2, "python"),
    "binary": ("services: {a: {image: !!binary bmdpbng}}\n", 1, "binary"),
    "a-variable": ("services:\n  a: {image: 'web:${TAG:-1}'}\n", 2, "holds a variable"),
    "built": ("services:\n  a: {build: .}\n", 2, "is built"),
    "no-image": ("services:\n  a: {extends: {file: b.yaml, service: a}}\n", 2, "has no image"),
    "include": ("include: [b.yaml]\nservices: {a: {image: x}}\n", 1, "other files"),
    "kustomize": ("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [x]\n", 1, "names files"),
    "a-volume": ("services: {a: {image: x, volumes: [{type: image, target: /m}]}}\n", 1, "has no source"),
    "deep": ("services: " + "[" * 200, 1, "100 deep"),
    "holds-itself": ("services: &a {a: *a}\n", 1, "names nothing that stands before it"),
    "merges": ("a: &a {" + ",".join(f"k{i}: x" for i in range(500)) + "}\nservices: {b: {<<: [" + "*a," * 400 + "]}}", 2, "merged"),
    "merges-text": ("services: {a: {<<: x, image: y}}\n", 1, "no mapping"),
    "a-key": ("---\n? [a]\n: b\n", 2, "a key is no word"),
    "long": ("a.ctp\n" * (1 << 20), 0, "at most"),
    "many": ("".join(f"a{i}\n" for i in range(10001)), 10001, "more than 10000"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    text, line, words = REFUSED[case]
    with pytest.raises(Fail) as caught:
        named(text)
    made = caught.value.finding
    assert made["finding"] == ("too-large" if case == "long" else "list-malformed")
    assert words in made["detail"] and (made["context"].get("Line", 0) == line), made


def test_aliases_cost_what_they_are_written_in():
    """A billion of them are read as the few lines that they are."""
    lines = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 60)]
    said = "\n".join(["apiVersion: v1", "kind: X", "a0: &a0 [{image: registry.example/a:1}]", *lines])
    assert named(said) == ["registry.example/a:1"]


words = st.text("ab1:-#'\" {}[],&*!|>%@\n", max_size=5)
values = st.recursive(
    words, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=12
)


@given(st.dictionaries(words, values, max_size=3), st.booleans())
def test_text_is_read_as_the_reference_reads_it(value, flow):
    def plain(node):
        if isinstance(node, tuple):
            return node[0]
        return [plain(one) for one in node] if isinstance(node, list) else {key: plain(one) for key, one in node.items()}

    text = yaml.safe_dump(value, default_flow_style=flow, default_style='"')
    assert [plain(one) for one in yamlread.documents(text)] == [yaml.safe_load(text)] == [value]


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz")), min_size=1, max_size=3), st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz")))  # fmt: skip
def test_merges_are_read_as_the_reference_reads_them(bases, own):
    lines = [f"m{number}: &m{number} {json.dumps(base)}" for number, base in enumerate(bases)]
    merged = ", ".join(f"*m{number}" for number in range(len(bases)))
    inner = json.dumps(own)[1:-1]
    text = "\n".join([*lines, f"all: {{<<: [{merged}]{', ' if inner else ''}{inner}}}", ""])
    (made,) = yamlread.documents(text)
    assert {key: value[0] for key, value in made["all"].items()} == yaml.safe_load(text)["all"]


# -- where it is found ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Bundles app and db, packed here, and web, which was packed from a registry."""
    made = Place.made(tmp_path_factory.mktemp("lists"))
    for name in ("app", "db"):
        shutil.copytree(made.layout("single"), made.directory / f"layout-{name}")
        made.pack(name)
    with Fake() as server:
        made.ok("push", "-q", "app.ctp", f"{server.host}/shop/web:2.1")
        made.ok("pack", "-q", f"{server.host}/shop/web:2.1", "-o", "web.ctp")
        made.web = f"{server.host}/shop/web"
    return made


@pytest.fixture
def here(place, tmp_path):
    """A place with those, and an empty content store."""
    made = place.copy(tmp_path, "app.ctp", "db.ctp", "web.ctp")
    made.web = place.web
    made.store = tmp_path / "store"
    made.store.mkdir()
    with (made.home / "config.toml").open("a") as file:
        file.write(f'[cache]\ndir = "{made.store}"\n')
    return made


def record(here, name):
    words = [BUILD / "bin" / "ct-open", name]
    made = subprocess.run(words, cwd=here.directory, env=here.env, check=True, capture_output=True, timeout=60)
    return json.loads(made.stdout.splitlines()[0])


def gather(here, said, status=0):
    made = subprocess.run([BUILD / "bin" / "ct-gather", "-"], input=said, cwd=here.directory, env=here.env, capture_output=True, text=True, timeout=60)  # fmt: skip
    assert made.returncode == status, made.stderr
    here.noted = made.stderr
    return made.stdout.splitlines()


def test_paths_the_store_and_elsewhere(here):
    (here.store / "deeper").mkdir()
    shutil.copy(here.directory / "web.ctp", here.store / "deeper")
    (here.store / ".web.ctp.part").write_bytes(b"half")
    (here.store / "damaged.ctp").write_bytes(b"no bundle")
    found = gather(here, f"./app.ctp\n{here.web}:2.1\n{here.web}:2.2\nweb:2.1\n")
    stored = f"{here.store}/deeper/web.ctp"
    assert found == ["./app.ctp", stored, f"web-2.2.ctp\t{here.web}:2.2", "web-2.1.ctp\tdocker.io/library/web:2.1"]
    assert f"4 bundles: 1 from the content store '{here.store}', 2 to be fetched" in here.noted


def test_a_digest_is_its_images(here):
    shutil.copy(here.directory / "web.ctp", here.store)
    image = record(here, "web.ctp")["manifest"]["image_digest"]
    assert gather(here, f"{here.web}@{image}\nother.example/x@{image}\n") == [f"{here.store}/web.ctp"]
    other = "sha256:" + "0" * 64
    assert gather(here, f"{here.web}:2.1@{other}\n") == [f"web-2.1.ctp\t{here.web}:2.1@{other}"]


def test_one_from_no_registry_goes_by_its_name(here):
    shutil.copy(here.directory / "app.ctp", here.store)
    assert gather(here, "registry.example/shop/app:1.0") == [f"{here.store}/app.ctp"]
    assert gather(here, "registry.example/shop/app:1.1") == ["app-1.1.ctp\tregistry.example/shop/app:1.1"]
    # Of another registry it is another, whatever it is called.
    shutil.copy(here.directory / "web.ctp", here.store)
    assert gather(here, "registry.example/shop/web:2.1") == ["web-2.1.ctp\tregistry.example/shop/web:2.1"]


def test_several_in_the_store(here):
    for name in ("a.ctp", "b.ctp"):
        shutil.copy(here.directory / "app.ctp", here.store / name)
    assert gather(here, "registry.example/shop/app:1.0") == [f"{here.store}/a.ctp"]
    # The same manifest, and nobody signed: that is another.
    end = '{"record":"ct/end/1","records":1}\n'
    bare = json.dumps(record(here, "app.ctp") | {"attestations": []}) + "\n" + end
    words = [BUILD / "bin" / "ct-write", "--new", "-q", "-o", here.store / "b.ctp"]
    subprocess.run(words, input=bare.encode(), env=here.env, check=True, timeout=60)
    gather(here, "registry.example/shop/app:1.0", status=10)
    assert "a.ctp" in here.noted and "b.ctp" in here.noted and "several bundles of registry.example/shop/app:1.0" in here.noted


def test_names_that_are_taken(here):
    found = gather(here, "./app.ctp\na.example/x/y/app:1\nb.example/x/y/app:1\nc.example/x/y/app:1\nd.example/App:1".lower())
    assert found[1:] == [
        "app-1.ctp\ta.example/x/y/app:1",
        "y-app-1.ctp\tb.example/x/y/app:1",
        "x-y-app-1.ctp\tc.example/x/y/app:1",
        "d.example-app-1.ctp\td.example/app:1",
    ]


def test_what_may_be_meant_either_way(here):
    (here.directory / "nginx").mkdir()
    gather(here, "nginx\n", status=10)
    assert "there is a file that is called so" in here.noted and "./nginx" in here.noted
    gather(here, "./none.ctp\n", status=10)
    assert "there is no './none.ctp'" in here.noted


# -- exported ------------------------------------------------------------------------------------------------------------------


def bundles(archive):
    with tarfile.open(archive) as tar:
        return [entry["name"] for entry in json.load(tar.extractfile("ct-export.json"))["bundles"]]


def test_export_of_a_list(here):
    shutil.copy(here.directory / "web.ctp", here.store)
    with Fake() as server:
        here.ok("push", "-q", "db.ctp", f"{server.host}/shop/db:1.0")
        (here.directory / "list").write_text(f"app.ctp\n{server.host}/shop/db:1.0\n{here.web}:2.1\n")
        made = here.ok("export", "--manifest", "list", "-o", "x.tar")
    assert "Exported 3 bundles" in made.stdout_ and made.stdout_.count("✓") == 1
    assert "1 from the content store" in made.stderr_ and "1 to be fetched" in made.stderr_
    assert bundles(here.directory / "x.tar") == ["app.ctp", "db-1.0.ctp", "web.ctp"]
    # The same bytes as by its files; and of what was fetched nothing stays, here or in the store.
    (here.directory / "db-1.0.ctp").write_bytes((here.directory / "db.ctp").read_bytes())
    here.ok("export", "-q", "-o", "y.tar", "app.ctp", "db-1.0.ctp", "web.ctp")
    assert (here.directory / "x.tar").read_bytes() == (here.directory / "y.tar").read_bytes()
    assert not [name for name in here.left() if name.startswith(".")] and [one.name for one in here.store.iterdir()] == [
        "web.ctp"
    ]


def test_all_that_are_refused_are_named(here):
    with Fake() as server:
        for name in ("app", "db"):
            here.ok("push", "-q", f"{name}.ctp", f"{server.host}/shop/{name}:1.0")
        (here.directory / "p.json").write_text(
            '{"version": "1", "signers": {"allowed": [{"key_id": "packer"}]}, "registries": {"blocked": ["local"]}}'
        )
        (here.directory / "list").write_text(f"{server.host}/shop/app:1.0\n{server.host}/shop/db:1.0\n")
        made = here.refused("export", "--policy", "p.json", "--manifest", "list", "-o", "x.tar", status=4)
        assert "shop/app:1.0" in made.stderr_ and "shop/db:1.0" in made.stderr_ and "Not fetched" in made.stderr_
        (here.directory / "list").write_text(f"{server.host}/shop/other:1.0\n{server.host}/shop/db:1.0\n")
        made = here.refused("export", "--manifest", "list", "-o", "x.tar", status=12)
    assert (
        "no such image" in made.stderr_ and "x.tar" not in here.left() and not [name for name in here.left() if name[0] == "."]
    )


def test_what_broke_off_leaves_nothing(here):
    """Nor does it promise to go on from there: what was fetched for this archive alone is taken away with its directory."""
    here.pack("random")
    with Fake() as server:
        here.ok("push", "-q", "random.ctp", f"{server.host}/shop/random:1.0")
        last = here.layers()[-1]["digest"]
        server.answers[f".*/blobs/{last}"] = lambda handler: handler.reply(403, b"{}")
        (here.directory / "list").write_text(f"{server.host}/shop/random:1.0\n")
        before = here.left()
        made = here.refused("export", "--manifest", "list", "-o", "x.tar", status=12)
        assert here.left() == before and server.sent > 1 << 20
    assert "goes on from there" not in made.said and ".part" not in made.said


@pytest.mark.parametrize("words", [("--manifest", "list", "app.ctp"), ("--manifest",), ()])
def test_usage(here, words):
    here.refused("export", "-o", "x.tar", *words, status=64)


@pytest.mark.parametrize("shell", ["dash", "busybox ash", "bash --posix"])
def test_the_recipe_in_other_shells(here, shell):
    (here.directory / "list").write_text("./app.ctp\n")
    name, *words = shell.split()
    made = subprocess.run(
        [program(name), *words, BUILD / "bin" / "ct", "export", "-q", "--manifest", "list", "-o", "x.tar"],
        cwd=here.directory, env=here.env, capture_output=True, timeout=60,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert bundles(here.directory / "x.tar") == ["app.ctp"]
