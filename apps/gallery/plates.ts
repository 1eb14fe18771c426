import type { Component } from 'svelte';

/** A component in all of its states, as its own page or one of many on the gallery's. */
export interface Plate {
  /** what the component is called */
  name: string;
  /** the end of its address, and where it is on the gallery's own page */
  id: string;
  /** `alone`: nothing stands around it that it could hide */
  Plate: Component<{ alone?: boolean }>;
}

// Whoever adds a file adds a plate: there is no list to keep.
const files = import.meta.glob<Plate['Plate']>('./plates/*.svelte', {
  eager: true,
  import: 'default',
});
export const plates: Plate[] = Object.entries(files).map(([path, Plate]) => {
  const name = path.replace(/^.*\/|\.svelte$/g, '');
  return { name, id: name.toLowerCase(), Plate };
});

/** What an address asks for, or '' for the whole gallery: /gallery/away. */
export const asked = (path: string): string => /^\/gallery\/([a-z]+)$/.exec(path)?.[1] ?? '';
