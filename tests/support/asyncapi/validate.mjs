// Reads an AsyncAPI document with the standard's own parser and prints what it finds as JSON.
// usage: node validate.mjs FILE
import { readFileSync } from 'node:fs';
import asyncapi from '@asyncapi/parser';

const { document, diagnostics } = await new asyncapi.Parser().parse(readFileSync(process.argv[2], 'utf8'));
const found = diagnostics.map(({ code, message, path, severity }) => ({ code, message, severity, path: path.join('/') }));
console.log(JSON.stringify({
  version: document?.version() ?? null,
  channels: document?.allChannels().all().length ?? 0,
  operations: document?.allOperations().all().length ?? 0,
  messages: document?.allMessages().all().length ?? 0,
  diagnostics: found,
}));
