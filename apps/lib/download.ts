/**
 * Long answers that become a file: they are read as they come, and say how far they are. A file is
 * only made of an answer that came whole.
 */
import {
  credentialsOf,
  RefusedError,
  UnknownOutcomeError,
  type Caller,
  type Problem,
} from './api/client.ts';

/** How many lines an export has, as its first header says. */
export const TOTAL = 'tandem-rows';

export interface Progress {
  rows: number;
  /** null where the server did not say */
  total: number | null;
}

/** Ask for an export. Throws as `answered` does. */
export async function askExport(
  address: string,
  caller: Caller,
  signal: AbortSignal,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, {
      ...credentialsOf(caller),
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

/**
 * Read an export to its end. Every row ends with a line feed, which is how many there are so far.
 * Throws `UnknownOutcomeError` if it broke off: a part of a list is worse than none.
 */
export async function readExport(
  response: Response,
  onProgress: (progress: Progress) => void,
): Promise<Blob> {
  const said = Number(response.headers.get(TOTAL) ?? Number.NaN);
  const total = Number.isSafeInteger(said) ? said : null;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let lines = 0;
  const source = response.body?.getReader();
  try {
    for (;;) {
      const part = await source?.read();
      if (part === undefined || part.done) break;
      parts.push(new Uint8Array(part.value));
      for (const byte of part.value) if (byte === 10) lines += 1;
      onProgress({ rows: total === null ? lines : Math.min(lines, total), total });
    }
  } catch (error) {
    throw new UnknownOutcomeError(error);
  }
  return new Blob(parts, { type: response.headers.get('content-type') ?? '' });
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
