"""What people see of a bundle that was unpacked (spec/output.adoc): text and its --json twin."""

from cerrotorre import report
from cerrotorre.palette import Palette
from cerrotorre.records import Record
from cerrotorre.text import shown
from cerrotorre.unpacking import BESIDE
from cerrotorre.written import image_line

_FORMATS = {"oci": "OCI image layout", "docker": "docker-archive", "rootfs": "root file system"}


def text(record: Record, kind: str, path: str, palette: Palette) -> str:
    head = f"{palette.mark('ok')} Unpacked {report.named(record['bundle'])} {palette.mark('->')} {shown(path)}\n"
    pairs: list[tuple[str, object]] = [
        ("Image", image_line(record)),
        ("Format", _FORMATS[kind]),
        ("Signatures", _trust(kind, path)),
    ]
    return head + report.fields(pairs, least=10) + report.notes(record, palette)


def as_json(record: Record, kind: str, path: str) -> str:
    facts = {key: record["manifest"][key] for key in ("name", "version", "image_digest", "provenance")}
    head = {"action": "unpacked", "bundle": record["bundle"], "format": kind, "path": path, "trust": _trust(kind, path)}
    return report.json_line({**head, **facts, "manifest_digest": record["manifest_digest"], "findings": record["findings"]})


def _trust(kind: str, path: str) -> str:
    """The directory that has the bundle's trust members."""
    return path if kind == "oci" else path.rstrip("/") + BESIDE
