import { expect, test } from 'vitest';
import { RefusedError, type Problem } from './api/client.ts';
import { sentence } from './problems.ts';
import { settings } from './settings.svelte.ts';

const refused = (field: string, detail = `${field}: must be shorter`): RefusedError => {
  const problem = {
    ...{ type: '', title: '', status: 422, code: 'invalid_request', request_id: '' },
    ...{ detail, data: { field, reason: 'must be shorter' } },
  };
  return new RefusedError(problem as unknown as Problem);
};

test('a field is called what its form calls it', () => {
  expect(sentence(refused('message'))).toBe('Nothing was done. Message: must be shorter');
  expect(sentence(refused('lines[2].name'))).toBe('Nothing was done. Lines: must be shorter');
});

test('the body as a whole is no field', () => {
  expect(sentence(refused('', 'The body: must be JSON'))).toBe(
    'That did not work. The body: must be JSON',
  );
});

const ruled = (data: Record<string, unknown>): RefusedError =>
  new RefusedError({
    ...{ type: '', title: '', status: 422, code: 'invalid_request', request_id: '' },
    ...{ detail: '', data: { reason: 'in the words of the API', ...data } },
  } as unknown as Problem);

test.each([
  [{ field: 'name', rule: 'length', least: 1, most: 64 }, 'Name: must have 1 to 64 characters'],
  [{ field: 'name', rule: 'length', most: 64 }, 'Name: may have 64 characters at most'],
  [{ field: 'name', rule: 'length' }, 'Name: is too short or too long'],
  [{ field: 'amount', rule: 'amount', least: 1 }, 'Amount: is too low or too high for this'],
  [{ field: 'people[3].amount', rule: 'amount' }, 'Among whom: is too low or too high for this'],
  [{ field: 'country', rule: 'form' }, 'country: in the words of the API'],
  [{ field: 'shares', rule: 'number', least: 1 }, 'Shares: must be a whole number, 1 or more'],
  [{ field: 'name', rule: 'of a later version' }, 'Name: in the words of the API'],
])('a rule is said in words of our own: %j', (data, said) => {
  expect(sentence(ruled(data))).toBe(`Nothing was done. ${said}`);
});

test('and in Chinese', () => {
  settings.language = 'zh';
  expect(sentence(ruled({ field: 'name', rule: 'unseen' }))).toBe(
    '没有执行任何操作。请检查“名称”：含有无法显示的字符，请重新输入',
  );
  settings.language = 'en';
});

test('one that no form has keeps its own name', () => {
  expect(sentence(refused('acceptance.aids'))).toBe(
    'Nothing was done. acceptance.aids: must be shorter',
  );
});
