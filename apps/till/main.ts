import { startFace } from '../lib/face.ts';
import App from './App.svelte';

startFace('till', App);
