// The agent's MCP servers: what the stream says of them, and, where the agent answers, their tools.

import type { McpServer } from "../protocol/types";
import type { OpenSession } from "../state/session";
import { useStore } from "../state/store";
import { useLook } from "./looks";

export function McpServers({ session }: { session: OpenSession }) {
  const { mcp } = useStore(session.conversation);
  // The map is a new one after each event.
  const look = useLook("mcp", JSON.stringify([...mcp]));
  const servers = new Map<string, McpServer>([...mcp].map(([name, status]) => [name, { name, status }]));
  if (look.kind === "found" && Array.isArray(look.value))
    for (const server of look.value) servers.set(server.name, server);
  if (servers.size === 0) return null;
  return (
    <section>
      <h3>MCP servers</h3>
      <ul class="rows">
        {[...servers.values()].map((server) => (
          <Server key={server.name} server={server} />
        ))}
      </ul>
      {look.kind === "unknown" && <p class="faint">Their tools are not known now. {look.why}</p>}
    </section>
  );
}

function Server({ server }: { server: McpServer }) {
  const tools = Array.isArray(server.tools) ? server.tools : [];
  const tone = server.status === "connected" ? "good" : server.status === "failed" ? "bad" : "";
  return (
    <li>
      <span>
        {server.name}
        {typeof server.error === "string" && <span class="problem"> {server.error}</span>}
        {tools.length > 0 && (
          <details class="server-tools">
            <summary>
              {tools.length === 1 ? "1 tool" : `${tools.length} tools`}
              <span class="hidden"> of {server.name}</span>
            </summary>
            <ul>
              {tools.map((tool, at) => (
                <li key={at}>
                  <code>{String(tool?.name)}</code>
                </li>
              ))}
            </ul>
          </details>
        )}
      </span>
      <span class={`chip ${tone}`}>{String(server.status)}</span>
    </li>
  );
}
