export { useSession, type UseSession } from "./useSession";
export { type Connection, type Options } from "./session";
export { type Item, type Outgoing, type Prompt, type State } from "./state";
