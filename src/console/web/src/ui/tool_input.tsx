// A tool's input as people read it: a command, a diff, a plan, a list, or its members.

import { todosAfter } from "../state/todos";
import { languageOf } from "../text/highlight";
import { firstLine, shortPath } from "../text/plain";
import { Diff } from "./diff";
import type { IconName } from "./icons";
import { Code, Markdown } from "./markdown";
import { TodoList } from "./todo_list";

type Input = Record<string, unknown>;

const text = (value: unknown): string =>
  typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);

export function iconOf(name: string): IconName {
  if (/^(Bash|BashOutput|KillShell|KillBash)$/.test(name)) return "terminal";
  if (/^(Edit|MultiEdit|Write|NotebookEdit)$/.test(name)) return "edit";
  if (/^(Read|LS)$/.test(name)) return "file";
  if (/^(Grep|Glob|ToolSearch)$/.test(name)) return "look";
  if (/^Web/.test(name)) return "web";
  if (/^(Task|Agent)$/.test(name)) return "agent";
  if (/^(Todo|Task|ExitPlanMode|EnterPlanMode)/.test(name)) return "list";
  return name.startsWith("mcp__") ? "plug" : "tool";
}

/** The tool's name as people say it. */
export function titleOf(name: string): string {
  const [, server, tool] = /^mcp__(.+?)__(.+)$/.exec(name) ?? [];
  if (server === "genui") return `Component ${tool!.replace(/^render_/, "")}`;
  if (server) return `${tool} · ${server}`;
  return (
    {
      ExitPlanMode: "Plan",
      AskUserQuestion: "Question",
      TodoWrite: "To-do list",
      MultiEdit: "Edit",
      Task: "Sub-agent",
      Agent: "Sub-agent",
    }[name] ?? name
  );
}

/** What the call is about, on one line. */
export function summaryOf(name: string, input: Input | undefined, cwd: string | undefined): string {
  if (!input) return "";
  const path = text(input.file_path ?? input.notebook_path ?? input.path);
  switch (name) {
    case "Bash":
      return firstLine(text(input.description) || text(input.command));
    case "Grep":
    case "Glob":
      return firstLine(text(input.pattern));
    case "AskUserQuestion":
      return firstLine(text((input.questions as Input[] | undefined)?.[0]?.question));
    case "TodoWrite": {
      const todos = Array.isArray(input.todos) ? (input.todos as Input[]) : [];
      return `${todos.filter((todo) => todo.status === "completed").length} of ${todos.length} done`;
    }
    case "TaskUpdate":
      return firstLine(`#${text(input.taskId)} ${text(input.status ?? input.subject).replace("_", " ")}`);
    case "Task":
    case "Agent":
      return firstLine(text(input.description) || text(input.prompt));
  }
  if (path) return firstLine(shortPath(path, cwd));
  return firstLine(text(input.url ?? input.query ?? input.command ?? input.description ?? input.subject ?? ""));
}

/** Whether the input alone says what happens, so that it is shown without asking. */
export function isTelling(name: string): boolean {
  return /^(Edit|MultiEdit|Write|ExitPlanMode|TodoWrite)$/.test(name);
}

export function ToolInput({ name, input, cwd }: { name: string; input: Input; cwd?: string }) {
  const path = text(input.file_path ?? input.notebook_path);
  switch (name) {
    case "Bash":
      if (typeof input.command !== "string") break;
      return <Code text={input.command} language="bash" />;
    case "Edit":
      if (typeof input.new_string !== "string") break;
      return (
        <>
          <Path path={path} cwd={cwd} note={input.replace_all === true ? "everywhere" : undefined} />
          <Diff before={text(input.old_string)} after={input.new_string} />
        </>
      );
    case "MultiEdit":
      if (!Array.isArray(input.edits)) break;
      return (
        <>
          <Path path={path} cwd={cwd} />
          {(input.edits as Input[]).map((edit, at) => (
            <Diff key={at} before={text(edit?.old_string)} after={text(edit?.new_string)} />
          ))}
        </>
      );
    case "Write":
      if (typeof input.content !== "string") break;
      return (
        <>
          <Path path={path} cwd={cwd} note="whole file" />
          <Code text={input.content} language={languageOf(path)} />
        </>
      );
    case "ExitPlanMode":
      // The CLI keeps plans in files, and not every version repeats them here.
      if (typeof input.plan !== "string") return <p class="faint">The plan is in the conversation.</p>;
      return <Markdown source={input.plan} />;
    case "AskUserQuestion":
      if (!Array.isArray(input.questions)) break;
      return (
        <ul>
          {(input.questions as Input[]).map((question, at) => (
            <li key={at}>{text(question?.question)}</li>
          ))}
        </ul>
      );
    case "TodoWrite":
      if (!Array.isArray(input.todos)) break;
      return <TodoList todos={todosAfter([], name, input)} />;
    case "Task":
    case "Agent":
      if (typeof input.prompt !== "string") break;
      return <Markdown source={input.prompt} />;
  }
  return <Members value={input} />;
}

function Path({ path, cwd, note }: { path: string; cwd?: string; note?: string }) {
  return (
    <p class="path">
      <code>{shortPath(path, cwd)}</code>
      {note && <span class="faint"> {note}</span>}
    </p>
  );
}

/** Any other input: its members by name. */
export function Members({ value }: { value: Input }) {
  const members = Object.entries(value);
  if (members.length === 0) return <p class="faint">No input.</p>;
  return (
    <dl class="members">
      {members.map(([name, member]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{typeof member === "string" ? member : <code>{JSON.stringify(member, null, 1)}</code>}</dd>
        </div>
      ))}
    </dl>
  );
}
