import { describe, expect, test } from 'vitest';
import { added, counted, MOST, MOST_LINES, ordered, percent, total, type Item } from './basket.ts';

const item = (name: string, position: number, currency = 'CNY'): Item => ({
  id: `itm_${name}`,
  shop_id: 'shp_1',
  name,
  price: 100,
  currency,
  category: null,
  colour: null,
  gtin: null,
  position,
  created_at: '',
  updated_at: '',
});

describe('a basket', () => {
  test('counts the same thing up, and another price is another line', () => {
    let lines = added([], 'Tea', 900);
    lines = added(lines, 'Tea', 900);
    lines = added(lines, 'Tea', 1000);
    expect(lines.map((line) => line.quantity)).toEqual([2, 1]);
    expect(total(lines)).toBe(2800);
    expect(counted(lines, 0, 0)).toHaveLength(1);
    expect(counted(lines, 0, MOST + 1)[0]?.quantity).toBe(MOST);
  });

  test('takes no more lines than a payment has', () => {
    let lines = added([], 'x', 1);
    for (let n = 2; n < 200; n += 1) lines = added(lines, 'x', n);
    expect(lines).toHaveLength(MOST_LINES);
  });

  test('stands by place, then by name, in one currency', () => {
    const all = [item('Tea 10', 1), item('Tea 9', 1), item('Cake', 0), item('Pie', 0, 'USD')];
    expect(ordered(all, 'CNY', 'en').map((one) => one.name)).toEqual(['Cake', 'Tea 9', 'Tea 10']);
  });

  test.each([
    [1000, 15, 150],
    [333, 10, 33],
    [335, 10, 34],
    [1, 5, 0],
    [999_999_999_999_999, 5, 50_000_000_000_000],
  ])('%i at %i percent', (amount, hundredths, tip) => {
    expect(percent(amount, hundredths)).toBe(tip);
  });
});
