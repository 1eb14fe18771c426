import { expect, test } from 'vitest';
import { cameFrom } from './shop.ts';

test('only a token leads back', () => {
  expect(cameFrom('?checkout=Zm9vYmFyYmF6cXV4MTIz')).toBe('Zm9vYmFyYmF6cXV4MTIz');
  for (const wrong of [
    '',
    '?checkout=',
    '?checkout=https://evil.example',
    '?checkout=//evil.example',
    '?checkout=..%2F..%2Fwallet%2Fsettin',
    '?checkout=Zm9vYmFyYmF6cXV4MTIz/x',
  ])
    expect(cameFrom(wrong)).toBeNull();
});
