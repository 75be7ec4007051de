"""Globs, references and registry patterns (spec/policy.adoc, "Globs" and "References")."""

import re
import time

import pytest
from cerrotorre import reference
from cerrotorre.errors import Fail
from cerrotorre.glob import matches
from cerrotorre.reference import match_registry
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("*", "a/b/c", True),
        ("?", "/", True),
        ("?", "", False),
        ("a*c", "abbbc", True),
        ("a*c", "abbbd", False),
        ("a**c", "ac", True),
        ("*.d", "x.d", True),
        ("*.d", "d", False),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        ("\\*", "\\x", True),
        ("\\*", "*", False),
        ("a.c", "abc", False),
        ("*ab*ab", "abxabyab", True),
        ("A", "a", False),
    ],
)
def test_glob(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_glob_is_the_regular_expression(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    assert matches(pattern, text) is (re.fullmatch(expression, text, re.DOTALL) is not None)


def test_glob_does_not_explode() -> None:
    started = time.perf_counter()
    assert not matches("a*" * 200 + "b", "a" * 2000)
    assert time.perf_counter() - started < 5


NORMAL = {
    "nginx": "docker.io/library/nginx:latest",
    "nginx:1.26": "docker.io/library/nginx:1.26",
    f"nginx@{DIGEST}": f"docker.io/library/nginx@{DIGEST}",
    f"nginx:1.26@{DIGEST}": f"docker.io/library/nginx:1.26@{DIGEST}",
    "team/app": "docker.io/team/app:latest",
    "docker.io/nginx": "docker.io/library/nginx:latest",
    "index.docker.io/nginx": "docker.io/library/nginx:latest",
    "registry-1.docker.io/library/nginx": "docker.io/library/nginx:latest",
    "Docker.IO/nginx": "docker.io/library/nginx:latest",
    "docker.io:443/nginx": "docker.io/library/nginx:latest",
    "docker.io./nginx": "docker.io/library/nginx:latest",
    "GHCR.io/org/app:V1": "ghcr.io/org/app:V1",
    "registry.example.:443/a/b": "registry.example/a/b:latest",
    "registry.example:5000/a": "registry.example:5000/a:latest",
    "localhost/a": "localhost/a:latest",
    "localhost:5000/a": "localhost:5000/a:latest",
    "localhost:5000": "docker.io/library/localhost:5000",
    "host:5000/a:b": "host:5000/a:b",
    "[::1]:5000/a": "[::1]:5000/a:latest",
    "[0:0:0:0:0:0:0:1]/a": "[::1]/a:latest",
    "[FE80::1]:443/a": "[fe80::1]/a:latest",
    "127.0.0.1:5000/a": "127.0.0.1:5000/a:latest",
    "x.y/a__b/c--d/e.f": "x.y/a__b/c--d/e.f:latest",
    "x.y/" + "a" * 251: "x.y/" + "a" * 251 + ":latest",
    "a:" + "t" * 128: "docker.io/library/a:" + "t" * 128,
}


@pytest.mark.parametrize("text", NORMAL)
def test_normalise(text: str) -> None:
    assert reference.normalise(text) == NORMAL[text]


@pytest.mark.parametrize("text", NORMAL)
def test_a_normal_spelling_stays(text: str) -> None:
    normal = reference.normalise(text)
    assert reference.normalise(normal) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        " nginx",
        "nginx ",
        "nginx\n",
        "nginx\x00",
        "Nginx",
        "Foo/bar",
        "ghcr.io/Org/app",
        "nginx:",
        "nginx:.x",
        "nginx:-x",
        "nginx:a b",
        "a:" + "t" * 129,
        "nginx@",
        "nginx@sha512:" + "0" * 128,
        "nginx@sha256:" + "0" * 63,
        "nginx@sha256:" + "A" * 64,
        "nginx@" + DIGEST + "@" + DIGEST,
        "user@host.example/app",
        "user:pw@host.example/app",
        "https://ghcr.io/org/app",
        "docker://nginx",
        "nginx/",
        "/nginx",
        "a//b",
        "ghcr.io/",
        "ghcr.io:0/a",
        "ghcr.io:080/a",
        "ghcr.io:65536/a",
        "ghcr.io:/a",
        "ghcr.io:x/a",
        "ghcr.io../a",
        ".ghcr.io/a",
        "-x.io/a",
        "x-.io/a",
        "gh_cr.io/a",
        "bücher.example/a",
        "ghcr.io/bücher",
        "ghcr.io/a/../b",
        "ghcr.io/a/./b",
        "ghcr.io/a___b",
        "ghcr.io/a..b",
        "ghcr.io/-a",
        "ghcr.io/a-",
        "ghcr.io/a:b/c",
        "[::1/a",
        "[::1]x/a",
        "[:::1]/a",
        "[::ffff:1.2.3.4]/a",
        "[::ffff:102:304]/a",
        "[fe80::1%25eth0]/a",
        "x.y/" + "a" * 252,
        "x." + "a" * 252 + "/a",
        "oci:layout:docker.io/library/nginx",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(Fail) as caught:
        reference.parse(text)
    assert caught.value.finding["finding"] == "reference"
    assert caught.value.finding["status"] == 64
    assert caught.value.finding["context"]["Reference"] == text


@pytest.mark.parametrize(
    ("text", "instead"),
    [("Hello:1.0", "hello:1.0"), ("A.io/A/b:A", "A.io/a/b:A"), ("localhost/B:B", "localhost/b:B"), ("Foo..bar", None)],
)
def test_lower_case_is_offered(text: str, instead: str | None) -> None:
    with pytest.raises(Fail) as caught:
        reference.parse(text)
    assert caught.value.finding["context"].get("Instead") == instead


@given(st.text(max_size=60))
def test_anything_is_a_reference_or_refused(text: str) -> None:
    try:
        normal = reference.normalise(text)
    except Fail:
        return
    assert reference.normalise(normal) == normal
    assert "/" in normal and normal.isascii()


NGINX = "docker.io/library/nginx:1.26"


@pytest.mark.parametrize(
    ("pattern", "source", "allowed", "blocked"),
    [
        ("docker.io/library/*", NGINX, True, True),
        ("docker.io/library/nginx:*", NGINX, True, True),
        ("docker.io/library/nginx:1.2?", NGINX, True, True),
        ("docker.io/library/nginx:1.2", NGINX, False, False),
        ("*", NGINX, True, True),
        ("*/nginx:*", NGINX, True, True),
        # A pattern's host is normalised as a reference's is, and so is what is left out.
        ("index.docker.io/library/*", NGINX, True, True),
        ("DOCKER.IO./library/*", NGINX, True, True),
        ("docker.io:443/library/*", NGINX, True, True),
        ("library/nginx:*", NGINX, True, True),
        ("docker.io/nginx:*", NGINX, True, True),
        ("docker.io/*", NGINX, True, True),
        ("[0::1]:5000/*", "[::1]:5000/a:b", True, True),
        # A pattern without `/` is a host, whatever the port unless it names one.
        ("docker.io", NGINX, True, True),
        ("docker.i", NGINX, False, False),
        ("registry.internal", "registry.internal:5000/a:b", True, True),
        ("registry.internal:5000", "registry.internal:5000/a:b", True, True),
        ("registry.internal:5000", "registry.internal:5001/a:b", False, False),
        ("registry.internal:5000", "registry.internal/a:b", False, False),
        ("registry.internal:443", "registry.internal/a:b", True, True),
        ("registry.internal:443", "registry.internal:5000/a:b", False, False),
        ("registry.internal:*", "registry.internal/a:b", True, True),
        ("[::1]", "[::1]:5000/a:b", True, True),
        ("nginx", NGINX, False, False),
        ("*.internal", "registry.internal:5000/a:b", True, True),
        # `*.d` in blocked also matches d.
        ("*.d.example", "d.example/a:b", False, True),
        ("*.d.example", "x.d.example/a:b", True, True),
        ("*.d.example", "xd.example/a:b", False, False),
        ("*.d.example/evil/*", "d.example/evil/a:b", False, True),
        # A host written with a glob does not reach into the path, unless to block.
        ("*.corp.example/*", "evil.example/x.corp.example/y:1", False, True),
        ("*.corp.example/*", "a.corp.example/y:1", True, True),
        ("reg*/nginx:*", "registry.example/team/nginx:1", False, True),
        # A tag or a digest more does not lead past a block, and does not fit what allows a tag.
        ("docker.io/library/nginx", NGINX, False, True),
        (NGINX, f"{NGINX}@{DIGEST}", False, True),
        (f"docker.io/library/nginx@{DIGEST}", f"{NGINX}@{DIGEST}", False, True),
        ("evil.example:443/*", "evil.example/a:b", True, True),
        ("evil.example:*/*", "evil.example/a:b", True, True),
        # Local sources.
        ("local", NGINX, False, False),
        ("local", "local:5000/a:b", False, False),
        ("local", "oci:layout:1", True, True),
        ("local", None, True, True),
        ("*", None, True, True),
        ("*", "oci:layout", True, True),
        ("oci:*", "oci:layout:1", False, False),
        ("**", None, False, False),
        ("docker.io", "oci:docker.io/library/nginx", False, False),
    ],
)
def test_match_registry(pattern: str, source: str | None, allowed: bool, blocked: bool) -> None:
    assert match_registry(pattern, source) is allowed
    assert match_registry(pattern, source, blocked=True) is blocked


@given(st.text("ab./:*?-[]", max_size=12), st.sampled_from([NGINX, "a.b:5/c:d", "[::1]/a:b", None]))
def test_what_allows_also_blocks(pattern: str, source: str | None) -> None:
    assert not match_registry(pattern, source) or match_registry(pattern, source, blocked=True)
