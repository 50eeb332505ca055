// What the page asks about the agent beside the stream.

import { useEffect, useState } from "preact/hooks";
import { wordsOf } from "../protocol/api";
import type { Looks } from "../protocol/types";
import { useSession } from "./context";

export type Look<T> = { kind: "asking" } | { kind: "found"; value: T } | { kind: "unknown"; why: string };

/** Asks when the component appears, and again whenever `since` changes. */
export function useLook<Name extends keyof Looks>(name: Name, since: unknown): Look<Looks[Name]> {
  const session = useSession();
  const [look, setLook] = useState<Look<Looks[Name]>>({ kind: "asking" });
  useEffect(() => {
    let current = true;
    session.look(name).then(
      (value) => current && setLook({ kind: "found", value }),
      (error: unknown) => current && setLook({ kind: "unknown", why: wordsOf(error) }),
    );
    return () => void (current = false);
  }, [session, name, since]);
  return look;
}
