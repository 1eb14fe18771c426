import { startFace } from '../lib/face.ts';
import App from './App.svelte';
import { texts } from './texts/index.ts';

startFace('checkout', App, texts, { offline: false });
