import { expect, test } from 'vitest';
import { UnknownOutcomeError } from './api/client.ts';
import { readExport, TOTAL, type Progress } from './download.ts';

function answer(parts: string[], headers: Record<string, string>, broken = false): Response {
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const part = parts.shift();
      if (part !== undefined) controller.enqueue(new TextEncoder().encode(part));
      else if (broken) controller.error(new TypeError('network error'));
      else controller.close();
    },
  });
  return new Response(body, { headers });
}

test('an export is read to its end, and says how far it is', async () => {
  const seen: Progress[] = [];
  const file = await readExport(
    answer(['a,b\r\n1,', '2\r\n3,4\r\n'], { [TOTAL]: '3', 'content-type': 'text/csv' }),
    (progress) => seen.push(progress),
  );
  expect(await file.text()).toBe('a,b\r\n1,2\r\n3,4\r\n');
  expect(file.type).toBe('text/csv');
  expect(seen).toEqual([
    { rows: 1, total: 3 },
    { rows: 3, total: 3 },
  ]);
});

test('a note with line feeds makes no more rows than there are', async () => {
  const seen: Progress[] = [];
  await readExport(answer(['"a\n\n\nb"\r\n'], { [TOTAL]: '2' }), (one) => seen.push(one));
  expect(seen.at(-1)).toEqual({ rows: 2, total: 2 });
});

test('nobody said how many there are', async () => {
  const seen: Progress[] = [];
  await readExport(answer(['1\n'], {}), (one) => seen.push(one));
  expect(seen).toEqual([{ rows: 1, total: null }]);
});

test('what broke off is no file', async () => {
  const cut = answer(['1,2\r\n'], { [TOTAL]: '9' }, true);
  await expect(readExport(cut, () => undefined)).rejects.toBeInstanceOf(UnknownOutcomeError);
});
