/**
 * The API, typed by its own OpenAPI document. With each request goes a key, of a device or a till,
 * or the cookie of a session; which it is comes from lib/device.ts and lib/sign-in.
 */
import createClient, { type Client } from 'openapi-fetch';
import type { components, paths } from './schema.ts';

export type Api = Client<paths>;
export type Schemas = components['schemas'];
export type Problem = Schemas['Problem'];

/** Whose sessions there are: each kind has a cookie of its own, so one browser can have all. */
export type Kind = Schemas['Who']['kind'];
/** Who asks: by a key, by a session of a kind, or as a stranger. */
export type Caller = string | { session: Kind } | null;

const TIMEOUT_MS = 20_000;

/**
 * What a request says of who asks. A script cannot read a session's cookie; the browser sends it,
 * and the header says which of several is meant.
 */
export function credentialsOf(caller: Caller): {
  headers: Record<string, string>;
  credentials: RequestCredentials;
} {
  if (caller === null) return { headers: {}, credentials: 'omit' };
  if (typeof caller === 'string')
    return { headers: { Authorization: `Bearer ${caller}` }, credentials: 'omit' };
  return { headers: { 'Tandem-Session': caller.session }, credentials: 'same-origin' };
}

/** A request that was answered with a problem. */
export class RefusedError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.code);
    this.name = 'RefusedError';
    this.problem = problem;
  }
}

/** A request that was not answered, or by something that is not the API: what it did is unknown. */
export class UnknownOutcomeError extends Error {
  constructor(cause: unknown) {
    super('no answer', { cause });
    this.name = 'UnknownOutcomeError';
  }
}

/** A client for whoever asks. `origin` and `fetcher` are for tests. */
export function apiClient(caller: Caller, origin = '', fetcher: typeof fetch = fetch): Api {
  return createClient<paths>({
    baseUrl: origin,
    ...credentialsOf(caller),
    cache: 'no-store',
    referrerPolicy: 'no-referrer',
    fetch: async (request) => {
      const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]);
      return fetcher(new Request(request, { signal }));
    },
  });
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * What the API answered. Throws `RefusedError` with its problem, or `UnknownOutcomeError` where no
 * answer of the API came: the network is away, or a proxy answered in its place.
 */
export async function answered<T>(asked: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await asked;
  } catch (error) {
    throw new UnknownOutcomeError(error);
  }
  if (answer.response.ok && answer.data !== undefined) return answer.data;
  // Some answers have nothing to say: 204.
  if (answer.response.status === 204) return undefined as T;
  if (isProblem(answer.error)) throw new RefusedError(answer.error);
  throw new UnknownOutcomeError(answer.response.status);
}

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'code' in value && 'detail' in value;
}

/** Whether it was refused for this reason. */
export function isRefused(error: unknown, code: string): boolean {
  return error instanceof RefusedError && error.problem.code === code;
}

/** Codes that say that the server itself does not know, or cannot tell now. */
const UNCERTAIN = new Set([
  'outcome_unknown',
  'database_unavailable',
  'server_stopping',
  'internal_error',
  'busy',
  'too_many_requests',
]);

/** Whether asking again with the same idempotency key may bring an answer. */
export function isUncertain(error: unknown): boolean {
  if (error instanceof UnknownOutcomeError) return true;
  return error instanceof RefusedError && UNCERTAIN.has(error.problem.code);
}

const PAUSES_MS = [400, 800, 1600, 3000, 5000];

/**
 * Send a command until it is answered, always under the same idempotency key, so that it is done
 * once at most however often it is sent. `onUnknown` is told when an answer fails to come. Gives up
 * when `signal` is aborted, and then throws the last error.
 */
export async function settle<T>(
  send: (idempotencyKey: string) => Promise<T>,
  options: {
    key: string;
    onUnknown?: () => void;
    signal?: AbortSignal;
    pause?: (ms: number) => Promise<void>;
  },
): Promise<T> {
  const pause = options.pause ?? ((ms) => new Promise((done) => setTimeout(done, ms)));
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await send(options.key);
    } catch (error) {
      if (!isUncertain(error) || options.signal?.aborted === true) throw error;
      options.onUnknown?.();
      await pause(PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)] ?? 0);
    }
  }
}
