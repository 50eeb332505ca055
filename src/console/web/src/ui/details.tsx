// What a session has cost and what else runs in it.

import { useState } from "preact/hooks";
import type { Task, Turn } from "../state/conversation";
import type { OpenSession } from "../state/session";
import { useStore } from "../state/store";
import { dollars, thousands } from "../text/plain";
import { useSession } from "./context";
import { Dialog } from "./dialog";

export function Details({ session, close }: { session: OpenSession; close: () => void }) {
  const { turns, cost, context, tasks, mcp } = useStore(session.conversation);
  const description = useStore(session.description);
  return (
    <Dialog title="Details" close={close}>
      <section>
        <h3>Cost</h3>
        <p class="figure">{dollars(cost)}</p>
        <p class="faint">{turns.length === 1 ? "One turn." : `${turns.length} turns.`}</p>
        {turns.length > 1 && <CostChart turns={turns} />}
      </section>
      {context.tokens > 0 && (
        <section>
          <h3>Context</h3>
          <Context tokens={context.tokens} window={context.window} />
        </section>
      )}
      {tasks.size > 0 && (
        <section>
          <h3>Background tasks</h3>
          <ul class="rows">
            {[...tasks.values()].reverse().map((task) => (
              <TaskRow key={task.id} task={task} />
            ))}
          </ul>
        </section>
      )}
      {mcp.size > 0 && (
        <section>
          <h3>MCP servers</h3>
          <ul class="rows">
            {[...mcp].map(([name, status]) => (
              <li key={name}>
                <span>{name}</span>
                <span class={`chip ${status === "connected" ? "good" : status === "failed" ? "bad" : ""}`}>
                  {status}
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
      <section>
        <h3>Session</h3>
        <dl class="members">
          <div>
            <dt>Id</dt>
            <dd>
              <code>{session.id}</code>
            </dd>
          </div>
          {description && (
            <>
              <div>
                <dt>Directory</dt>
                <dd>
                  <code>{description.cwd}</code>
                </dd>
              </div>
              <div>
                <dt>Began</dt>
                <dd>{new Date(description.created_at).toLocaleString()}</dd>
              </div>
            </>
          )}
        </dl>
      </section>
    </Dialog>
  );
}

/** The newest turns that fit into the chart. */
const BARS = 40;

function CostChart({ turns }: { turns: Turn[] }) {
  const shown = turns.slice(-BARS);
  const most = Math.max(...shown.map((turn) => turn.cost), 1e-9);
  const width = 100 / shown.length;
  return (
    <svg
      class="chart"
      viewBox="0 0 100 28"
      preserveAspectRatio="none"
      role="img"
      aria-label={`Cost of the last ${shown.length} turns, at most ${dollars(most)}`}
    >
      {shown.map((turn, at) => {
        const height = Math.max(0.6, (turn.cost / most) * 27);
        return (
          <rect
            key={at}
            class={turn.failed ? "bad" : ""}
            x={at * width}
            y={28 - height}
            width={Math.max(0.5, width - 0.6)}
            height={height}
          />
        );
      })}
    </svg>
  );
}

function Context({ tokens, window }: { tokens: number; window: number }) {
  if (window === 0) return <p>{thousands(tokens)} tokens after the last message.</p>;
  const part = Math.min(1, tokens / window);
  return (
    <>
      <meter min={0} max={1} low={0.6} high={0.85} optimum={0} value={part} aria-label="Context in use" />
      <p class="faint">
        {thousands(tokens)} of {thousands(window)} tokens, {Math.round(part * 100)} %.
      </p>
    </>
  );
}

function TaskRow({ task }: { task: Task }) {
  const session = useSession();
  const [problem, setProblem] = useState<string | null>(null);
  const running = task.status === "running";
  return (
    <li>
      <span>
        {task.description}
        {problem && (
          <span class="problem" role="alert">
            {problem}
          </span>
        )}
      </span>
      <span class={`chip ${running ? "busy" : task.status === "completed" ? "good" : ""}`}>{task.status}</span>
      {running && (
        <button
          type="button"
          class="small"
          aria-label={`Stop ${task.description}`}
          onClick={async () => setProblem(await session.send({ type: "stop_task", task_id: task.id }))}
        >
          Stop
        </button>
      )}
    </li>
  );
}
