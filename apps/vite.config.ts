import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { fewFiles } from './build/chunks.ts';
import { compress } from './build/compress.ts';
import { offline } from './build/offline.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/**
 * The pages are built together, so that what they share is loaded once and kept. Names of what lies
 * in /apps/assets carry a hash of the content and never change; a page and its worker have the
 * names that a browser asks for.
 */
export default defineConfig({
  base: '/apps/',
  plugins: [svelte({ configFile: false }), offline(['wallet', 'till']), compress()],
  build: {
    outDir: here('../src/tandem/web/apps'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      checks: { bundlerTimings: false },
      output: { codeSplitting: fewFiles(here('wallet/main.ts'), here('wallet/')) },
      input: {
        wallet: here('wallet/index.html'),
        till: here('till/index.html'),
        checkout: here('checkout/index.html'),
        join: here('join/index.html'),
        console: here('console/index.html'),
        gallery: here('gallery/index.html'),
        sw: here('lib/offline/sw.ts'),
      },
    },
  },
  // Modules are loaded once for all files, not for each: their texts are there together.
  test: { include: ['*/**/*.test.ts'], pool: 'threads', isolate: false, unstubGlobals: true },
});
