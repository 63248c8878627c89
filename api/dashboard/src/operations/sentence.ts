// An edge's sentences begin with the machine's name, which is said already where they stand below it.

export function withoutName(text: string, name: string): string {
  if (name === "" || !text.startsWith(name)) return text;
  const rest = text.slice(name.length).replace(/^[:\s]+/, "");
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}
