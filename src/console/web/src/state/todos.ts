// The agent's to-do list, as its calls have left it. The CLI has two kinds of tools for it: one that writes the whole list,
// and one call for each change.

export interface Todo {
  id: string;
  text: string;
  /** What the agent does while it works on this. */
  active?: string;
  status: string;
}

/** Returns the list after this call, which has succeeded. */
export function todosAfter(todos: Todo[], name: string, input: Record<string, any>, output?: unknown): Todo[] {
  switch (name) {
    case "TodoWrite":
      return Array.isArray(input.todos) ? input.todos.map((todo, at) => todoOf(String(at), todo ?? {})) : todos;
    case "TaskCreate": {
      // Only the result has the id.
      const id = /#(\S+) created/.exec(String(output))?.[1];
      return id ? [...todos, todoOf(id, { ...input, status: "pending" })] : todos;
    }
    case "TaskUpdate": {
      const id = String(input.taskId);
      if (input.status === "deleted") return todos.filter((todo) => todo.id !== id);
      return todos.map((todo) => (todo.id === id ? changed(todo, input) : todo));
    }
    default:
      return todos;
  }
}

function todoOf(id: string, input: Record<string, unknown>): Todo {
  const empty = { id, text: String(input.content ?? input.subject ?? ""), status: "pending" };
  return changed(empty, input);
}

function changed(todo: Todo, input: Record<string, unknown>): Todo {
  return {
    ...todo,
    ...(typeof input.subject === "string" && { text: input.subject }),
    ...(typeof input.activeForm === "string" && { active: input.activeForm }),
    ...(typeof input.status === "string" && { status: input.status }),
  };
}
