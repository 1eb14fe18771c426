/** The merchant's events, heard live by what shows figures of them. */
import { follow } from '../../lib/api/live.ts';
import { Soon } from '../../lib/soon.ts';
import { session } from '../session.svelte.ts';

/** Figures are added up anew at most this often, however busy the shops are. */
const PAUSE_MS = 2000;

/**
 * Call `then` when something has happened to the merchant's payments: soon after the first event,
 * then at most once in a pause. Returns what ends it.
 */
export function onEvents(then: () => void): () => void {
  const ending = new AbortController();
  const soon = new Soon(() => {
    if (!ending.signal.aborted) then();
  }, PAUSE_MS);
  void hear(() => {
    soon.ask();
  }, ending.signal);
  return () => {
    ending.abort();
  };
}

/** Follow until the signal is aborted; after a session that ended, from when somebody is back. */
async function hear(onEvent: () => void, signal: AbortSignal): Promise<void> {
  const own = session.current;
  const shut = (): void => {
    own.ended();
  };
  const follower = { onEvent, onState: () => undefined, onShut: shut };
  for (;;) {
    await follow({ session: own.kind }, follower, signal);
    if (!signal.aborted) await own.present();
    if (signal.aborted) return;
    onEvent();
  }
}
