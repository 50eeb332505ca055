// What the agent asks, one prompt at a time, oldest first.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Input } from "../protocol/types";
import type { Prompt } from "../state/conversation";
import { useApp, useSession } from "./context";
import { ElicitationForm } from "./elicitation_form";
import { PermissionForm } from "./permission_form";
import { QuestionForm } from "./question_form";
import { titleOf } from "./tool_input";

export interface FormProps {
  prompt: Prompt;
  busy: boolean;
  /** Whether single keys answer. */
  armed: boolean;
  cwd: string | undefined;
  answer: (input: Input) => void;
}

export function Prompts({ prompts, cwd }: { prompts: Prompt[]; cwd: string | undefined }) {
  const app = useApp();
  const prompt = prompts[0];
  const about = prompt ? headline(prompt) : "";
  const id = prompt?.id;
  const before = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (id) app.announce(`The agent asks: ${about} Press Control and J to go there.`);
    else if (before.current) app.announce("Nothing is asked any more.");
    before.current = id;
  }, [id]);
  if (!prompt) return null;
  return <One key={prompt.id} prompt={prompt} more={prompts.length - 1} cwd={cwd} />;
}

/** In milliseconds. */
const ARMED_AFTER = 700;

function One({ prompt, more, cwd }: { prompt: Prompt; more: number; cwd: string | undefined }) {
  const session = useSession();
  const region = useRef<HTMLElement>(null);
  const answered = useRef(false);
  const [busy, setBusy] = useState(false);
  const [armed, setArmed] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  // Of layout, because only such an effect ends before its element is gone, with the focus in it.
  useLayoutEffect(() => {
    // Whoever was about to write must not answer with the first letter.
    const arming = setTimeout(() => setArmed(true), ARMED_AFTER);
    // Whoever is writing goes on writing. Otherwise the answer is one key away.
    const focused = document.activeElement;
    const free =
      !focused ||
      focused === document.body ||
      (focused instanceof HTMLTextAreaElement && focused.id === "composer" && !focused.value);
    if (free) region.current?.focus({ preventScroll: true });
    // Answered elsewhere, or here: the focus must not fall out of the page.
    return () => {
      clearTimeout(arming);
      const lost = answered.current && document.activeElement === document.body;
      if (lost || region.current?.contains(document.activeElement))
        document.getElementById("composer")?.focus({ preventScroll: true });
    };
  }, []);
  const answer = async (input: Input) => {
    setBusy(true);
    // A button that is disabled loses the focus.
    answered.current = true;
    const failed = await session.send(input);
    setBusy(false);
    setProblem(failed);
    if (failed && document.activeElement === document.body) region.current?.focus();
  };
  const props: FormProps = { prompt, busy, armed, cwd, answer };
  return (
    <section
      ref={region}
      id="prompt"
      class="prompt"
      tabIndex={-1}
      data-armed={armed || undefined}
      aria-label={headline(prompt)}
    >
      {more > 0 && <p class="faint more">{more === 1 ? "One more prompt waits." : `${more} more prompts wait.`}</p>}
      {prompt.kind === "question" && <QuestionForm {...props} />}
      {prompt.kind === "elicitation" && <ElicitationForm {...props} />}
      {(prompt.kind === "permission" || prompt.kind === "hook") && <PermissionForm {...props} />}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </section>
  );
}

export function PromptHead({ children, by }: { children: ComponentChildren; by?: string }) {
  return (
    <h2 class="prompt-head">
      {children}
      {by && <span class="faint"> {by}</span>}
    </h2>
  );
}

export function headline({ kind, data }: Prompt): string {
  switch (kind) {
    case "permission":
      if (data.tool_name === "ExitPlanMode") return "Is this plan right?";
      return `May the agent use ${titleOf(String(data.tool_name))}?`;
    case "hook":
      return `May this go on? (${data.hook_event})`;
    case "question":
      return "The agent has a question.";
    case "elicitation":
      return `${data.server_name} asks you.`;
  }
}
