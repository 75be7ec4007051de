"""Places where a bundle may lie, and which kind each is: what `ct push` and `ct fetch` are told (spec/moving.adoc, "Places")."""

import os
import re

from cerrotorre import manifest, reference
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

# {"kind": "registry" | "object" | "git" | "file", ...}: see `parse`.
Destination = dict[str, Any]

# As spelled, and what git is given for it.
_GIT = {"git": "https", "git+https": "https", "git+ssh": "ssh", "git+file": "file"}
_OBJECTS = ("s3", "gs", "az")
_FILES = ("/", "./", "../", "~/")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.I | re.S)
# [USER@]HOST[:PORT]; nothing that ssh could take for an option.
_AUTHORITY = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*@)?(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
# `git clone` takes this too.
_SCP = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9.-]+):([^/].*)")


def parse(text: str) -> Destination:
    """What a place is, by its spelling:

    {"kind":"registry","reference":Reference,"tagged":bool}  `tagged`: the tag was written; `reference.parse` fills one in
    {"kind":"object","url":str}                              s3://BUCKET/KEY, gs://, az://; KEY may be empty or end with /
    {"kind":"git","url":str,"name":str|None,"version":str|None,"shown":str}   `url` is what git gets
    {"kind":"file","path":str}                               which may be a directory

    Raises Fail usage for what is none of these, or more than one; Fail reference for what is no reference.
    """
    if not text or text == "-":
        raise _bad(text, "a place is needed")
    if not text.isprintable():
        raise _bad(text, "a place has no control characters")
    if text.startswith("file:"):
        return _file(text, text.removeprefix("file:"))
    if text.startswith(_FILES) or text in (".", "..", "~"):
        return _file(text, text)
    if match := _SCHEME.fullmatch(text):
        return _url(text, match[1].lower(), match[2])
    if text.endswith("/"):
        return _file(text, text)
    if match := _SCP.fullmatch(text):
        raise _bad(text, "a git repository is spelled with its scheme", f"git+ssh://{match[1]}/{match[2]}")
    return _registry(text)


def _registry(text: str) -> Destination:
    head = text.partition("@")[0]
    first, slash, _ = head.partition("/")
    # Docker's rule would send what was meant for a file here to a public registry.
    if not slash or not reference.is_host(first):
        full = f"{reference.DOCKER}/{text}" if slash else f"{reference.DOCKER}/library/{text}"
        raise _bad(
            text, "it may be a repository or a file; a repository is spelled with its registry's host", full, f"./{text}"
        )
    parsed = reference.parse(text)
    if os.path.lexists(text) or os.path.isdir(os.path.dirname(text)):
        raise _bad(text, "it reads as a reference, and is a place in this directory too", f"./{text}")
    return {"kind": "registry", "reference": parsed, "tagged": ":" in head.rpartition("/")[2]}


def _file(text: str, path: str) -> Destination:
    if path.startswith("///"):
        path = "/" + path.lstrip("/")
    if path.startswith("//"):
        raise _bad(text, "file: names no host", f"file:{path[1:]}")
    if not path:
        raise _bad(text, "file: wants a path")
    return {"kind": "file", "path": os.path.expanduser(path) if path.startswith("~/") or path == "~" else path}


def _url(text: str, scheme: str, rest: str) -> Destination:
    if scheme in _OBJECTS:
        bucket, _, _ = rest.partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise _bad(text, f"{bucket!r} is not a bucket")
        return {"kind": "object", "url": f"{scheme}://{rest}"}
    if scheme in _GIT:
        return _git(text, scheme, rest)
    if scheme in ("https", "http", "ssh"):
        git = "git+ssh" if scheme == "ssh" else "git+https"
        raise _bad(
            text, "what is there is said before it: a git repository, or without a scheme a registry", f"{git}://{rest}", rest
        )
    raise _bad(text, f"{scheme}:// is none of the places a bundle is moved to or from", rest or None)


def _git(text: str, scheme: str, rest: str) -> Destination:
    place, hashed, which = rest.partition("#")
    authority, _, path = place.partition("/")
    if scheme == "git+file":
        if authority or not path:
            raise _bad(text, "git+file:// wants the absolute path of a repository", f"git+file:///{place.lstrip('/')}")
    elif ":" in authority.partition("@")[0] and "@" in authority:
        raise _bad("", "a password has no place in a URL: git asks its credential helpers")
    elif not _AUTHORITY.fullmatch(authority) or not path.strip("/"):
        raise _bad(text, f"{scheme}:// wants HOST/PATH")
    name, colon, version = which.partition(":")
    if hashed and not (manifest.is_name(name) and (not colon or manifest.is_version(version))):
        raise _bad(text, f"what follows # is NAME:VERSION or NAME, and {which!r} is not")
    shown = f"{scheme}://{place}"
    return {"kind": "git", "url": f"{_GIT[scheme]}://{place}", "name": name or None, "version": version or None, "shown": shown}


def _bad(text: str, detail: str, *instead: str | None) -> Fail:
    spelled = [one for one in instead if one]
    fail = Fail("usage", f"{text!r} is no place: {detail}" if text else detail, Instead=" or ".join(spelled) or None)
    return fail.proposing("HOST/PATH[:TAG]  s3://BUCKET/KEY  git+https://HOST/PATH  file:PATH  ./PATH")
