/** Whether a part of the page is shown: what is hidden and kept has no sheet over the others. */
import { getContext, setContext } from 'svelte';

const SHOWN = Symbol('shown');

/** Say, for all that stands within this component, when it is shown. */
export function shownWhen(shown: () => boolean): void {
  setContext(SHOWN, shown);
}

/** Whether that in which this component stands is shown. */
export function shownHere(): () => boolean {
  return getContext<(() => boolean) | undefined>(SHOWN) ?? (() => true);
}
