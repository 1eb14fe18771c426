/**
 * Long answers that become a file: they are read as they come, and say how far they are. A file is
 * only made of an answer that came whole.
 */
import { credentialsOf, RefusedError, UnknownOutcomeError, type Caller } from './api/client.ts';
import type { Problem } from './api/client.ts';

/** How far an export is: the rows that came, of all that will, where those were counted. */
export interface Progress {
  rows: number;
  total: number | null;
}

/** The files that every list of the API comes as, whole, if one asks for them. */
const FORMATS = { csv: 'text/csv', ndjson: 'application/x-ndjson' } as const;
export type Format = keyof typeof FORMATS;

/** By this Excel knows that a file is UTF-8. */
export const MARK = '\uFEFF';

/** Ask for a list as a file. Throws as `answered` does. */
export async function askExport(
  address: string,
  format: Format,
  caller: Caller,
  signal: AbortSignal,
): Promise<Response> {
  const { headers, credentials } = credentialsOf(caller);
  let response: Response;
  try {
    response = await fetch(address, {
      headers: { ...headers, Accept: FORMATS[format] },
      credentials,
      cache: 'no-store',
      signal,
    });
  } catch (error) {
    throw new UnknownOutcomeError(error);
  }
  if (response.ok && response.body !== null) return response;
  const problem: unknown = await response.json().catch(() => null);
  if (typeof problem === 'object' && problem !== null && 'code' in problem)
    throw new RefusedError(problem as Problem);
  throw new UnknownOutcomeError(response.status);
}

/** How many rows the server counted before it began. */
function totalOf(response: Response): number | null {
  const total = response.headers.get('tandem-total') ?? '';
  return /^[0-9]{1,15}$/.test(total) ? Number(total) : null;
}

/**
 * Read an export to its end. Every row ends with a line feed, which is how many there are so far; a
 * table has its heads above them. What is in quotes may have more, so it is never more than all.
 * `before` is put in front of it. Throws `UnknownOutcomeError` if it broke off: a part of a list is
 * worse than none.
 */
export async function readExport(
  response: Response,
  onProgress: (progress: Progress) => void,
  before = '',
): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const total = totalOf(response);
  const heads = (response.headers.get('content-type') ?? '').startsWith(FORMATS.csv) ? 1 : 0;
  let lines = -heads;
  const source = response.body?.getReader();
  try {
    for (;;) {
      const part = await source?.read();
      if (part === undefined || part.done) break;
      parts.push(new Uint8Array(part.value));
      for (const byte of part.value) if (byte === 10) lines += 1;
      onProgress({ rows: Math.min(Math.max(0, lines), total ?? Infinity), total });
    }
  } catch (error) {
    throw new UnknownOutcomeError(error);
  }
  return new Blob([before, ...parts], { type: response.headers.get('content-type') ?? '' });
}

/** Let the browser save a file. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has read it long before; a minute is for slow disks.
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
  }, 60_000);
}
