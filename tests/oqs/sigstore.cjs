// Sigstore's own verification of a bundle by a key: node sigstore.cjs NODE_MODULES BUNDLE PUBLIC_DER_BASE64 HINT
"use strict";
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");

const [modules, file, key, hint] = process.argv.slice(2);
const from = createRequire(`${modules}/`);
const { bundleFromJSON } = from("@sigstore/bundle");
const { Verifier, toSignedEntity, toTrustMaterial } = from("@sigstore/verify");

const nobody = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
const trusted = toTrustMaterial(nobody, { [hint]: { rawBytes: Buffer.from(key, "base64") } });
// As `cosign verify --key K --insecure-ignore-tlog`: the key alone decides.
const verifier = new Verifier(trusted, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });
const bundle = bundleFromJSON(JSON.parse(readFileSync(file, "utf8")));
try {
	verifier.verify(toSignedEntity(bundle));
	console.log("verified");
} catch (error) {
	console.log(error.code);
}
