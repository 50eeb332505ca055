// The form that asks for the token.

import { useEffect, useRef, useState } from "preact/hooks";
import { useApp } from "./context";

export function SignInForm({ why, busy }: { why: string | null; busy: boolean }) {
  const app = useApp();
  const [token, setToken] = useState("");
  const [keep, setKeep] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    if (token.trim()) void app.signIn(token.trim(), keep);
  };
  return (
    <form class="sign-in" onSubmit={submit}>
      <label class="field">
        <span>Token</span>
        <input
          ref={field}
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={token}
          aria-describedby={why ? "sign-in-problem" : undefined}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      {why && (
        <p id="sign-in-problem" class="problem" role="alert">
          {why}
        </p>
      )}
      <label class="check">
        <input type="checkbox" checked={keep} onChange={(event) => setKeep(event.currentTarget.checked)} />
        <span>Stay signed in until this tab is closed</span>
      </label>
      <div class="actions">
        <button type="submit" class="primary" disabled={busy || !token.trim()}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
      </div>
    </form>
  );
}
