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
  expect(seen).toEqual([
    { rows: 0, total: null },
    { rows: 2, total: null },
  ]);
});

test('an export says how far it is of all, and never further', async () => {
  const far = async (kind: string, total: string): Promise<Progress[]> => {
    const seen: Progress[] = [];
    const headers = { 'content-type': kind, 'tandem-total': total };
    await readExport(answer(['a\n', 'b\n', '"c\nd"\n'], headers), (now) => seen.push(now));
    return seen;
  };
  const rows = (total: number | null, ...done: number[]): Progress[] =>
    done.map((one) => ({ rows: one, total }));
  expect(await far('text/csv; charset=utf-8', '2')).toEqual(rows(2, 0, 1, 2));
  expect(await far('application/x-ndjson', '4')).toEqual(rows(4, 1, 2, 4));
  expect(await far('application/x-ndjson', 'many')).toEqual(rows(null, 1, 2, 4));
});

test('a file for spreadsheets begins with a mark', async () => {
  const file = await readExport(answer(['a\r\n'], {}), () => undefined, MARK);
  expect([...new Uint8Array(await file.arrayBuffer())].slice(0, 3)).toEqual([0xef, 0xbb, 0xbf]);
});

test('what broke off is no file', async () => {
  const cut = answer(['1,2\r\n'], {}, true);
  await expect(readExport(cut, () => undefined)).rejects.toBeInstanceOf(UnknownOutcomeError);
});
