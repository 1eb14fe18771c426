import { expect, test } from 'vitest';
import { UnknownOutcomeError } from './api/client.ts';
import { MARK, readExport, type Progress } from './download.ts';

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
    answer(['a,b\r\n1,', '2\r\n3,4\r\n'], { 'content-type': 'text/csv' }),
    (progress) => seen.push(progress),
  );
  expect(await file.text()).toBe('a,b\r\n1,2\r\n3,4\r\n');
  expect(file.type).toBe('text/csv');
  expect(seen).toEqual([{ rows: 1 }, { rows: 3 }]);
});

test('a file for spreadsheets begins with a mark', async () => {
  const file = await readExport(answer(['a\r\n'], {}), () => undefined, MARK);
  expect([...new Uint8Array(await file.arrayBuffer())].slice(0, 3)).toEqual([0xef, 0xbb, 0xbf]);
});

test('what broke off is no file', async () => {
  const cut = answer(['1,2\r\n'], {}, true);
  await expect(readExport(cut, () => undefined)).rejects.toBeInstanceOf(UnknownOutcomeError);
});
