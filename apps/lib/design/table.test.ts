import { expect, test } from 'vitest';
import { placesOf } from './table.ts';

test('the first cell and the first one at the end share the first line', () => {
  const columns = [
    { name: 'When' },
    { name: 'What' },
    { name: 'For', wide: true },
    { name: 'Fee', end: true, wide: true },
    { name: 'Amount', end: true },
    { name: 'Balance', end: true },
  ];
  expect(placesOf(columns)).toEqual([
    { place: 'main' },
    { place: 'below' },
    { place: 'none' },
    { place: 'none' },
    { place: 'beside' },
    { place: 'below', name: 'Balance' },
  ]);
});

test('a column says where it stands, and whether with its name', () => {
  const columns = [
    { name: 'Currency' },
    { name: 'Account', place: 'main' as const },
    { name: 'Number', end: true },
    { name: 'Amount', end: true, place: 'beside' as const },
    { name: 'By', named: true },
    { name: 'Change', end: true, named: false },
  ];
  expect(placesOf(columns)).toEqual([
    { place: 'below' },
    { place: 'main' },
    { place: 'below', name: 'Number' },
    { place: 'beside' },
    { place: 'below', name: 'By' },
    { place: 'below' },
  ]);
});

test('nothing at the end: nothing beside', () => {
  expect(placesOf([{ name: 'Name' }, { name: 'State' }])).toEqual([
    { place: 'main' },
    { place: 'below' },
  ]);
});
