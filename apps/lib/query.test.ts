import { describe, expect, it } from 'vitest';
import { changed, valueIn } from './query.ts';

describe('the part behind the ?', () => {
  it('is read and changed', () => {
    expect(valueIn('?search=tea%26cake&type=send', 'search')).toBe('tea&cake');
    expect(valueIn('', 'search')).toBe('');
    expect(changed('?search=tea', { type: 'send' })).toBe('?search=tea&type=send');
    expect(changed('?search=tea&type=send', { search: '', type: '' })).toBe('');
    expect(valueIn(changed('', { search: '<b>&=#?' }), 'search')).toBe('<b>&=#?');
  });
});
