import { startPage } from '../lib/face.ts';
import App from './App.svelte';
import { texts } from './texts/index.ts';

startPage(App, texts);
