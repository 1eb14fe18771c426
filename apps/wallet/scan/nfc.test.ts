import { afterEach, describe, expect, it, vi } from 'vitest';
import { readsTags, TagError, tappedLink } from './nfc.ts';

type Records = { recordType: string; data?: DataView; toRecords?: () => Records }[];

let readers: FakeReader[] = [];

/** A reader as Chrome's: `scan` resolves when it waits; tags come as events. */
class FakeReader extends EventTarget {
  static refuses: DOMException | null = null;
  signal: AbortSignal | null = null;

  constructor() {
    super();
    readers.push(this);
  }

  scan({ signal }: { signal: AbortSignal }): Promise<void> {
    this.signal = signal;
    return FakeReader.refuses === null ? Promise.resolve() : Promise.reject(FakeReader.refuses);
  }

  tap(records: Records): void {
    this.dispatchEvent(Object.assign(new Event('reading'), { message: { records } }));
  }
}

const text = (value: string): DataView => new DataView(new TextEncoder().encode(value).buffer);
const never = (): AbortSignal => new AbortController().signal;
const LINK = 'https://pay.example/t/Zm9vYmFyYmF6cXV4MTIz?picc_data=AB&cmac=CD';

afterEach(() => {
  vi.unstubAllGlobals();
  readers = [];
  FakeReader.refuses = null;
});

describe('a shop’s tag', () => {
  it('is read where the browser reads tags only', async () => {
    expect(readsTags()).toBe(false);
    await expect(tappedLink(never())).rejects.toThrow(TagError);
    vi.stubGlobal('NDEFReader', FakeReader);
    expect(readsTags()).toBe(true);
  });

  it.each<[string, Records]>([
    ['a link', [{ recordType: 'url', data: text(LINK) }]],
    [
      'a link after a text',
      [
        { recordType: 'text', data: text('hello') },
        { recordType: 'absolute-url', data: text(LINK) },
      ],
    ],
    [
      'a link in a smart poster',
      [
        {
          recordType: 'smart-poster',
          toRecords: () => [{ recordType: 'url', data: text(LINK) }],
        },
      ],
    ],
  ])('with %s', async (_, records) => {
    vi.stubGlobal('NDEFReader', FakeReader);
    const link = tappedLink(never());
    readers[0]?.tap(records);
    expect(await link).toBe(LINK);
    expect(readers[0]?.signal?.aborted).toBe(true); // it reads no more
  });

  it('without a link says so', async () => {
    vi.stubGlobal('NDEFReader', FakeReader);
    const link = tappedLink(never());
    readers[0]?.tap([{ recordType: 'text', data: text('hello') }]);
    await expect(link).rejects.toMatchObject({ trouble: 'empty' });
  });

  it('that was taken away says so', async () => {
    vi.stubGlobal('NDEFReader', FakeReader);
    const link = tappedLink(never());
    readers[0]?.dispatchEvent(new Event('readingerror'));
    await expect(link).rejects.toMatchObject({ trouble: 'unreadable' });
  });

  it.each([
    ['NotAllowedError', 'refused'],
    ['NotSupportedError', 'off'],
    ['NotReadableError', 'off'],
  ])('%s is %s', async (name, trouble) => {
    vi.stubGlobal('NDEFReader', FakeReader);
    FakeReader.refuses = new DOMException('no', name);
    await expect(tappedLink(never())).rejects.toMatchObject({ trouble });
  });

  it('is waited for until the person closes it', async () => {
    vi.stubGlobal('NDEFReader', FakeReader);
    const closing = new AbortController();
    const link = tappedLink(closing.signal);
    closing.abort();
    await expect(link).rejects.toMatchObject({ name: 'AbortError' });
    expect(readers[0]?.signal?.aborted).toBe(true);
  });
});
