/** What stands behind the question mark of an address. */

export function queryOf(search: string): URLSearchParams {
  return new URLSearchParams(search);
}

/** A query with some values changed, in the order of their names: one address for one choice. */
export function changed(query: URLSearchParams, changes: Record<string, string>): string {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') next.delete(name);
    else next.set(name, value);
  }
  next.sort();
  return next.toString();
}
