import { createHash } from 'node:crypto';
import type { Plugin, Rolldown } from 'vite';

/**
 * A service worker for each of these faces, which keeps what that face needs to start without a
 * network: its page and all that the page loads. The worker is built once from lib/offline/sw.ts;
 * each face gets a copy with its own list, under the face's folder, which is its scope.
 */
export function offline(faces: string[]): Plugin {
  return {
    name: 'tandem-offline',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const worker = Object.values(bundle).find(
        (file) => file.type === 'chunk' && file.name === 'sw',
      );
      if (worker?.type !== 'chunk') throw new Error('lib/offline/sw.ts was not built');
      for (const face of faces) {
        const shell = shellOf(face, bundle);
        const page = bundle[`${face}/index.html`];
        if (page?.type !== 'asset') throw new Error(`${face} has no page`);
        const names = [...shell].sort();
        const version = createHash('sha256').update(names.join('\n')).update(page.source);
        const pages = [`/${face}/`, `/${face}/manifest.webmanifest`];
        this.emitFile({
          type: 'asset',
          fileName: `${face}/sw.js`,
          source: filled(worker.code, {
            __FACE__: face,
            __VERSION__: version.digest('hex').slice(0, 16),
            __SHELL__: [...pages, ...names.map((name) => `/apps/${name}`)].join(' '),
          }),
        });
      }
      Reflect.deleteProperty(bundle, worker.fileName);
    },
  };
}

/** The worker with what is put into its places; each must be there. */
function filled(code: string, values: Record<string, string>): string {
  return Object.entries(values).reduce((text, [place, value]) => {
    if (!text.includes(place)) throw new Error(`lib/offline/sw.ts has no ${place}`);
    return text.replaceAll(place, value);
  }, code);
}

/** What is of no use without a network, and a megabyte: the reader of codes. It comes when asked for. */
const LATE = /\.wasm$/;

/** The names of all that a face's page loads: its scripts, and theirs, styles and type. */
function shellOf(face: string, bundle: Rolldown.OutputBundle): Set<string> {
  const found = new Set<string>();
  const visit = (name: string): void => {
    const file = bundle[name];
    if (file === undefined || found.has(name) || LATE.test(name)) return;
    found.add(name);
    if (file.type !== 'chunk') return;
    for (const other of [...file.imports, ...file.dynamicImports]) visit(other);
    for (const css of file.viteMetadata?.importedCss ?? []) visit(css);
    for (const asset of file.viteMetadata?.importedAssets ?? []) visit(asset);
  };
  for (const file of Object.values(bundle)) {
    if (file.type === 'chunk' && file.isEntry && file.name === face) visit(file.fileName);
  }
  if (found.size === 0) throw new Error(`there is no entry ${face}`);
  for (const name of Object.keys(bundle)) if (name.endsWith('.woff2')) found.add(name);
  return found;
}
