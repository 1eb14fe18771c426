import { startFace } from '../lib/face.ts';
import App from './App.svelte';
import { texts } from './texts/index.ts';

startFace('console', App, texts, { offline: false });
