import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { answered, isRefused } from '../api/client.ts';
import { OtherKindError, Session, walkIns } from './session.svelte.ts';

const who = (kind: string, id = 'stf_1') => ({
  ...{ kind, id, name: 'Xu', handle: null, employer_id: 'mer_1', role: 'cashier' },
  ...{ refund_limit: 200_00, refund_day_limit: 1_000_00, scopes: ['payments:write'], session: {} },
});
const refusal = (status: number, code: string): Response =>
  Response.json({ code, detail: code, status, data: {} }, { status });

/** What the server answers next, in turn, and what it was asked. */
let answers: (() => Response | Promise<Response>)[] = [];
let asked: Request[] = [];

beforeEach(() => {
  answers = [];
  asked = [];
  vi.stubGlobal('location', { href: 'http://tandem.test/', hostname: 'tandem.test' });
  vi.stubGlobal(
    'Request',
    class extends Request {
      constructor(input: RequestInfo | URL, init?: RequestInit) {
        super(
          typeof input === 'string' && input.startsWith('/') ? `http://tandem.test${input}` : input,
          init,
        );
      }
    },
  );
  vi.stubGlobal('fetch', async (request: Request) => {
    asked.push(request);
    const next = answers.shift();
    if (next === undefined) throw new TypeError('no network');
    return next();
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

test('a session is found by its cookie and says which kind asks', async () => {
  answers = [() => Response.json(who('merchant'))];
  const session = new Session('merchant');
  await session.start();
  expect([session.state, session.who?.name]).toEqual(['in', 'Xu']);
  expect(asked[0]?.headers.get('tandem-session')).toBe('merchant');
  expect(asked[0]?.headers.get('authorization')).toBeNull();
  expect(session.may('payments:write')).toBe(true);
  expect(session.may('staff:write')).toBe(false);
});

test('without a network it is not known', async () => {
  const session = new Session('operator');
  await session.start();
  expect(session.state).toBe('away');
});

test('a session that ends is told once, and whoever it was is remembered', async () => {
  answers = [() => Response.json(who('merchant')), () => refusal(401, 'session_over')];
  const session = new Session('merchant');
  await session.start();
  const error: unknown = await answered(session.api.GET('/v1/merchants/me')).catch(
    (caught: unknown) => caught,
  );
  expect(isRefused(error, 'session_over')).toBe(true);
  expect([session.state, session.over, session.who?.id]).toEqual(['out', true, 'stf_1']);
  expect(session.may('payments:write')).toBe(false);
});

test('a late answer does not end the session that was opened meanwhile', async () => {
  let late: (response: Response) => void = () => undefined;
  answers = [
    () => Response.json(who('merchant')),
    () => new Promise<Response>((answer) => (late = answer)),
    () => Response.json(who('merchant')),
  ];
  const session = new Session('merchant');
  await session.start();
  const slow = answered(session.api.GET('/v1/merchants/me')).catch(() => undefined);
  await vi.waitFor(() => {
    expect(asked).toHaveLength(2);
  });
  await session.walkIn({ id: 'stf_1', handle: null });
  late(refusal(401, 'session_over'));
  await slow;
  expect(session.state).toBe('in');
});

test('a proxy’s 401 ends nobody’s session', async () => {
  answers = [() => Response.json(who('merchant')), () => new Response('<html>', { status: 401 })];
  const session = new Session('merchant');
  await session.start();
  await answered(session.api.GET('/v1/merchants/me')).catch(() => undefined);
  expect(session.state).toBe('in');
});

test('whoever comes in as another kind is signed out of it again', async () => {
  answers = [() => Response.json(who('person')), () => new Response(null, { status: 204 })];
  const session = new Session('merchant');
  await expect(session.walkIn({ id: 'x', handle: '@lin' })).rejects.toBeInstanceOf(OtherKindError);
  expect(asked[1]?.method).toBe('DELETE');
  expect(asked[1]?.headers.get('tandem-session')).toBe('person');
  expect(session.state).not.toBe('in');
});

test('signing out needs an answer, and one that is over already is out', async () => {
  const session = new Session('merchant');
  session.entered(who('merchant') as never);
  await expect(session.signOut()).rejects.toThrow();
  expect(session.state).toBe('in');
  answers = [() => refusal(401, 'session_over')];
  await session.signOut();
  expect([session.state, session.who, session.over]).toEqual(['out', null, false]);
});

test('only a sandbox offers whom to be', async () => {
  answers = [
    () => refusal(404, 'no_such_path'),
    () => Response.json({ data: [who('person'), who('merchant')] }),
  ];
  expect(await walkIns('merchant')).toBeNull();
  expect((await walkIns('merchant'))?.map((one) => one.kind)).toEqual(['merchant']);
});
