"""What of `ct doctor` is about settings and policies: is each one valid, and is it likely meant as it is."""

import os

from cerrotorre import config, configshow, jsonic, keystore, places, policycheck, policyfile, policyread
from cerrotorre.diagnosis import Diagnosis
from cerrotorre.doctorsetup import Setup, command
from cerrotorre.errors import Fail
from cerrotorre.keyreport import short


def home(setup: Setup, say: Diagnosis) -> str:
    try:
        return f"{short(places.home_dir(setup.env))}, data in {short(places.data_dir(setup.env))}"
    except Fail as fail:
        say.fault(fail, "export HOME=/home/YOU")
        return "not known"


def settings(setup: Setup, say: Diagnosis) -> str:
    where = config.path(setup.env)
    try:
        held = config.data(where)
    except Fail as fail:
        say.fault(fail, repair=setup.repair(fail))
        return short(where)
    if held is None:
        return f"no {short(where)}, so every setting has its default"
    found = config.wrong(where, held)
    if not found:
        document = config.parsed(where, held)
        found = config.check_named(where, document) + configshow.doubts(document)
    for made in found:
        # A note fails nothing yet.
        add = say.fail if made["status"] else say.warn
        add(str(made.get("detail", made["summary"])), "ct config check", finding=made["finding"])
    return short(where)


def policy(setup: Setup, say: Diagnosis) -> str:
    path, _, named = policyfile.chosen(None, setup.env, setup.config())
    return _policy(setup, say, path, named)


def host_policy(setup: Setup, say: Diagnosis) -> str:
    return _policy(setup, say, os.path.join(places.host_dir(), "policy.json"), named=True, host=True)


def _policy(setup: Setup, say: Diagnosis, path: str, named: bool, host: bool = False) -> str:
    check = command("ct policy check", path)
    try:
        # Whether it is there at all is asked of the file itself: an absent one that nobody named is none.
        if not os.path.lexists(path):
            if host:
                return f"no {path}"
            if not named:
                say.warn("no policy: whatever a key of yours or in trusted/ signed is valid", "ct policy init")
                return f"no {short(path)}"
        data = policyfile.data(path)
    except Fail as fail:
        say.fault(fail, repair=setup.repair(fail))
        return short(path)
    try:
        for at, said in policycheck.schema_errors(data):
            say.fail(f"{at or '/'}: {said}", check, finding="policy-malformed")
        read = policyread.read(data, path)
    except Fail as fail:
        say.fault(fail, check)
        return short(path)
    except jsonic.Malformed as error:
        say.fail(str(error), check, finding="policy-malformed")
        return short(path)
    try:
        keys = keystore.load()[0]
    except Fail:
        # The key store has a check of its own, and without keys every signer would be a doubt.
        return short(path)
    for at, said in policycheck.warnings(read, keys):
        say.warn(f"{at}: {said}", check)
    return short(path)
