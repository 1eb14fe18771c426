/**
 * A shop's NFC tag, read by the browser (W3C Web NFC; Chrome on Android). A tag holds a link: the
 * shop's own, or another one at each tap (docs/tags.md).
 */

interface TagRecord {
  recordType: string;
  data?: DataView;
  toRecords?: () => TagRecord[] | undefined;
}

interface TagReader extends EventTarget {
  scan(options: { signal: AbortSignal }): Promise<void>;
}

type Maker = new () => TagReader;

/** Why no tag can be read now. */
export type TagTrouble = 'refused' | 'off' | 'unreadable' | 'empty';

export class TagError extends Error {
  readonly trouble: TagTrouble;

  constructor(trouble: TagTrouble) {
    super(trouble);
    this.name = 'TagError';
    this.trouble = trouble;
  }
}

function maker(): Maker | undefined {
  return (globalThis as { NDEFReader?: Maker }).NDEFReader;
}

/** Whether this browser reads tags. */
export function readsTags(): boolean {
  return maker() !== undefined;
}

/**
 * Wait until a tag is held to the phone; the link on it. Throws `TagError`, and an AbortError when
 * `signal` is aborted. Whatever comes of it, the phone reads no more tags afterwards.
 */
export async function tappedLink(signal: AbortSignal): Promise<string> {
  const Reader = maker();
  if (Reader === undefined) throw new TagError('off');
  const ending = new AbortController();
  const both = AbortSignal.any([signal, ending.signal]);
  const reader = new Reader();
  try {
    const read = new Promise<string>((resolve, reject) => {
      both.addEventListener('abort', () => {
        reject(new DOMException('no tag is waited for any more', 'AbortError'));
      });
      reader.addEventListener('readingerror', () => {
        reject(new TagError('unreadable'));
      });
      reader.addEventListener('reading', (event) => {
        const { message } = event as Event & { message: { records: TagRecord[] } };
        const link = linkIn(message.records);
        if (link === null) reject(new TagError('empty'));
        else resolve(link);
      });
    });
    await Promise.all([reader.scan({ signal: both }), read]).catch((error: unknown) => {
      read.catch(() => undefined); // the first of the two says what happened
      throw troubleOf(error);
    });
    return await read;
  } finally {
    ending.abort();
  }
}

function troubleOf(error: unknown): unknown {
  if (!(error instanceof DOMException) || error.name === 'AbortError') return error;
  return new TagError(error.name === 'NotAllowedError' ? 'refused' : 'off');
}

/** The first link among a message's records, also within a smart poster. */
function linkIn(records: TagRecord[]): string | null {
  for (const record of records) {
    if (/^(?:absolute-)?url$/.test(record.recordType) && record.data !== undefined) {
      return new TextDecoder().decode(record.data);
    }
    const inner = record.recordType === 'smart-poster' ? record.toRecords?.() : undefined;
    const link = inner === undefined ? null : linkIn(inner);
    if (link !== null) return link;
  }
  return null;
}
