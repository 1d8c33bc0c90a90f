const KEY = 'relayd-token';

/** The admin token as this tab knows it; empty when it does not. */
export function token(): string {
  return sessionStorage.getItem(KEY) ?? '';
}

export function keepToken(given: string): void {
  sessionStorage.setItem(KEY, given.trim());
}

/** One that came in the address moves out of it at once: addresses are remembered and shown. */
export function takeTokenFromAddress(): void {
  const address = new URL(location.href);
  const given = address.searchParams.get('token');
  if (given !== null) {
    // A `+` that was pasted as it is arrives as a space; tokens have no spaces.
    keepToken(given.replaceAll(' ', '+'));
    address.searchParams.delete('token');
    history.replaceState(null, '', address);
  }
}
