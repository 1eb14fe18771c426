import { expect, test } from 'vitest';
import { RefusedError, UnknownOutcomeError, type Problem } from '../../lib/api/client.ts';
import { Once } from './once.ts';

const refused = (code: string): RefusedError => new RefusedError({ code } as Problem);

/** Presses one after another: what each came to, and what it asked for; the keys that were sent. */
async function keysOf(...presses: [error: Error | null, of?: string][]): Promise<string[]> {
  const once = new Once();
  const sent: string[] = [];
  for (const [error, of] of presses)
    await once
      .do(async (header) => {
        sent.push(header['Idempotency-Key']);
        await Promise.resolve();
        if (error !== null) throw error;
      }, of)
      .catch(() => undefined);
  return sent;
}

test('a lost answer is asked for again by the same key, and nothing else is', async () => {
  const sent = await keysOf(
    [new UnknownOutcomeError('network')],
    [null],
    [refused('invalid')],
    [null],
  );
  expect(sent[1]).toBe(sent[0]);
  expect(new Set(sent).size).toBe(3);
});

test('a session that ends after a lost answer does not make it something else', async () => {
  const sent = await keysOf(
    [new UnknownOutcomeError('network')],
    [refused('session_over')],
    [null],
  );
  expect(new Set(sent).size).toBe(1);
});

test('what asks for something else has another key', async () => {
  const lost = new UnknownOutcomeError('network');
  const sent = await keysOf([lost, '800'], [lost, '900'], [null, '900']);
  expect(sent[2]).toBe(sent[1]);
  expect(new Set(sent).size).toBe(2);
});
