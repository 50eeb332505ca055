// A permission request or a hook's decision: what would happen, and the answers.

import { useEffect, useRef, useState } from "preact/hooks";
import { shortPath } from "../text/plain";
import { headline, PromptHead, type FormProps } from "./prompts";
import { Members, ToolInput } from "./tool_input";

type Update = Record<string, any>;

/** For a field that appears because the user has asked for it. */
const focus = (element: HTMLElement | null) => element?.focus();

export function PermissionForm({ prompt, busy, armed, cwd, answer }: FormProps) {
  const root = useRef<HTMLDivElement>(null);
  const { data, kind, id } = prompt;
  const hook = kind === "hook";
  const tool = hook ? String(data.hook_input?.tool_name ?? "") : String(data.tool_name);
  const input = (hook ? (data.hook_input?.tool_input ?? data.hook_input) : data.input) ?? {};
  const context = (data.context ?? {}) as Record<string, any>;
  const plan = tool === "ExitPlanMode";
  const [mode, setMode] = useState<"ask" | "edit" | "deny">("ask");
  const [edited, setEdited] = useState("");
  const [reason, setReason] = useState("");
  const [stop, setStop] = useState(false);
  const [wrong, setWrong] = useState<string | null>(null);
  const command = tool === "Bash" && typeof input.command === "string";

  // What the input shows anyway is not said twice.
  const told = [context.title, input.command, input.file_path, shortPath(String(input.file_path ?? ""), cwd)];

  const allow = (updates?: Update[], changed?: object) =>
    answer({
      type: "permission_response",
      correlation_id: id,
      behavior: "allow",
      ...(updates && { updated_permissions: updates }),
      ...(changed && { updated_input: changed }),
    });
  const deny = () =>
    answer({
      type: "permission_response",
      correlation_id: id,
      behavior: "deny",
      ...(reason.trim() && { message: reason.trim() }),
      ...(stop && { interrupt: true }),
    });
  const allowEdited = () => {
    if (command) return allow(undefined, { ...input, command: edited });
    try {
      const changed: unknown = JSON.parse(edited);
      if (typeof changed !== "object" || !changed || Array.isArray(changed))
        throw new Error("The input must be an object.");
      allow(undefined, changed);
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  const keys = (event: KeyboardEvent) => {
    if (
      !armed ||
      busy ||
      mode !== "ask" ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.target instanceof HTMLInputElement
    )
      return;
    if (event.key === "y") allow();
    else if (event.key === "n") setMode("deny");
    else return;
    event.preventDefault();
  };

  useEffect(() => {
    // The prompt itself has the focus, and is outside of this form.
    const region = root.current?.closest<HTMLElement>("#prompt");
    region?.addEventListener("keydown", keys);
    return () => region?.removeEventListener("keydown", keys);
  });

  return (
    <div ref={root}>
      <PromptHead by={context.agent_id ? "asked by a sub-agent" : undefined}>{headline(prompt)}</PromptHead>
      {typeof context.title === "string" && <p>{context.title}</p>}
      {typeof context.description === "string" && !told.includes(context.description) && (
        <p class="faint">{context.description}</p>
      )}
      {typeof context.decision_reason === "string" && <p class="faint">{context.decision_reason}</p>}
      {typeof context.blocked_path === "string" && (
        <p class="faint">
          It concerns <code>{context.blocked_path}</code>
        </p>
      )}
      {mode === "edit" ? (
        <label class="field">
          <span>{command ? "Command" : "Input, as JSON"}</span>
          <textarea
            class="mono"
            rows={Math.min(14, edited.split("\n").length + 1)}
            value={edited}
            onInput={(event) => setEdited(event.currentTarget.value)}
            ref={focus}
          />
          {wrong && (
            <span class="problem" role="alert">
              {wrong}
            </span>
          )}
        </label>
      ) : (
        <div class="prompt-input">
          {tool ? <ToolInput name={tool} input={input} cwd={cwd} /> : <Members value={input} />}
        </div>
      )}
      {mode === "deny" && (
        <>
          <label class="field">
            <span>Why not? The agent reads this. (optional)</span>
            <input
              type="text"
              value={reason}
              onInput={(event) => setReason(event.currentTarget.value)}
              onKeyDown={(event) => event.key === "Enter" && deny()}
              ref={focus}
            />
          </label>
          <label class="check">
            <input type="checkbox" checked={stop} onChange={(event) => setStop(event.currentTarget.checked)} />
            <span>Also stop the turn</span>
          </label>
        </>
      )}
      <div class="actions">
        {mode === "ask" && (
          <>
            <button type="button" class="primary" disabled={busy} onClick={() => allow()}>
              {plan ? "Approve the plan" : "Allow"} <kbd>y</kbd>
            </button>
            {!hook &&
              suggestions(context).map((update, at) => (
                <button key={at} type="button" disabled={busy} onClick={() => allow([update])}>
                  {describe(update)}
                </button>
              ))}
            {!plan && !hook && (
              <button
                type="button"
                disabled={busy}
                onClick={() => {
                  setEdited(command ? input.command : JSON.stringify(input, null, 2));
                  setMode("edit");
                }}
              >
                Edit first
              </button>
            )}
            <button type="button" class="danger" disabled={busy} onClick={() => setMode("deny")}>
              {plan ? "Keep planning" : "Deny"} <kbd>n</kbd>
            </button>
          </>
        )}
        {mode === "edit" && (
          <button type="button" class="primary" disabled={busy} onClick={allowEdited}>
            Allow with this
          </button>
        )}
        {mode === "deny" && (
          <button type="button" class="primary danger" disabled={busy} onClick={deny}>
            {plan ? "Keep planning" : "Deny"}
          </button>
        )}
        {mode !== "ask" && (
          <button type="button" class="quiet" disabled={busy} onClick={() => setMode("ask")}>
            Back
          </button>
        )}
      </div>
    </div>
  );
}

function suggestions(context: Record<string, any>): Update[] {
  const given = context.permission_suggestions ?? context.suggestions;
  return Array.isArray(given) ? given.filter((update) => update && typeof update === "object") : [];
}

/** What an update of the permissions means, as the text of a button. */
export function describe(update: Update): string {
  const rules = Array.isArray(update.rules) ? update.rules : [];
  const named = rules
    .map((rule: Update) => (rule.ruleContent ? `${rule.toolName}(${rule.ruleContent})` : String(rule.toolName)))
    .join(", ");
  switch (update.type) {
    case "addRules":
      return `Allow, and always ${update.behavior === "deny" ? "deny" : update.behavior === "ask" ? "ask for" : "allow"} ${named}`;
    case "setMode":
      return update.mode === "acceptEdits"
        ? "Allow, and accept all edits from now on"
        : `Allow, and change to the mode ${update.mode}`;
    case "addDirectories":
      return `Allow, and open ${(update.directories ?? []).join(", ")}`;
    case "removeRules":
      return `Allow, and drop the rule ${named}`;
    default:
      return `Allow, with ${update.type ?? "a change of the permissions"}`;
  }
}
