import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ZXING_WASM_SHA256 } from 'barcode-detector/ponyfill';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { addTexts } from '../lib/i18n/index.ts';
import { numberOf } from '../lib/number.ts';
import { canRenew, isOver, stateOf } from './cards.ts';
import { wrapped } from './draw.ts';
import { inFours } from './fours.ts';
import { merged } from './kept.ts';
import { bounds, lastMonths } from './months.ts';
import { asText, fileName, namesOn, ofLine, ofPayment } from './receipt.ts';
import { nextOf, troubleOf } from './scan/camera.ts';
import { span } from './span.ts';
import './texts/later.ts';
import { texts } from './texts/index.ts';
import type { Card, Line, Payment } from './wallet.svelte.ts';

const LINE: Line = {
  number: 7,
  type: 'send',
  change: -1234,
  reserved: 0,
  balance: 0,
  currency: 'CNY',
  with_name: 'مقهى <b>',
  message: null,
  object_id: 'snd_01',
  created_at: '2026-05-04T12:00:00Z',
};

beforeAll(() => {
  addTexts(texts);
});
beforeEach(() => {
  vi.stubGlobal('navigator', { languages: ['en-GB'] });
});

describe('a receipt', () => {
  it('says what moved, and sets apart what others wrote', () => {
    const text = asText(ofLine(LINE));
    expect(text).toMatch(/^\u2212.*12\.34$/m);
    expect(text).toContain('\u2068مقهى <b>\u2069');
    expect(text).toContain('Direction: \u2068Sent\u2069');
    expect(asText(ofLine({ ...LINE, change: 5 }))).toContain('\u2068Received\u2069');
  });

  it('of a payment has what came back of it, and why it failed', () => {
    const payment = {
      ...{ id: 'pay_01', status: 'partially_refunded', amount: 2500, currency: 'CNY' },
      ...{ captured: 2500, refunded: 500, merchant: 'Blue Door', shop: 'Blue Door, East' },
      ...{ way: 'scan', description: null, decline_reason: null, expires_at: null },
      ...{ created_at: LINE.created_at, updated_at: LINE.created_at },
    } as Payment;
    const receipt = ofPayment(payment);
    const labels = receipt.rows.map((row) => row.label);
    expect(labels).toEqual(['State', 'Refunded', 'When', 'Number', 'Full number']);
    expect(namesOn(receipt)).toEqual(['Blue Door, East', 'Blue Door']);
    expect(namesOn({ ...receipt, who: 'Blue Door' })).toEqual(['Blue Door']);
    const declined = { ...payment, status: 'declined', decline_reason: 'insufficient_funds' };
    expect(asText(ofPayment(declined as Payment))).toContain('did not cover it');
  });

  it('has the number that the till shows, and all of it', () => {
    const id = 'pay_0199f0a4c0de7000800000000000c02a';
    const rows = ofLine({ ...LINE, object_id: id }).rows.slice(-2);
    expect(rows.map((row) => row.value)).toEqual([numberOf(id), id]);
  });

  it('has a file name of plain letters', () => {
    expect(fileName(ofLine({ ...LINE, object_id: '../<x>' }), 'png')).toBe('tandem-x-7.png');
  });

  it('wraps between words, and a long word between its characters', () => {
    const ten = (line: string): boolean => line.length <= 10;
    expect(wrapped('one two three four', ten)).toEqual(['one two', 'three four']);
    expect(wrapped('abcdefghijklmnop', ten)).toEqual(['abcdefghij', 'klmnop']);
    expect(wrapped('', ten)).toEqual([]);
    expect(wrapped('word '.repeat(200), ten).length).toBe(12);
  });
});

describe('history on the phone', () => {
  it('keeps each movement once, the newest first, and not more than 500', () => {
    const line = (number: number): Line => ({ ...LINE, number });
    expect(merged([line(9), line(7)], [line(8), line(7)]).map((one) => one.number)).toEqual([
      9, 8, 7,
    ]);
    const many = Array.from({ length: 600 }, (_, at) => line(at + 1));
    expect(merged(many, []).length).toBe(500);
    expect(merged(many, [])[0]?.number).toBe(600);
  });

  it('knows months, across years, and refuses what is none', () => {
    const months = lastMonths(new Date(2026, 1, 15).getTime());
    expect(months.slice(0, 3).map((one) => one.value)).toEqual(['2026-02', '2026-01', '2025-12']);
    expect(bounds('2025-12')).toEqual({
      since: new Date(2025, 11, 1).toISOString(),
      until: new Date(2026, 0, 1).toISOString(),
    });
    for (const none of ['', '2026', '2026-13', '2026-00', 'x', '1999-01']) {
      expect(bounds(none)).toBeNull();
    }
  });
});

describe('cards', () => {
  it('have a word for every state, also for one that is new', () => {
    expect(stateOf('waiting_code')).toBe('status.card.waiting_code');
    expect(stateOf('frozen')).toBe('status.card.blocked');
    expect(isOver({ status: 'removed' } as Card)).toBe(true);
    expect(isOver({ status: 'lost' } as Card)).toBe(false);
  });

  it('are renewed in their last three months', () => {
    const card = { status: 'active', expiry: '2026-12-31' } as Card;
    expect(canRenew(card, Date.parse('2026-09-01'))).toBe(false);
    expect(canRenew(card, Date.parse('2026-10-10'))).toBe(true);
    expect(canRenew({ ...card, status: 'suspended' }, Date.parse('2026-10-10'))).toBe(false);
  });
});

describe('small things', () => {
  it('reads numbers in fours, and times in the largest unit of which there are two', () => {
    expect(inFours('RF261TH2QVDCEG6TN280')).toBe('RF26 1TH2 QVDC EG6T N280');
    expect(inFours('12345')).toBe('1234 5');
    expect(span(5 * 3_600_000)).toBe('5 hours');
    expect(span(-90 * 60_000)).toBe('90 minutes');
    expect(span(3 * 86_400_000)).toBe('3 days');
  });

  it('knows why a camera did not open, and which is the next', () => {
    expect(troubleOf(new DOMException('', 'NotAllowedError'))).toBe('refused');
    expect(troubleOf(new DOMException('', 'NotReadableError'))).toBe('taken');
    expect(troubleOf(new DOMException('', 'NotFoundError'))).toBe('none');
    expect(troubleOf('what')).toBe('none');
    expect(nextOf(['a', 'b'], 'a')).toBe('b');
    expect(nextOf(['a', 'b'], 'b')).toBe('a');
    expect(nextOf(['a', 'b'], undefined)).toBe('a');
    expect(nextOf([], 'a')).toBeNull();
  });

  it('serves the reader of codes that its script was built for', () => {
    const path = createRequire(import.meta.url).resolve('zxing-wasm/reader/zxing_reader.wasm');
    expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(ZXING_WASM_SHA256);
  });
});
