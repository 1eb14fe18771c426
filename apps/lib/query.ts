/** The part of an address behind its `?`. */

/** What it has under this name; empty if nothing. */
export function valueIn(query: string, name: string): string {
  return new URLSearchParams(query).get(name) ?? '';
}

/** It with other values; what is empty is left out, and so is the `?` where nothing is left. */
export function changed(query: string, values: Record<string, string>): string {
  const parameters = new URLSearchParams(query);
  for (const [name, value] of Object.entries(values)) {
    if (value === '') parameters.delete(name);
    else parameters.set(name, value);
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
