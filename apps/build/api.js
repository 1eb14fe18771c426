// Write lib/api/schema.ts, the API's types, from docs/reference/openapi.json. What can be refused is
// the same shape everywhere, so each operation's refusals become one default answer: the document
// lists them all, which makes thirty times the text. It is built, not kept: the document is.
import { readFile, writeFile } from 'node:fs/promises';
import openapi, { astToString } from 'openapi-typescript';

const DOCUMENT = new URL('../../docs/reference/openapi.json', import.meta.url);
const SCHEMA = new URL('../lib/api/schema.ts', import.meta.url);

const FILES = ['text/csv', 'application/x-ndjson'];

const problem = {
  description: 'A problem (RFC 9457)',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

const document = JSON.parse(await readFile(DOCUMENT, 'utf8'));
for (const methods of Object.values(document.paths)) {
  for (const operation of Object.values(methods)) {
    const answers = Object.entries(operation.responses).filter(([status]) => status < '400');
    for (const [, answer] of answers) {
      delete answer.headers;
      // Files of whole lists are read as they come (lib/download).
      for (const type of FILES) delete answer.content?.[type];
    }
    operation.responses = { ...Object.fromEntries(answers), default: problem };
  }
}
delete document.webhooks;
await writeFile(
  SCHEMA,
  astToString(
    await openapi(document, { alphabetize: true, defaultNonNullable: false, silent: true }),
  ),
);
