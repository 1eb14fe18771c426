/** What the apps say in English: the page of an invitation. */
export const en = {
  'join.title': '{employer} invites you',
  'join.role': '{name}, your role is {role}.',
  'join.until': 'The invitation is good until {time}.',
  'join.what':
    'Your device makes a passkey now: a finger, your face or the PIN signs you in from then on. Passkeys that you had here before stop working.',
  'join.make': 'Make my passkey',
  'join.none': 'No invitation here',
  'join.none.lead': 'Open the link that you were given, the whole of it.',
  'join.over': 'This invitation is over',
  'join.over.lead': 'It was used, or its time is over. Let an owner invite you again.',
  'join.again': 'Try again',
  'join.welcome': 'Welcome, {name}',
  'join.can': 'You are signed in.',
  'join.till': 'Open the till',
  'join.console': 'Open the console',
} as const satisfies Record<string, string>;
