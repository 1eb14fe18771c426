// The rules of the apps. What is off has its reason beside it.
import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['node_modules', 'lib/api/schema.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...ts.configs.stylistic,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
  {
    rules: {
      'no-undef': 'off', // the compiler knows better
      'no-console': 'error',
      eqeqeq: ['error', 'always'],
      'no-restricted-globals': [
        'error',
        {
          name: 'localStorage',
          message: 'Use lib/settings or lib/store: one place keeps things.',
        },
      ],
      // declarations that are merged into one
      '@typescript-eslint/no-empty-object-type': [
        'error',
        { allowInterfaces: 'with-single-extends' },
      ],
      'svelte/no-at-html-tags': 'error',
      // what is taken out of a rest is left out on purpose
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      // our router is a few lines of ours, not SvelteKit's
      'svelte/no-navigation-without-resolve': 'off',
    },
  },
  { files: ['lib/settings.svelte.ts'], rules: { 'no-restricted-globals': 'off' } },
);
