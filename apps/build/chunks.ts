import type { Rolldown } from 'vite';

type Context = Parameters<Rolldown.CodeSplittingNameFunction>[1];

/**
 * What is loaded first comes in few files: each costs a request and its turn, which on a slow phone
 * is more than what is in it. All that `first` needs at once and that is not its own is the base of
 * all faces; what signs somebody in is one more. The rest is split as it is imported.
 */
export function fewFiles(first: string, own: string): Rolldown.CodeSplittingOptions {
  let needed: Set<string> | undefined;
  const base = (id: string, context: Context): string | null => {
    needed ??= reached(first, context);
    return needed.has(id) && !id.startsWith(own) ? 'base' : null;
  };
  return {
    groups: [
      { name: base, priority: 2 },
      { name: 'sign-in', test: /\/lib\/sign-in\/|\/@simplewebauthn\//, priority: 1 },
    ],
  };
}

/** A module and all that it imports, but for what it imports later. */
function reached(first: string, context: Context): Set<string> {
  const found = new Set<string>();
  const visit = (id: string): void => {
    if (found.has(id)) return;
    found.add(id);
    for (const other of context.getModuleInfo(id)?.importedIds ?? []) visit(other);
  };
  visit(first);
  return found;
}
