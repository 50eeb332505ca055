// The agent's to-do list.

import type { Todo } from "../state/todos";

export function TodoList({ todos }: { todos: Todo[] }) {
  return (
    <ul class="todos">
      {todos.map(({ id, text, active, status }) => (
        <li key={id} class={status}>
          <span class="box" aria-hidden="true">
            {status === "completed" ? "✓" : status === "in_progress" ? "•" : ""}
          </span>
          <span>{status === "in_progress" ? (active ?? text) : text}</span>
          <span class="hidden"> ({status.replace("_", " ")})</span>
        </li>
      ))}
    </ul>
  );
}

/** The list on one line, to be unfolded; nothing once all is done. */
export function TodoStrip({ todos }: { todos: Todo[] }) {
  const done = todos.filter(({ status }) => status === "completed").length;
  if (done === todos.length) return null;
  const current = todos.find(({ status }) => status === "in_progress");
  return (
    <details class="todo-strip">
      <summary>
        To-do: {done} of {todos.length} done
        {current && <span class="tool-about">{current.active ?? current.text}</span>}
      </summary>
      <TodoList todos={todos} />
    </details>
  );
}
