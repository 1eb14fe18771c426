// The service worker of a face: what the face needs to start lies in a cache, whose name changes
// with its content. Pages come from the network where there is one that answers in time. What goes
// to the API is never looked at: money is not cached.
declare const self: ServiceWorkerGlobalScope;
export {};

const FACE = '__FACE__';
const CACHE = `tandem-${FACE}-__VERSION__`;
const SHELL = '__SHELL__'.split(' ');
const WAIT_MS = 3000;

self.addEventListener('install', (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(CACHE);
      await cache.addAll(SHELL.map((url) => new Request(url, { cache: 'no-cache' })));
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    (async () => {
      const old = (name: string): boolean => name.startsWith(`tandem-${FACE}-`) && name !== CACHE;
      await Promise.all((await caches.keys()).filter(old).map((name) => caches.delete(name)));
      await self.clients.claim();
    })(),
  );
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (request.mode === 'navigate') event.respondWith(page(request));
  else if (url.pathname.startsWith('/apps/')) event.respondWith(kept(request));
});

/** The page from the network; from the cache where that fails or takes too long. */
async function page(request: Request): Promise<Response> {
  const shell = await (await caches.open(CACHE)).match(`/${FACE}/`);
  try {
    const signal = shell === undefined ? null : AbortSignal.timeout(WAIT_MS);
    const answer = await fetch(request.url, { signal, credentials: 'same-origin' });
    return answer.ok || shell === undefined ? answer : shell;
  } catch (error) {
    if (shell !== undefined) return shell;
    throw error;
  }
}

/** What never changes under its name: from the cache, else from the network. */
async function kept(request: Request): Promise<Response> {
  return (await (await caches.open(CACHE)).match(request)) ?? fetch(request);
}
