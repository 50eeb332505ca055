import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { App } from "../state/app";
import type { OpenSession } from "../state/session";

export const AppContext = createContext<App | null>(null);
export const SessionContext = createContext<OpenSession | null>(null);

export const useApp = () => useContext(AppContext)!;
export const useSession = () => useContext(SessionContext)!;
