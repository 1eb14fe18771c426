import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

const TEXT = /\.(?:html|js|css|svg|webmanifest|wasm)$/;

/** Put `.br` and `.gz` beside every file that was built and gets shorter by it: the server only sends them. */
export function compress(): Plugin {
  return {
    name: 'tandem-compress',
    apply: 'build',
    async writeBundle({ dir }) {
      if (dir === undefined) throw new Error('a build goes into a folder');
      for (const name of await readdir(dir, { recursive: true })) {
        if (!TEXT.test(name)) continue;
        const path = join(dir, name);
        const content = await readFile(path);
        const params = {
          [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
          [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
        };
        await writeFile(`${path}.br`, brotliCompressSync(content, { params }));
        await writeFile(`${path}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}
