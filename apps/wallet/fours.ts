/** In groups of four, as people read and type references and account numbers (ISO 13616, 11649). */
export function inFours(text: string): string {
  return text.replace(/(.{4})(?=.)/g, '$1 ');
}
