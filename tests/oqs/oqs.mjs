// node oqs.mjs DIRECTORY: answers requests with liboqs, whose package lies in DIRECTORY; one JSON object a line, bytes in hexadecimal.
//   {"algorithm", "do": "keypair"}                          {"public", "secret"}
//   {"algorithm", "do": "sign", "secret", "message"}        {"signature"}
//   {"algorithm", "do": "verify", "public", "message", "signature"}   {"valid"}
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const { createMLDSA65, createMLDSA87 } = await import(pathToFileURL(`${process.argv[2]}/src/sig.js`).href);
const algorithms = { 'ml-dsa-65': await createMLDSA65(), 'ml-dsa-87': await createMLDSA87() };
const bytes = (text) => new Uint8Array(Buffer.from(text, 'hex'));
const hex = (data) => Buffer.from(data).toString('hex');

for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
	const asked = JSON.parse(line);
	const sig = algorithms[asked.algorithm];
	let said;
	if (asked.do === 'keypair') {
		const { publicKey, secretKey } = sig.generateKeyPair();
		said = { public: hex(publicKey), secret: hex(secretKey) };
	} else if (asked.do === 'sign') {
		said = { signature: hex(sig.sign(bytes(asked.message), bytes(asked.secret))) };
	} else {
		said = { valid: sig.verify(bytes(asked.message), bytes(asked.signature), bytes(asked.public)) };
	}
	process.stdout.write(JSON.stringify(said) + '\n');
}
