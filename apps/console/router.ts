import { Router } from '../lib/router.svelte.ts';

export const router = new Router('/console');
