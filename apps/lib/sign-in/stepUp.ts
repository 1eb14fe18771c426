/**
 * Payments that ask for the passkey. Whatever moves money may be refused with `passkey_needed`, with
 * what is to be signed; the same request, under the same Idempotency-Key, is then done with the
 * answer beside it. It is asked for here, beneath whoever pays: a page sends, and is told how it went.
 */
import type { Middleware } from 'openapi-fetch';
import { RefusedError, type Problem, type Schemas } from '../api/client.ts';

interface Signed {
  assertion: Schemas['Assertion'];
  /** the refusal that asked for it: it has the amount */
  asked: Problem;
}

/** What was signed, by the key of its request: a repeat whose answer was lost sends the same again. */
const signed = new Map<string, Signed>();
const KEPT = 20;
/** What the pages' requests said, until they are answered. */
const bodies = new WeakMap<Request, string>();

export const stepUp: Middleware = {
  onRequest: async ({ request }) => {
    const key = request.headers.get('idempotency-key');
    if (request.method !== 'POST' || key === null) return undefined;
    const text = await request.clone().text();
    const assertion = signed.get(key)?.assertion;
    const sent = assertion === undefined ? request : confirmed(request, text, assertion);
    bodies.set(sent, text);
    return sent;
  },
  onResponse: async ({ request, response, options }) => {
    const text = bodies.get(request);
    const key = request.headers.get('idempotency-key');
    if (text === undefined || key === null || response.status < 400) return undefined;
    const problem = await problemOf(response);
    const before = signed.get(key);
    if (problem?.code === 'passkey_refused' && before !== undefined)
      return told(response, before.asked, new RefusedError(problem));
    if (problem?.code !== 'passkey_needed') return undefined;
    // Both are loaded when the first payment asks: most never do.
    const { passkeysHere, usePasskey } = await import('./passkeys.ts');
    const { cannotSentence } = await import('./say.ts');
    const ability = passkeysHere();
    if (ability !== 'yes') return answer(response, problem, cannotSentence(ability));
    let assertion: Schemas['Assertion'];
    try {
      assertion = await usePasskey(problem.data['options'] as unknown as Schemas['RequestOptions']);
    } catch (error) {
      return told(response, problem, error);
    }
    keep(key, { assertion, asked: problem });
    const again = await options.fetch(confirmed(request, text, assertion));
    const refused = again.ok ? null : await problemOf(again);
    if (refused?.code !== 'passkey_refused') return again;
    signed.delete(key);
    return told(again, problem, new RefusedError(refused));
  },
};

/** The same request with what was signed. */
function confirmed(request: Request, text: string, assertion: Schemas['Assertion']): Request {
  const body: unknown = text === '' ? {} : JSON.parse(text);
  const headers = new Headers(request.headers);
  headers.set('content-type', 'application/json');
  return new Request(request.url, {
    method: request.method,
    headers,
    body: JSON.stringify({ ...(body as object), assertion }),
    ...{ cache: request.cache, credentials: request.credentials },
    referrerPolicy: request.referrerPolicy,
  });
}

function keep(key: string, one: Signed): void {
  signed.set(key, one);
  for (const old of signed.keys()) {
    if (signed.size <= KEPT) break;
    signed.delete(old);
  }
}

async function problemOf(response: Response): Promise<Problem | null> {
  try {
    const found = (await response.clone().json()) as Problem | null;
    return typeof found?.code === 'string' ? found : null;
  } catch {
    return null;
  }
}

/** The refusal that asked for the passkey, with why it was not used. */
async function told(response: Response, asked: Problem, error: unknown): Promise<Response> {
  const { signInSentence } = await import('./say.ts');
  return answer(response, asked, signInSentence(error));
}

/** `why` is in the person's language; the API's own sentence is not. */
function answer(response: Response, asked: Problem, why: string): Response {
  return Response.json({ ...asked, data: { ...asked.data, why } }, { status: response.status });
}
