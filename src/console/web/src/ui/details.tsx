// What a session has cost and what else runs in it.

import { useState } from "preact/hooks";
import type { Task } from "../state/conversation";
import type { OpenSession } from "../state/session";
import { useStore } from "../state/store";
import { dollars, thousands } from "../text/plain";
import { ContextParts, CostChart, Use } from "./charts";
import { useSession } from "./context";
import { Dialog } from "./dialog";
import { useLook } from "./looks";
import { McpServers } from "./mcp_servers";
import { TodoList } from "./todo_list";

export function Details({ session, close }: { session: OpenSession; close: () => void }) {
  const { turns, cost, tasks } = useStore(session.conversation);
  const description = useStore(session.description);
  const budget = description?.budget_usd;
  return (
    <Dialog title="Details" close={close}>
      <section>
        <h3>Cost</h3>
        <p class="figure">{dollars(cost)}</p>
        <p class="faint">{turns.length === 1 ? "One turn." : `${turns.length} turns.`}</p>
        {budget !== undefined && (
          <Use
            part={cost}
            whole={budget}
            label="Budget in use"
            text={`${dollars(cost)} of a budget of ${dollars(budget)}`}
          />
        )}
        {turns.length > 1 && <CostChart turns={turns} />}
      </section>
      <Context session={session} />
      <Todos session={session} />
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
      <McpServers session={session} />
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

function Context({ session }: { session: OpenSession }) {
  const { context, turns } = useStore(session.conversation);
  const look = useLook("context", turns.length);
  const found = look.kind === "found" ? look.value : null;
  const tokens = found?.totalTokens ?? context.tokens;
  const most = found?.maxTokens ?? context.window;
  if (tokens === 0) return null;
  const text = `${thousands(tokens)} of ${thousands(most)} tokens`;
  return (
    <section>
      <h3>Context</h3>
      {most > 0 ? (
        <Use part={tokens} whole={most} label="Context in use" text={text} />
      ) : (
        <p>{thousands(tokens)} tokens after the last message.</p>
      )}
      {found && <ContextParts context={found} />}
      {look.kind === "unknown" && <p class="faint">What fills it is not known now. {look.why}</p>}
    </section>
  );
}

function Todos({ session }: { session: OpenSession }) {
  const { todos } = useStore(session.conversation);
  if (todos.length === 0) return null;
  return (
    <section>
      <h3>To-do list</h3>
      <TodoList todos={todos} />
    </section>
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
