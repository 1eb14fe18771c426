import { expect, test } from 'vitest';
import { RefusedError, type Problem } from '../../lib/api/client.ts';
import { Once } from './once.ts';

test('a lost answer is asked for again by the same key, and nothing else is', async () => {
  const once = new Once();
  const sent: string[] = [];
  const send = async (error: Error | null): Promise<void> => {
    await once
      .do(async (header) => {
        sent.push(header['Idempotency-Key']);
        await Promise.resolve();
        if (error !== null) throw error;
      })
      .catch(() => undefined);
  };
  await send(new TypeError('network'));
  await send(null);
  await send(new RefusedError({ code: 'invalid' } as Problem));
  await send(null);
  expect(sent[1]).toBe(sent[0]);
  expect(new Set(sent).size).toBe(3);
});
