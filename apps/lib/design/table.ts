/** What tables are told of their columns and of their export, and how they fold on a phone. */
import type { Caller } from '../api/client.ts';

/**
 * A column. Where there is no room for columns a row shows its first cell, beside it the first one
 * that stands at the end, and the others below; `place` says it of another. One that is `wide` is
 * left out there; one that is `named` brings its name along, as numbers below do.
 */
export interface Column {
  name: string;
  end?: boolean;
  wide?: boolean;
  place?: 'main' | 'beside';
  named?: boolean;
}

export interface ExportFile {
  /** what is exported: the title of the question */
  title: string;
  /** the file's name, without its ending */
  name: string;
  /** the address of the list, with its filters */
  address: string;
  asker: Caller;
}

export interface Place {
  place: 'main' | 'beside' | 'below' | 'none';
  /** what it is called there */
  name?: string;
}

/** Where the cells of a row stand on a phone, by their columns. */
export function placesOf(columns: readonly Column[]): Place[] {
  const main = Math.max(
    0,
    columns.findIndex((one) => one.place === 'main'),
  );
  const said = columns.findIndex((one) => one.place === 'beside');
  const beside =
    said !== -1
      ? said
      : columns.findIndex((one, at) => at !== main && one.end === true && one.wide !== true);
  return columns.map((column, at) => {
    const place =
      column.wide === true ? 'none' : at === main ? 'main' : at === beside ? 'beside' : 'below';
    const named = column.named ?? (place === 'below' && column.end === true);
    return named ? { place, name: column.name } : { place };
  });
}
