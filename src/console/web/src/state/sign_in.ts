// The token: where it comes from, and where it is kept.

const KEPT = "token";

/** Takes the token out of the address, so that no history, bookmark or screenshot has it. */
export function takeFromAddress(): { token: string; keep: boolean } | null {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get("token");
  if (token === null) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return token ? { token, keep: given.get("keep") === "1" } : null;
}

export function kept(): string | null {
  try {
    return sessionStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

/** Keeps the token for as long as the tab lives, or forgets it. */
export function keep(token: string | null): void {
  try {
    if (token === null) sessionStorage.removeItem(KEPT);
    else sessionStorage.setItem(KEPT, token);
  } catch {
    // Without storage the token lives as long as the page.
  }
}
