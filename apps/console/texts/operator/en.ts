/** What the apps say in English: the console of the operator's staff. */
export const en = {} as const satisfies Record<string, string>;
