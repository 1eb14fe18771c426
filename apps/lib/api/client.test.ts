import { expect, test } from 'vitest';
import {
  answered,
  apiClient,
  isUncertain,
  RefusedError,
  settle,
  UnknownOutcomeError,
} from './client.ts';

const problem = (code: string) => ({
  ...{
    type: `/problems/${code}`,
    title: code,
    status: 403,
    detail: 'Why.',
    code,
    request_id: 'r',
    data: {},
  },
});

const client = (answer: () => Response | Promise<Response>) =>
  apiClient('tk_dev_x', 'http://tandem.test', () => Promise.resolve(answer()));

test('an answer is its data, with the key sent along', async () => {
  let sent: Request | undefined;
  const api = apiClient('tk_dev_x', 'http://tandem.test', (request) => {
    sent = request as Request;
    return Promise.resolve(Response.json({ balances: [] }));
  });
  expect(await answered(api.GET('/v1/wallet'))).toEqual({ balances: [] });
  expect(sent?.headers.get('authorization')).toBe('Bearer tk_dev_x');
});

test('a problem is a refusal', async () => {
  const api = client(() => Response.json(problem('insufficient_funds'), { status: 403 }));
  const error: unknown = await answered(api.GET('/v1/wallet')).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(RefusedError);
  expect(isUncertain(error)).toBe(false);
});

test.each([
  ['no network', () => Promise.reject(new TypeError('failed'))],
  ['a proxy', () => new Response('<html>', { status: 502 })],
])('%s leaves the outcome unknown', async (_, answer) => {
  const error: unknown = await answered(client(answer).GET('/v1/wallet')).catch(
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(UnknownOutcomeError);
  expect(isUncertain(error)).toBe(true);
});

test('a command is sent again under the same key until it is answered', async () => {
  const keys: string[] = [];
  let unknown = 0;
  const answer = await settle(
    (key) => {
      keys.push(key);
      if (keys.length === 1) throw new UnknownOutcomeError('lost');
      if (keys.length === 2) throw new RefusedError(problem('outcome_unknown'));
      return Promise.resolve('paid');
    },
    { key: 'k-1', onUnknown: () => (unknown += 1), pause: () => Promise.resolve() },
  );
  expect([answer, keys, unknown]).toEqual(['paid', ['k-1', 'k-1', 'k-1'], 2]);
});

test('a refusal is final', async () => {
  const refused = () => Promise.reject(new RefusedError(problem('limit_exceeded')));
  await expect(settle(refused, { key: 'k' })).rejects.toThrow('limit_exceeded');
});
