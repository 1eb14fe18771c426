/**
 * Live updates: the API's server-sent events (WHATWG HTML §9.2), read with `fetch` because the
 * browser's own EventSource sends no key. After a break it asks for what it missed.
 */
import { credentialsOf, type Caller, type Schemas } from './client.ts';

export type Event = Schemas['EventView'];

/** No comment for this long, three of the server's heartbeats: the connection is dead. */
const SILENCE_MS = 45_000;
const PAUSES_MS = [0, 500, 1000, 2000, 4000, 8000, 15_000];

interface Frame {
  id: string | null;
  data: string;
}

/** Takes a stream apart into its events, however it was cut on its way. */
export class FrameReader {
  #rest = '';

  /** The events that these characters complete. */
  push(text: string): Frame[] {
    const blocks = (this.#rest + text).replace(/\r\n?/g, '\n').split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.map(frameOf).filter((frame) => frame !== null);
  }
}

function frameOf(block: string): Frame | null {
  let id: string | null = null;
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, name, value = ''] = /^(id|data): ?(.*)$/.exec(line) ?? [];
    if (name === 'id') id = value;
    if (name === 'data') data.push(value);
  }
  return data.length === 0 ? null : { id, data: data.join('\n') };
}

export interface Follower {
  /** Something happened. */
  onEvent: (event: Event) => void;
  /** The connection stands (again), or is lost. What was missed comes as events. */
  onState: (state: 'live' | 'away') => void;
  /** The key is good no more, or the session is over. */
  onShut: () => void;
}

/**
 * Follow the events that a caller may see until the signal is aborted. `after` is the last event that
 * is known already: what happened since comes first.
 */
export async function follow(
  caller: Caller,
  follower: Follower,
  signal: AbortSignal,
  after: string | null = null,
): Promise<void> {
  let last = after;
  for (let failures = 0; !signal.aborted; failures += 1) {
    await rest(PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)] ?? 0, signal);
    try {
      const response = await open(caller, last, signal);
      if (response.status === 401 && (await isOurs(response))) {
        follower.onShut();
        return;
      }
      // An id that the server does not take (any more) is not asked for again.
      if (response.status === 400 || response.status === 404) last = null;
      if (!response.ok || response.body === null) throw new Error(String(response.status));
      follower.onState('live');
      failures = 0;
      for await (const frame of frames(response.body, signal)) {
        last = frame.id ?? last;
        follower.onEvent(JSON.parse(frame.data) as Event);
      }
    } catch {
      // Whatever it was: the connection is lost, and the next one brings what was missed.
    }
    if (!signal.aborted) follower.onState('away');
  }
}

/** Whether the API itself says that nobody asks: a proxy's 401 forgets nobody's keys. */
async function isOurs(response: Response): Promise<boolean> {
  const problem = (await response.json()) as { code?: unknown } | null;
  return problem?.code === 'unauthenticated' || problem?.code === 'session_over';
}

function open(caller: Caller, last: string | null, signal: AbortSignal): Promise<Response> {
  const { headers, credentials } = credentialsOf(caller);
  if (last !== null) headers['Last-Event-ID'] = last;
  return fetch('/v1/events/stream', { headers, credentials, signal, cache: 'no-store' });
}

async function* frames(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Frame> {
  const source = body.getReader();
  const decoder = new TextDecoder();
  const reader = new FrameReader();
  try {
    for (;;) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const silent = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          reject(new Error('silent'));
        }, SILENCE_MS);
      });
      const { done, value } = await Promise.race([source.read(), silent]).finally(() => {
        clearTimeout(timer);
      });
      if (done || signal.aborted) return;
      yield* reader.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await source.cancel().catch(() => undefined);
  }
}

/** Wait; no longer than until the network is back. */
function rest(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      removeEventListener('online', end);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    addEventListener('online', end);
    signal.addEventListener('abort', end);
  });
}
