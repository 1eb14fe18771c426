import { expect, test } from 'vitest';
import { preferred } from './settings.svelte.ts';

test.each([
  [['zh-TW', 'en'], 'zh'],
  [['de', 'zh-Hans-CN'], 'zh'],
  [['de', 'en-GB', 'zh'], 'en'],
  [['ar'], 'en'],
  [[], 'en'],
])('of %j it is %s', (languages, language) => {
  expect(preferred(languages)).toBe(language);
});
