import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Soon } from './soon.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Acts that end when they are told to. */
function acts(): { begun: () => number; end: () => void; soon: Soon } {
  const under: (() => void)[] = [];
  let begun = 0;
  const soon = new Soon(() => {
    begun += 1;
    return new Promise((resolve) => {
      under.push(resolve);
    });
  });
  return { begun: () => begun, end: () => under.shift()?.(), soon };
}

test('a burst is one act', async () => {
  const { begun, soon } = acts();
  for (let wish = 0; wish < 100; wish += 1) soon.ask();
  expect(begun()).toBe(0);
  await vi.advanceTimersByTimeAsync(1000);
  expect(begun()).toBe(1);
});

test('what is asked for while it acts is done after that, once', async () => {
  const { begun, end, soon } = acts();
  soon.ask();
  await vi.advanceTimersByTimeAsync(1000);
  for (let wish = 0; wish < 100; wish += 1) soon.ask();
  await vi.advanceTimersByTimeAsync(1000);
  expect(begun()).toBe(1);
  end();
  await vi.advanceTimersByTimeAsync(1000);
  expect(begun()).toBe(2);
  end();
  await vi.advanceTimersByTimeAsync(1000);
  expect(begun()).toBe(2);
});

test('a stream of wishes is four acts a second', async () => {
  let begun = 0;
  const soon = new Soon(() => {
    begun += 1;
    return Promise.resolve();
  });
  for (let ms = 0; ms < 2000; ms += 10) {
    soon.ask();
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(begun).toBeGreaterThan(5);
  expect(begun).toBeLessThan(10);
});

test('acts begin a quarter of a second apart', async () => {
  const began: number[] = [];
  const soon = new Soon(() => {
    began.push(performance.now());
  });
  const start = performance.now();
  soon.ask();
  await vi.advanceTimersByTimeAsync(100);
  soon.ask();
  await vi.advanceTimersByTimeAsync(1000);
  soon.ask();
  await vi.advanceTimersByTimeAsync(1000);
  expect(began.map((at) => at - start)).toEqual([30, 280, 1130]);
});
