"""Bundles in git: NAME/VERSION/ with the three trust members, in the newest commit of a branch (spec/moving.adoc, "In git")."""

import os
import re
import time

from cerrotorre import manifest, origin, recorded, sinks, trustmembers
from cerrotorre.errors import Fail, Finding
from cerrotorre.gitprogram import Git, Tree, read_tree, spell_tree
from cerrotorre.records import Record
from cerrotorre.typed import Any

BRANCH = "refs/heads/main"
# How often a push is made again because somebody else's came before it, and the longest pause between two, in seconds.
ATTEMPTS, PAUSE = 12, 1.0
LISTED = 20
NOBODY = {"NAME": "Cerro Torre", "EMAIL": "ct@localhost"}
_FILES = ("100644", "100755")
_DIRECTORY = "040000"
# git-check-ref-format(1), as far as it could be taken for something else in a refspec.
_REF = re.compile(r"refs/heads/[^\x00-\x20\x7f~^:?*\[\\]+")
_FASTER = re.compile(
    r"\[rejected\]|fetch first|non-fast-forward|failed to update ref|cannot lock ref|incorrect old value|stale info"
)


def push(record: Record, to: dict[str, Any], options: dict[str, Any], transfers: Any) -> dict[str, Any]:
    """Put the trust members of a bundle into a repository, in one commit, and read them back; its content is hashed before.

    `options`: {"force": bool}. Returns what the report says, with `findings` if
    the content is wrong, and then nothing is sent. Raises Fail destination-exists, blob-unreachable, not-arrived, and as gitprogram.
    """
    parsed, _, derived = recorded.derive(record)
    name, version = parsed["name"], parsed["version"]
    if to["name"] not in (None, name) or to["version"] not in (None, version):
        asked = f"{to['name']}:{to['version'] or version}"
        raise Fail("usage", f"the destination names {asked}, and the bundle is {name}:{version}", Bundle=record["bundle"])
    said: dict[str, Any] = {
        "destination": f"{to['shown']}#{name}:{version}",
        "image": None,
        "bundle": None,
        "moved": 0,
        "there": 0,
    }
    attestations = b"".join(line + b"\n" for _, line, _ in recorded.attestations(record))
    members = dict(zip(manifest.TRUST_MEMBERS, (record["canonical"].encode(), derived[0][1], attestations), strict=True))
    places = origin.content(parsed)
    if wrong := _wrong(record, transfers):
        return {"findings": wrong}
    origin.must_have(places)
    with Git(to["url"], to["shown"]) as git:
        committed = _commit(git, f"{name}/{version}", members, bool(options.get("force")))
    with Git(to["url"], to["shown"]) as git:
        said["commit"] = _read_back(git, f"{name}/{version}", members)
    size = sum(map(len, members.values()))
    return said | ({"moved": size} if committed else {"there": size})


def _wrong(record: Record, transfers: Any) -> list[Finding]:
    transfer = transfers.begin(record["bundle"], sum(entry["size"] for entry in record["content"]), "hashing")
    wrong = sinks.hash_file(record, transfer.add)
    transfer.end("differs" if wrong else "hashed")
    return wrong


def _commit(git: Git, path: str, members: dict[str, bytes], force: bool) -> bool:
    """Whether a commit was needed."""
    for attempt in range(ATTEMPTS):
        if attempt:
            # Those who came at the same time do not come at the same time again.
            time.sleep(min(PAUSE, 0.1 * 2**attempt) * os.urandom(1)[0] / 255)
        branch, tip = _fetched(git)
        if branch is None:
            raise Fail("network", f"HEAD of {git.shown} names no branch", Repository=git.shown)
        blobs = {name: git.must("hash-object", "-w", "--stdin", data=data).decode().strip() for name, data in members.items()}
        parts = path.split("/")
        trees = _trees(git, tip, parts)
        there = trees[-1] if len(trees) > len(parts) else {}
        if all(there.get(name.encode(), ("", ""))[0] in _FILES and there[name.encode()][1] == blobs[name] for name in members):
            return False
        taken = any(name.encode() in there for name in members) or _stands_in_the_way(trees, parts)
        if taken and not force:
            raise Fail("destination-exists", f"{git.shown} has another {path}", Repository=git.shown, Path=path)
        made = _made(git, trees, parts, blobs, tip)
        status, out, words = git.run(
            "push", "--porcelain", "--no-thin", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no",
            *git.far("receive-pack"), "far", f"{made}:{branch}",
        )  # fmt: skip
        if status == 0:
            return True
        if not _FASTER.search(words + out.decode("utf-8", "replace")) and _newest(git)[1] == tip:
            raise git.failed("push", words)
    raise Fail("network", f"{git.shown} changed {ATTEMPTS} times while this was pushed", Repository=git.shown, Git=words)


def _newest(git: Git) -> tuple[str | None, str | None]:
    """(the branch that bundles are in, None if HEAD names a commit instead; its newest commit, None if it has none)."""
    listed = git.must("ls-remote", "--symref", *git.far("upload-pack"), "--", git.url, "HEAD", BRANCH).decode(
        "utf-8", "replace"
    )
    head: str | None = None
    found: dict[str, str] = {}
    for line in listed.splitlines():
        first, _, name = line.partition("\t")
        if name == "HEAD" and first.startswith("ref: "):
            head = first.removeprefix("ref: ")
        elif re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", first):
            found[name] = first
    if "HEAD" not in found:
        return BRANCH, found.get(BRANCH)
    if head is None or not _REF.fullmatch(head):
        return None, found["HEAD"]
    return head, found["HEAD"]


def _fetched(git: Git) -> tuple[str | None, str | None]:
    """As `_newest`, with the trees of that commit here, and a repository made for them."""
    branch, tip = _newest(git)
    git.create("sha256" if tip and len(tip) == 64 else "sha1")
    if tip:
        _fetch(git, "--depth=1", f"+{branch or 'HEAD'}:refs/far")
        tip = git.must("rev-parse", "--verify", "--end-of-options", "refs/far").decode().strip()
    return branch, tip


def _fetch(git: Git, *what: str, data: bytes = b"") -> None:
    git.must(
        "fetch", "--quiet", "--no-tags", "--filter=blob:none", "--no-write-fetch-head", "--recurse-submodules=no",
        *git.far("upload-pack"), *(["--stdin", "far"] if data else [what[0], "far", *what[1:]]), data=data,
    )  # fmt: skip


def _trees(git: Git, tip: str | None, parts: list[str]) -> list[Tree]:
    """The directories along the path, the root first, as far as they are there."""
    found: list[Tree] = []
    following = f"{tip}^{{tree}}" if tip else ""
    for part in [*parts, ""]:
        if not following:
            break
        found.append(read_tree(git.must("ls-tree", "-z", following)))
        mode, made = found[-1].get(part.encode(), ("", ""))
        following = made if mode == _DIRECTORY else ""
    return found


def _stands_in_the_way(trees: list[Tree], parts: list[str]) -> bool:
    """Whether the first part of the path that is no directory is there as something else."""
    return 0 < len(trees) <= len(parts) and parts[len(trees) - 1].encode() in trees[-1]


def _made(git: Git, trees: list[Tree], parts: list[str], blobs: dict[str, str], tip: str | None) -> str:
    """A commit in which the path has these blobs, and everything else is as in `tip`."""
    trees = [*trees, *({} for _ in range(len(parts) + 1 - len(trees)))]
    new = trees[-1] | {name.encode(): (_FILES[0], made) for name, made in blobs.items()}
    for tree, part in zip(reversed(trees[:-1]), reversed(parts), strict=True):
        new = tree | {part.encode(): (_DIRECTORY, _tree(git, new))}
    message = " ".join("/".join(parts).rsplit("/", 1))
    parent = ["-p", tip] if tip else []
    return git.must("commit-tree", _tree(git, new), *parent, "-m", message, more=_identities(git)).decode().strip()


def _tree(git: Git, tree: Tree) -> str:
    return git.must("mktree", "-z", "--missing", data=spell_tree(tree)).decode().strip()


def _identities(git: Git) -> dict[str, str]:
    """Who commits, where the user's configuration does not say, and when, if that is given."""
    found: dict[str, str] = {}
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    for role in ("AUTHOR", "COMMITTER"):
        # What git would guess is the names of the user and the host.
        if git.run("-c", "user.useConfigOnly=true", "var", f"GIT_{role}_IDENT")[0]:
            found |= {f"GIT_{role}_{key}": value for key, value in NOBODY.items()}
        if fixed:
            found[f"GIT_{role}_DATE"] = f"@{int(fixed)} +0000"
    return found


def _read(git: Git, tree: Tree, path: str) -> dict[str, bytes]:
    """The bytes of the three members in a directory, or of those of them that are there."""
    found = {name: tree[name.encode()] for name in manifest.TRUST_MEMBERS if name.encode() in tree}
    for name, (mode, _) in found.items():
        if mode not in _FILES:
            raise Fail("not-a-bundle", f"{path}/{name} is no regular file (mode {mode})", Repository=git.shown, Member=name)
    objects = [made for _, made in found.values()]
    if objects:
        _fetch(git, data="".join(f"{made}\n" for made in objects).encode())
    sizes, held = _sizes(git, objects), {}
    for name, (_, made) in found.items():
        size, limit = sizes[made], trustmembers.LIMITS[name]
        if size > limit:
            raise Fail(
                "too-large", f"{name} is {size} bytes, more than {limit}", Member=name, Expected=f"at most {limit}", Actual=size
            )
        held[name] = git.must("cat-file", "blob", made)
    return held


def _sizes(git: Git, objects: list[str]) -> dict[str, int]:
    """The size of each object."""
    if not objects:
        return {}
    said = git.must(
        "cat-file", "--batch-check=%(objectname) %(objectsize)", data="".join(f"{one}\n" for one in objects).encode()
    )
    told = (line.split(" ") for line in said.decode().splitlines())
    return {made: int(size) for made, size in told}


def _read_back(git: Git, path: str, members: dict[str, bytes]) -> str | None:
    """As a fetch would; the commit that it was read from. Raises Fail not-arrived."""
    parts = path.split("/")
    tip = _fetched(git)[1]
    trees = _trees(git, tip, parts)
    held = _read(git, trees[-1], path) if len(trees) > len(parts) else {}
    for name, data in members.items():
        if held.get(name) != data:
            what = "is not there" if name not in held else "has other bytes there"
            raise Fail("not-arrived", f"{path}/{name} {what}", Repository=git.shown, Member=name)
    return tip


def open_record(record: Record, to: dict[str, Any], directory: str | None = None) -> None:
    """Fill the record of the bundle that `to` names, or of the only one there; its blobs lie where the image came from.

    `directory` is where attestations go that are too long for a record. Raises Fail no-bundle, bundle-ambiguous, blob-unreachable,
    what bundle.open_bundle raises, and as gitprogram.
    """
    with Git(to["url"], to["shown"]) as git:
        tip = _fetched(git)[1]
        name, version = to["name"], to["version"]
        if version is None:
            name, version = _only(git, tip, name)
        path = f"{name}/{version}"
        trees = _trees(git, tip, path.split("/"))
        held = _read(git, trees[-1], path) if len(trees) == path.count("/") + 2 else {}
    if not held:
        raise Fail("no-bundle", f"{to['shown']} has no {name}:{version}", Repository=to["shown"]).proposing()
    for member in manifest.TRUST_MEMBERS:
        if member not in held:
            raise Fail("not-a-bundle", f"{path} has no {member}", Repository=to["shown"], Member=member)
    texts, summary, attestations = (held[member] for member in manifest.TRUST_MEMBERS)
    trustmembers.fill(record, texts, summary, attestations, directory)
    record["derived"] = []
    record["expected"] = f"{name}:{version}"
    is_of = f"{record['manifest']['name']}:{record['manifest']['version']}"
    if is_of != f"{name}:{version}":
        # Also where something else is expected, or nothing.
        raise Fail(
            "not-a-bundle", f"{path} holds another bundle", Repository=to["shown"], Expected=f"{name}:{version}", Actual=is_of
        )
    record["content"] = origin.content(record["manifest"])
    record["passed"]["structure"] = True


def _only(git: Git, tip: str | None, name: str | None) -> tuple[str, str]:
    """The one bundle, of that name if it is given."""
    listed = git.must("ls-tree", "-r", "-z", "--name-only", "--full-tree", tip).split(b"\0") if tip else []
    places = {path.rpartition(b"/")[0] for path in listed if path.endswith(b"/manifest.toml")}
    found = []
    for place in sorted(places):
        above, _, last = place.decode("utf-8", "replace").rpartition("/")
        if manifest.is_name(above) and manifest.is_version(last) and name in (None, above):
            found.append((above, last))
    if len(found) == 1:
        return found[0]
    what = f"bundle called {name}" if name else "bundle"
    if not found:
        raise Fail("no-bundle", f"{git.shown} has no {what}", Repository=git.shown).proposing()
    spelled = ", ".join(f"{above}:{last}" for above, last in found[:LISTED])
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    several = Fail(
        "bundle-ambiguous", f"{git.shown} has {len(found)}, and none is named", Repository=git.shown, There=spelled + more
    )
    raise several.proposing(f"ct fetch {git.shown}#{found[-1][0]}:{found[-1][1]} -o NEW.ctp")
