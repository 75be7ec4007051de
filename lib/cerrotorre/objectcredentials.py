"""What Amazon's tools say of a store: credentials, region, endpoint, certificates, from the environment and ~/.aws (ct-places(5)).

obstore reads the environment by itself, and asks the host it runs on; it reads no profile. What a profile leads to that would run a
program or log in somewhere is refused by name.
"""

import os
from collections.abc import Mapping

from cerrotorre.errors import Fail

MAX_FILE = 1 << 20
# Members of a profile that say where else credentials come from.
ELSEWHERE = (
    "credential_process",
    "sso_session",
    "sso_start_url",
    "role_arn",
    "source_profile",
    "credential_source",
    "web_identity_token_file",
)
# What obstore takes credentials from without our help.
OTHERS = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_KEYS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}

Sections = dict[str, dict[str, str]]


def found(env: Mapping[str, str]) -> dict[str, str]:
    """{"access_key_id", "secret_access_key", "session_token", "region", "endpoint", "ca_bundle"}: those of them that are said.

    Raises Fail network for a profile that is named and not there, or leads elsewhere, and where there is nothing at all.
    """
    credentials, config = _read(env, "AWS_SHARED_CREDENTIALS_FILE", "credentials"), _read(env, "AWS_CONFIG_FILE", "config")
    name = env.get("AWS_PROFILE") or env.get("AWS_DEFAULT_PROFILE") or "default"
    key = "default" if name == "default" and "default" in config else f"profile {name}"
    if name != "default" and name not in credentials and key not in config:
        raise Fail("network", f"there is no profile {name!r} in ~/.aws/credentials or ~/.aws/config", Profile=name)
    profile = {**config.get(key, {})}
    made = _keys(env, credentials.get(name, {}), profile, name)
    if region := env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or profile.get("region"):
        made["region"] = region
    if endpoint := _endpoint(env, profile, config):
        made["endpoint"] = endpoint
    if bundle := env.get("AWS_CA_BUNDLE") or profile.get("ca_bundle"):
        made["ca_bundle"] = os.path.expanduser(bundle)
    return made


def _keys(env: Mapping[str, str], credentials: dict[str, str], profile: dict[str, str], name: str) -> dict[str, str]:
    """The keys, {} where something else gives them."""
    if env.get("AWS_ACCESS_KEY_ID"):
        given = {ours: env.get(theirs.upper(), "") for theirs, ours in _KEYS.items()}
        if not given["secret_access_key"]:
            raise Fail("network", "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not")
        return {ours: value for ours, value in given.items() if value}
    if env.get("AWS_SECRET_ACCESS_KEY"):
        raise Fail("network", "AWS_SECRET_ACCESS_KEY is set, and AWS_ACCESS_KEY_ID is not")
    for section in (credentials, profile):
        if section.get("aws_access_key_id") and section.get("aws_secret_access_key"):
            return {ours: section[theirs] for theirs, ours in _KEYS.items() if section.get(theirs)}
    for member in ELSEWHERE:
        if member in profile or member in credentials:
            raise Fail(
                "network",
                f"the profile {name!r} takes its credentials by way of {member}, which is not done here",
                Profile=name,
            ).proposing(f'eval "$(aws configure export-credentials --profile {name} --format env)"')
    if env.get("AWS_SKIP_SIGNATURE", "").lower() in ("true", "1") or any(env.get(other) for other in OTHERS):
        return {}
    if env.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        raise Fail("network", "there are no credentials: neither in the environment nor in ~/.aws/credentials")
    return {}


def _endpoint(env: Mapping[str, str], profile: dict[str, str], config: Sections) -> str | None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if env.get(name):
            return env[name]
    # A nested section: `s3 =`, and indented lines that belong to it.
    for line in config.get(f"services {profile.get('services', '')}", {}).get("s3", "").splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip() == "endpoint_url":
            return value.strip()
    return profile.get("endpoint_url")


def _read(env: Mapping[str, str], variable: str, name: str) -> Sections:
    """The sections of one file of Amazon's; none if it is not there. What is wrong with it is said without a line of it."""
    home = env.get("HOME", "")
    path = os.path.expanduser(env.get(variable) or "") or (os.path.join(home, ".aws", name) if os.path.isabs(home) else "")
    if not path or not os.path.exists(path):
        return {}
    from configparser import Error, RawConfigParser

    parser = RawConfigParser(default_section="", interpolation=None)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(MAX_FILE + 1)
        if len(text) > MAX_FILE:
            raise Fail("network", f"'{path}' is over {MAX_FILE} bytes", File=path)
        parser.read_string(text)
    except (OSError, ValueError, Error) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not as Amazon's tools write it"
        raise Fail("network", f"'{path}' cannot be read: {said}", File=path) from None
    return {section: dict(parser.items(section)) for section in parser.sections()}
