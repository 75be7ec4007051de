"""Documents to attach, small and whole: every member that the schemas name is in one of them. `python3 predicates.py NAME` prints one.

A number after the name makes an SBOM of that many packages.
"""

import json
import sys
from typing import Any

TIME = "2026-11-20T10:00:00Z"
SUM = {"algorithm": "SHA256", "checksumValue": "0a" * 32}
NOTE = {"annotator": "Tool: made-1.0", "annotationDate": TIME, "annotationType": "OTHER", "comment": "c"}
PACKAGE = {
    "SPDXID": "SPDXRef-Package-1",
    "name": "libhello",
    "versionInfo": "1.2-3",
    "packageFileName": "libhello.deb",
    "supplier": "Organization: Example",
    "originator": "NOASSERTION",
    "downloadLocation": "NOASSERTION",
    "filesAnalyzed": True,
    "packageVerificationCode": {"packageVerificationCodeValue": "0a" * 20, "packageVerificationCodeExcludedFiles": ["./x"]},
    "checksums": [SUM],
    "homepage": "https://hello.example/",
    "sourceInfo": "s",
    "licenseConcluded": "MIT",
    "licenseDeclared": "NOASSERTION",
    "licenseInfoFromFiles": ["MIT"],
    "licenseComments": "l",
    "copyrightText": "NONE",
    "summary": "s",
    "description": "d",
    "comment": "c",
    "attributionTexts": ["a"],
    "hasFiles": ["SPDXRef-File-1"],
    "annotations": [NOTE],
    "externalRefs": [
        {
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": "pkg:deb/debian/libhello@1.2-3",
            "comment": "c",
        }
    ],
    "primaryPackagePurpose": "LIBRARY",
    "releaseDate": TIME,
    "builtDate": TIME,
    "validUntilDate": "2027-01-01T00:00:00.5Z",
}
SBOM: dict[str, Any] = {
    "spdxVersion": "SPDX-2.3",
    "dataLicense": "CC0-1.0",
    "SPDXID": "SPDXRef-DOCUMENT",
    "name": "hello",
    "documentNamespace": "https://sbom.example/hello-1",
    "creationInfo": {
        "created": TIME,
        "creators": ["Tool: made-1.0", "Person: Jo"],
        "licenseListVersion": "3.25",
        "comment": "c",
    },
    "comment": "é",
    "documentDescribes": ["SPDXRef-Package-1"],
    "externalDocumentRefs": [
        {"externalDocumentId": "DocumentRef-base", "spdxDocument": "https://sbom.example/base", "checksum": SUM}
    ],
    "hasExtractedLicensingInfos": [
        {"licenseId": "LicenseRef-1", "extractedText": "t", "name": "n", "comment": "c", "seeAlsos": ["https://x.example"]}
    ],
    "annotations": [NOTE],
    "packages": [PACKAGE],
    "files": [
        {
            "SPDXID": "SPDXRef-File-1",
            "fileName": "./a",
            "checksums": [SUM],
            "fileTypes": ["TEXT"],
            "licenseConcluded": "MIT",
            "licenseInfoInFiles": ["MIT"],
            "licenseComments": "l",
            "copyrightText": "c",
            "comment": "c",
            "noticeText": "n",
            "fileContributors": ["Jo"],
            "attributionTexts": ["a"],
            "annotations": [NOTE],
        }
    ],
    "snippets": [
        {
            "SPDXID": "SPDXRef-Snippet-1",
            "snippetFromFile": "SPDXRef-File-1",
            "name": "n",
            "ranges": [{"startPointer": {"offset": 1}, "endPointer": {"offset": 2}}],
            "licenseConcluded": "MIT",
            "copyrightText": "c",
            "comment": "c",
        }
    ],
    "relationships": [
        {
            "spdxElementId": "SPDXRef-DOCUMENT",
            "relatedSpdxElement": "SPDXRef-Package-1",
            "relationshipType": "DESCRIBES",
            "comment": "c",
        },
        {"spdxElementId": "SPDXRef-Package-1", "relatedSpdxElement": "NOASSERTION", "relationshipType": "DEPENDS_ON"},
    ],
    "x-ours": {"kept": [1, 1.5, None]},
}
SOURCE = {
    "name": "source",
    "uri": "git+https://git.example/hello@refs/heads/main",
    "digest": {"gitCommit": "0a" * 20},
    "content": "",
    "downloadLocation": "https://git.example/hello.tar",
    "mediaType": "application/x-tar",
    "annotations": {"x": 1},
}
PROVENANCE: dict[str, Any] = {
    "buildDefinition": {
        "buildType": "https://ci.example/buildtype/v1",
        "externalParameters": {"ref": "main"},
        "internalParameters": {"runner": 4},
        "resolvedDependencies": [SOURCE, {"digest": {"sha256": "0a" * 32}}],
    },
    "runDetails": {
        "builder": {
            "id": "https://ci.example/builder/v3",
            "version": {"ci": "3.1"},
            "builderDependencies": [{"uri": "pkg:x/y"}],
        },
        "metadata": {"invocationId": "17", "startedOn": TIME, "finishedOn": "2026-11-20T10:00:00.25+01:00"},
        "byproducts": [{"content": "bG9n", "name": "log"}],
    },
}
KINDS = {"sbom": SBOM, "provenance": PROVENANCE}


def large(packages: int) -> dict[str, Any]:
    """An SBOM of so many packages, some 1,000 bytes each."""
    made = [
        {**PACKAGE, "SPDXID": f"SPDXRef-Package-{number}", "name": f"lib{number}", "description": "d" * 100}
        for number in range(1, packages + 1)
    ]
    return {**SBOM, "packages": made}


def statement(kind: str, image: str, **more: Any) -> dict[str, Any]:
    """The document in a Statement v1 about an image."""
    kinds = {"sbom": "https://spdx.dev/Document/v2.3", "provenance": "https://slsa.dev/provenance/v1"}
    subject = [{"name": "other", "digest": {"sha512": "0a" * 64}}, {"name": "image", "digest": {"sha256": image[7:]}}]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": kinds[kind],
        "predicate": KINDS[kind],
        **more,
    }


if __name__ == "__main__":
    name, argument = sys.argv[1], sys.argv[2] if sys.argv[2:] else ""
    about = argument.startswith("sha256:")
    print(json.dumps(statement(name, argument) if about else large(int(argument)) if argument else KINDS[name], indent=1))
