/**
 * Start a face: its texts, language and appearance, its page, and the worker that lets it start
 * without a network, if it is of use without one.
 */
import '../lib/design/base.css';
import { mount, type Component } from 'svelte';
import { addTexts, type Catalogues } from './i18n/index.ts';
import { settings } from './settings.svelte.ts';

export function startFace(
  name: string,
  app: Component,
  texts: Catalogues,
  { offline = true } = {},
): void {
  addTexts(texts);
  settings.start();
  dress();
  const target = document.getElementById('app');
  if (target === null) throw new Error('the page has no place for the app');
  mount(app, { target });
  if (offline && import.meta.env.PROD && 'serviceWorker' in navigator) {
    addEventListener('load', () => {
      navigator.serviceWorker.register(worker(name), { scope: `/${name}/` }).catch(() => {
        // Without a worker the face needs the network to start; all else is the same.
      });
    });
  }
}

/** Put on the operator's colour, which the server writes into the page. */
function dress(): void {
  const accent = document.querySelector<HTMLMetaElement>('meta[name="accent"]')?.content;
  if (accent !== undefined) document.documentElement.style.setProperty('--accent', accent);
}

/** The browser's guard of what may become a script (W3C Trusted Types), as far as we use it. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL: (url: string) => string };
}

/** The address of a face's worker: the only one that this page can turn into a script. */
function worker(name: string): string {
  const address = `/${name}/sw.js`;
  const guard = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  if (guard === undefined) return address;
  const createScriptURL = (url: string): string => {
    if (url !== address) throw new TypeError('no worker of ours');
    return url;
  };
  return guard.createPolicy('tandem-worker', { createScriptURL }).createScriptURL(address);
}
