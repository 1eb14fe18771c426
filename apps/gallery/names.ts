/** Names that do not fit, and that run the other way. */
export const LONG =
  'The Worshipful Company of Extraordinarily Long-Named Coffee Roasters and Confectioners';
export const ARABIC = 'مقهى الياسمين';
