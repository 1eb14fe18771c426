import { describe, expect, test } from 'vitest';
import { isGtin, meaningOf, Scanner } from './scanner.ts';

function typed(text: string, pace: number): string | null {
  const scanner = new Scanner();
  let at = 0;
  let found: string | null = null;
  for (const key of [...text, 'Enter']) found = scanner.press(key, (at += pace));
  return found;
}

describe('a scanner', () => {
  test('is told from a person by its pace', () => {
    expect(typed('4006381333931', 4)).toBe('4006381333931');
    expect(typed('4006381333931', 120)).toBeNull();
  });

  test('what a person types first is not part of it', () => {
    const scanner = new Scanner();
    scanner.press('7', 0);
    let at = 1000;
    for (const key of '4006381333931') scanner.press(key, (at += 4));
    expect(scanner.press('Enter', at + 4)).toBe('4006381333931');
  });

  test('a short run, or one that another key broke, is none', () => {
    expect(typed('12345', 4)).toBeNull();
    const scanner = new Scanner();
    for (const key of ['1', '2', '3', '4', '5', 'Backspace', '6', '7', '8']) scanner.press(key, 0);
    expect(scanner.press('Enter', 0)).toBeNull();
  });
});

describe('what was scanned', () => {
  test.each([
    ['4006381333931', 'gtin'],
    ['96385074', 'gtin'],
    ['283456789065134296', 'payCode'],
    ['PAY_0199F0A4C0DE7000800000000000002A', 'payment'],
  ])('%s is a %s', (text, kind) => {
    expect(meaningOf(text)?.kind).toBe(kind);
  });

  test('a wrong check digit is nothing', () => {
    expect(isGtin('4006381333932')).toBe(false);
    expect(meaningOf('4006381333932')).toBeNull();
  });
});
