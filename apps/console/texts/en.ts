/** What the apps say in English: the texts of the console's shell. */
export const en = {
  'console.signin': 'Sign in to the console',
  'console.as': 'Whose staff are you?',
  'console.merchant': 'A merchant',
  'console.operator': 'The operator',
  'console.places': 'Places',
  'console.menu': 'Menu',
  'console.skip': 'Skip to the page',
  'console.out': 'Sign out',
  'console.to.operator': 'Change to the operator’s console',
  'console.to.merchant': 'Change to the merchant’s console',
  'console.nowhere': 'There is nothing at this address',
  'console.home': 'Go to the first page',
  'console.denied': 'Your role does not see this',
  'console.denied.lead': 'Ask somebody with a larger role: an owner sees everything.',
} as const satisfies Record<string, string>;
