// SPDX-License-Identifier: Apache-2.0
// Is a file HAR 1.2? har_schema.mjs FILE: prints what is wrong, exit 1; the schema is the npm package har-schema.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const Ajv = require('ajv');
const schemas = require('har-schema');

const ajv = new Ajv({ allErrors: true });
ajv.addMetaSchema(require('ajv/lib/refs/json-schema-draft-06.json'));
ajv.addSchema(Object.values(schemas));
const validate = ajv.getSchema('har.json#');
const har = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
if (!validate(har)) {
	for (const error of validate.errors.slice(0, 20)) {
		console.log(error.dataPath, error.message);
	}
	process.exit(1);
}
console.log(`${har.log.entries.length} entries are HAR ${har.log.version}`);
