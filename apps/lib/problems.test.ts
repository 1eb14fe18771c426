import { expect, test } from 'vitest';
import { RefusedError, type Problem } from './api/client.ts';
import { sentence } from './problems.ts';

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

test('one that no form has keeps its own name', () => {
  expect(sentence(refused('acceptance.aids'))).toBe(
    'Nothing was done. acceptance.aids: must be shorter',
  );
});
